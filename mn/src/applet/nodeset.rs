//! `nodeset`: what the next boot of nodes gets.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Command as Change, Nodeset};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, changing, mode, operands, switch, texts};

pub(super) const APPLET: Applet =
    Applet { name: "nodeset", command, ask, usage_status: 1, bare_status: Some(0) };

fn command() -> Command {
    changing("nodeset", "Set what the next boot of nodes gets")
        .override_usage("nodeset NODERANGE boot|shell|offline|stat\n       nodeset NODERANGE osimage[=NAME]")
        .arg(
            switch("ask-all")
                .short('a')
                .help("For xCAT's scripts: there is one answer here, whoever gives it"),
        )
        .arg(switch("noupdateinitrd").help("For xCAT's scripts: images are never rebuilt here"))
        .arg(switch("ignorekernelchk").help("For xCAT's scripts: images are never rebuilt here"))
        .arg(operands("NODERANGE STATE").help("Which nodes, and the state"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let Some(nodes) = words.next() else {
        return Err(Usage::new("say which nodes, and the state"));
    };
    let Some(state) = words.next() else {
        return Err(Usage::new("say the state: boot, osimage=NAME, shell, offline or stat"));
    };
    if let Some(word) = words.next() {
        return Err(Usage::new(format!("Invalid argument: {word}: one state only")));
    }
    let nodes = intake.range(&nodes)?;
    Ok(Asked::Change(Change::Nodeset(Nodeset { mode: mode(matches), nodes, state })).into())
}
