//! `nodeset`: what the next boot of nodes gets.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Command as Change, Nodeset};

use super::intake::Intake;
use super::{Applet, Frame, Parsed, Usage, changing, mode, operands, switch, texts};

pub(super) const APPLET: Applet =
    Applet { name: "nodeset", command, ask, usage_status: 1, bare_status: Some(0) };

fn command() -> Command {
    changing("nodeset", "Set what the next boot of nodes gets")
        .override_usage(
            "nodeset [-h|--help|-v|--version]\n       \
             nodeset <noderange> [shell|boot|osimage[=<imagename>]|offline|stat [-a]]",
        )
        .arg(
            switch("ask-all")
                .short('a')
                .help("With stat, for xCAT's scripts: there is one answer here, whoever gives it"),
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
    let states: Vec<String> = words.collect();
    let [state] = &states[..] else {
        return Err(Usage::new(format!("Invalid argument: '{}'", states.join(" "))).framed(Frame::Server));
    };
    if matches.get_flag("ask-all") && state != "stat" {
        return Err(Usage::alone("'-a' could only be used with 'stat' subcommand.").framed(Frame::Server));
    }
    let (nodes, state) = (intake.range(&nodes)?, state.clone());
    Ok(Asked::Change(Change::Nodeset(Nodeset { mode: mode(matches), nodes, state })).into())
}
