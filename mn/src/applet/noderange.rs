//! `noderange`, and xCAT's `gennr`: what a noderange means.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Form, Noderange, Query};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, operands, switch, texts};

/// `noderange`.
pub(super) const APPLET: Applet =
    Applet { name: "noderange", command, ask, usage_status: 2, bare_status: None };
/// `gennr`.
pub(super) const GENERATE: Applet =
    Applet { name: "gennr", command: generate_command, ask: generate, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    base("noderange", "Show the nodes that a noderange means")
        .override_usage("noderange [-a|-c] [--no-verify] NODERANGE")
        .arg(switch("abbreviate").short('a').help("As a short noderange"))
        .arg(switch("count").short('c').conflicts_with("abbreviate").help("How many there are"))
        .arg(switch("no-verify").help("Names that there are not, too"))
        .arg(operands("NODERANGE").help("Which nodes"))
}

fn generate_command() -> Command {
    base("gennr", "Show the names that a noderange spells, whether or not there are such nodes")
        .override_usage("gennr NODERANGE")
        .arg(operands("NODERANGE").help("The names"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let form = match (matches.get_flag("abbreviate"), matches.get_flag("count")) {
        (true, _) => Form::Folded,
        (_, true) => Form::Count,
        _ => Form::Lines,
    };
    let no_verify = matches.get_flag("no-verify");
    query(matches, intake, |args| Noderange { no_verify, form, ..args })
}

fn generate(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    query(matches, intake, |args| Noderange { no_verify: true, ..args })
}

fn query(
    matches: &ArgMatches,
    intake: &Intake,
    shape: impl Fn(Noderange) -> Noderange,
) -> Result<Parsed, Usage> {
    let [nodes] = &texts(matches, "words")[..] else { return Err(Usage::new("one noderange, please")) };
    let args = Noderange { nodes: intake.range(nodes)?, ..Noderange::default() };
    Ok(Asked::Query(Query::Noderange(shape(args))).into())
}
