//! `nodels`: names and columns of nodes.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Nodels, Query};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, operands, switch, texts};

pub(super) const APPLET: Applet = Applet { name: "nodels", command, ask, usage_status: 1, bare_status: None };

fn command() -> Command {
    base("nodels", "List nodes, and what tables say of them")
        .override_usage(
            "nodels [noderange] [-b|--blame] [-H|--with-fieldname] [table.attribute | shortname] [-S][...]\n       \
             nodels {-v|--version}\n       nodels [-?|-h|--help]",
        )
        .arg(switch("blame").short('b').help("Say from which group a value is inherited"))
        .arg(switch("with-fieldname").short('H').help("Always name the column"))
        .arg(switch("hidden").short('S').help("Hidden nodes too"))
        .arg(operands("NODERANGE COLUMN").help("Which nodes, then what to show or to select by"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let nodes = words.next().filter(|text| !text.is_empty()).map(|text| intake.range(&text)).transpose()?;
    Ok(Asked::Query(Query::Nodels(Nodels {
        nodes,
        words: words.collect(),
        blame: matches.get_flag("blame"),
        header: matches.get_flag("with-fieldname"),
        hidden: matches.get_flag("hidden"),
    }))
    .into())
}
