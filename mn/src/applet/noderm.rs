//! `noderm`: removes nodes.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Command as Change, Noderm};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, changing, mode, operands, texts};

pub(super) const APPLET: Applet =
    Applet { name: "noderm", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    changing("noderm", "Remove nodes from every table; the rows of their groups stay")
        .override_usage("noderm noderange\n       noderm {-v|--version}\n       noderm [-?|-h|--help]")
        .arg(operands("NODERANGE").help("Which nodes"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let [nodes] = &texts(matches, "words")[..] else {
        return Err(Usage::new("say which nodes, in one noderange"));
    };
    Ok(Asked::Change(Change::Noderm(Noderm { mode: mode(matches), nodes: intake.range(nodes)? })).into())
}
