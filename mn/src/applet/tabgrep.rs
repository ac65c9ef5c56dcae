//! `tabgrep`: the tables that say something of a node.

use clap::{ArgAction, ArgMatches, Command};
use mn_core::command::{Asked, Query, Tabgrep};

use super::intake::Intake;
use super::table::explained;
use super::{Applet, Parsed, Usage, base, operands, texts};

pub(super) const APPLET: Applet =
    Applet { name: "tabgrep", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    base("tabgrep", "List the tables that say something of a node")
        .override_usage("tabgrep nodename\n       tabgrep [-?|-h|--help]")
        // Asking for the usage ends as being told it does.
        .mut_arg("help", |arg| arg.action(ArgAction::SetTrue))
        .arg(operands("NODERANGE").help("Which node"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    if matches.get_flag("help") {
        return Ok(explained("", command, 1));
    }
    let words = texts(matches, "words");
    let Some(nodes) = words.first() else { return Err(Usage::new("say which node")) };
    Ok(Asked::Query(Query::Tabgrep(Tabgrep { nodes: intake.range(nodes)? })).into())
}
