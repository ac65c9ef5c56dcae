//! `makedns`: whether the names of nodes are answered.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Makedns, Operation};

use super::intake::Intake;
use super::{Applet, Frame, Parsed, Usage, base, operands, switch, texts};

pub(super) const APPLET: Applet =
    Applet { name: "makedns", command, ask, usage_status: 1, bare_status: None };

fn command() -> Command {
    base("makedns", "Verify that the names of nodes are answered, and by whom")
        .mut_arg("at", |arg| arg.hide(true))
        .override_usage(
            "makedns [-h|--help ]\n       makedns [-V|--verbose] [-n|--new ] [noderange]\n       \
             makedns [-V|--verbose] [-d|--delete noderange]",
        )
        .arg(switch("new").short('n').help("For xCAT's scripts: there are no files to write anew"))
        .arg(switch("all").short('a').help("All nodes that have an address [default]"))
        .arg(switch("delete").short('d').help("Say how the nodes' names go"))
        .arg(
            switch("external")
                .short('e')
                .help("Servers outside the cluster: refused, they are not updated from here"),
        )
        .arg(switch("slave").short('s').hide(true))
        .arg(operands("NODERANGE").help("Which nodes [default: all that have an address]"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let nodes = words.next();
    if let Some(word) = words.next() {
        return Err(Usage::new(format!("one noderange only, and {word:?} is a second")));
    }
    let delete = matches.get_flag("delete");
    if delete && nodes.is_none() {
        return Err(Usage::alone("makedns -d without noderange or -a is not supported").framed(Frame::Server));
    }
    Ok(Asked::Operate(Operation::Makedns(Makedns {
        nodes: nodes.map(|words| intake.range(&words)).transpose()?,
        delete,
        external: matches.get_flag("external"),
        verbose: matches.get_flag("verbose"),
    }))
    .into())
}
