//! `export`: the site's definitions as text.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Export, Query};

use super::definition::split_list;
use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, operands, option, switch, text, texts};

pub(super) const APPLET: Applet = Applet { name: "export", command, ask, usage_status: 2, bare_status: None };

fn command() -> Command {
    base("export", "Print the site's definitions as sorted text, which apply reads")
        .override_usage("mn export [-t TYPE,…] [--secrets] [NODERANGE]")
        .after_help(
            "A shell has a word `export` of its own: call this one as `mn export`.\n\
             What is seen or under way (status, tokens, moves, logs) is no definition and not in it.",
        )
        .arg(option("type", "TYPE,…").short('t').help("Only objects of these types, or rows: table.NAME"))
        .arg(switch("secrets").help("Tell passwords and keys; otherwise <secret> stands in their place"))
        .arg(operands("NODERANGE").help("Only these nodes, with the rows that are theirs"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let nodes = words.next().map(|words| intake.range(&words)).transpose()?;
    if words.next().is_some() {
        return Err(Usage::new("there is one noderange, without blanks"));
    }
    let types = split_list(&text(matches, "type").unwrap_or_default());
    Ok(Asked::Query(Query::Export(Export { types, nodes, secrets: matches.get_flag("secrets") })).into())
}
