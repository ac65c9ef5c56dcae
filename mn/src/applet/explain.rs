//! `explain`: why a value is what it is, and who set it.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Explain, Query};

use super::definition::split_list;
use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, operands, option, text, texts, when};

pub(super) const APPLET: Applet =
    Applet { name: "explain", command, ask, usage_status: 2, bare_status: None };

fn command() -> Command {
    base("explain", "Show why each value is what it is: its source, and who set it when")
        .override_usage("explain NODERANGE [ATTR…]\n       explain -t TYPE NAME [ATTR…]")
        .arg(option("type", "TYPE").short('t').help("The type of the objects [default: node]"))
        .arg(operands("NODERANGE ATTR").help("Which objects, then which attributes [default: all]"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let objects = words.next().ok_or_else(|| Usage::new("say which node, or -t TYPE NAME"))?;
    let query = Explain {
        kind: text(matches, "type").unwrap_or_default(),
        objects: intake.range(&objects)?,
        attributes: words.flat_map(|list| split_list(&list)).collect(),
        zone: when::zone(),
    };
    Ok(Asked::Query(Query::Explain(query)).into())
}
