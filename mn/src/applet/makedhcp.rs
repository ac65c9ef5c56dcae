//! `makedhcp`: whether nodes can be given their addresses.

use clap::{Arg, ArgAction, ArgMatches, Command};
use mn_core::command::{Asked, DhcpTask, Makedhcp, Operation};

use super::intake::Intake;
use super::{Applet, Frame, Parsed, Usage, base, operands, switch, texts};

pub(super) const APPLET: Applet =
    Applet { name: "makedhcp", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    base("makedhcp", "Verify that nodes can be given their addresses, and by whom")
        .mut_arg("at", |arg| arg.hide(true))
        .override_usage(
            "makedhcp -n\n       makedhcp -a\n       makedhcp -a -d\n       makedhcp -d noderange\n       \
             makedhcp <noderange>\n       makedhcp -q [noderange]\n       makedhcp [-h|--help]",
        )
        .arg(switch("new").short('n').help("The networks: their dynamic ranges, and who gives them out"))
        .arg(switch("all").short('a').help("All nodes that have a hardware address"))
        .arg(switch("query").short('q').help("Show what hardware addresses are given"))
        .arg(switch("delete").short('d').help("Say how the nodes' reservations go"))
        .arg(
            switch("localonly")
                .short('l')
                .help("For xCAT's scripts: the management node gives out no addresses"),
        )
        .arg(switch("restart").short('r').hide(true))
        .arg(
            Arg::new("statements")
                .short('s')
                .action(ArgAction::Set)
                .value_name("STATEMENTS")
                .allow_hyphen_values(true)
                .hide(true),
        )
        .arg(operands("NODERANGE").help("Which nodes"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let is_set = |name: &str| matches.get_flag(name);
    let has_statements = matches.contains_id("statements");
    // The order and the words are xCAT's.
    for (letter, name, other) in [('q', "query", "new"), ('n', "new", "query")] {
        let others = ["all", "delete", "restart", "localonly", other];
        if is_set(name) && (has_statements || others.iter().any(|other| is_set(other))) {
            return Err(Usage::alone(format!("The -{letter} option cannot be used with other options."))
                .framed(Frame::Server));
        }
    }
    if has_statements {
        return Err(Usage::alone(
            "The -s option holds statements for ISC dhcpd, which does not run here; what nodes are told is in their definitions.",
        ));
    }
    let mut words = texts(matches, "words").into_iter();
    let nodes = words.next();
    if let Some(word) = words.next() {
        return Err(Usage::new(format!("one noderange only, and {word:?} is a second")));
    }
    let what = match () {
        () if is_set("new") => DhcpTask::Networks,
        () if is_set("query") => DhcpTask::Query,
        () if is_set("delete") => DhcpTask::Delete,
        () => DhcpTask::Nodes,
    };
    if nodes.is_none() && !is_set("all") && matches!(what, DhcpTask::Nodes | DhcpTask::Delete) {
        return Err(Usage::new("say which nodes, or -a for all"));
    }
    Ok(Asked::Operate(Operation::Makedhcp(Makedhcp {
        what,
        nodes: nodes.map(|words| intake.range(&words)).transpose()?,
        verbose: is_set("verbose"),
    }))
    .into())
}
