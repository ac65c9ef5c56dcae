//! `nodestat`: which of nodes' services answer.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Nodestat, Operation};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, operands, switch, texts};

pub(super) const APPLET: Applet =
    Applet { name: "nodestat", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    base("nodestat", "Show which services of nodes answer: sshd, ping, noping …")
        .override_usage(
            "nodestat [noderange] [-m|--usemon] [-p|powerstat] [-f|--usefping] [-u|--updatedb]\n       \
             nodestat [-h|--help|-v|--version]",
        )
        .arg(switch("usemon").short('m').help("Ask for the applications of the table monsetting"))
        .arg(
            switch("powerstat")
                .short('p')
                .help("Power states of nodes that do not answer; not known here, which is said"),
        )
        .arg(switch("usefping").short('f').help("For xCAT's scripts: nodes are asked in one way here"))
        .arg(switch("updatedb").short('u').help("Keep what is found in nodelist: status, appstatus, times"))
        .arg(switch("known").help("Do not ask: show which nodes have their agent connected"))
        .arg(operands("NODERANGE").help("Which nodes"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let [nodes] = &texts(matches, "words")[..] else {
        return Err(Usage::new("say which nodes, in one noderange"));
    };
    Ok(Asked::Operate(Operation::Nodestat(Nodestat {
        nodes: intake.range(nodes)?,
        applications: matches.get_flag("usemon"),
        power: matches.get_flag("powerstat"),
        update: matches.get_flag("updatedb"),
        known: matches.get_flag("known"),
    }))
    .into())
}
