//! `snmove`: moves nodes to another service node.

use clap::{Arg, ArgMatches, Command};
use mn_core::command::{Asked, Operation, Snmove};

use super::intake::Intake;
use super::{Applet, Frame, Parsed, Usage, mode, operands, operating, option, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "snmove", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    operating("snmove", "Move nodes to another service node")
        .override_usage(
            "snmove [-h | --help ]\n       snmove noderange [-V] [[-d|--dest] sn2] [[-D|--destn] sn2n] \
             [-i|--ignorenodes] [[-P|--postscripts] script1,script2...|all]\n       \
             snmove [-V] -s|--source sn1 [[-S|--sourcen] sn1n] [[-d|--dest] sn2] [[-D|--destn] sn2n] \
             [-i|--ignorenodes] [[-P|--postscripts] script1,script2...|all]",
        )
        .arg(option("source", "SN1").short('s').help("The service node that gives: all of its nodes move"))
        .arg(option("sourcen", "SN1N").short('S').help("The same, as its nodes name it"))
        .arg(
            option("dest", "SN2")
                .short('d')
                .help("The service node that takes [default: the next of each node's servicenode list]"),
        )
        .arg(
            option("destn", "SN2N")
                .short('D')
                .help("The same, as its nodes will name it [default: its address on their network]"),
        )
        .arg(switch("ignorenodes").short('i').help("Leave the running nodes alone"))
        .arg(
            Arg::new("postscripts")
                .short('P')
                .long("postscripts")
                .value_name("SCRIPTS|all")
                .help("Scripts to run on the nodes afterwards"),
        )
        .arg(switch("liteonly").short('l').hide(true))
        .arg(switch("noretarget").short('n').hide(true))
        .arg(
            switch("force-fence")
                .help("The source is off: go on although nobody can make sure that it is silent"),
        )
        .arg(operands("NODERANGE").help("Which nodes"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    // The order and the words are xCAT's.
    if matches.get_flag("ignorenodes") && matches.contains_id("postscripts") {
        return Err(Usage::alone("-P and -i flags cannot be specified at the same time.").framed(Frame::Said));
    }
    let mut words = texts(matches, "words").into_iter();
    let nodes = words.next();
    if let Some(word) = words.next() {
        return Err(Usage::new(format!("Too many paramters.\n  because  {word:?} is a second noderange"))
            .framed(Frame::Said));
    }
    let source = text(matches, "source");
    if nodes.is_none() && source.is_none() {
        return Err(
            Usage::new("A node range or the source service node must be specified.").framed(Frame::Said)
        );
    }
    if matches.get_flag("liteonly") {
        return Err(Usage::alone("The '-l' option is not supported for Linux nodes.").framed(Frame::Server));
    }
    Ok(Asked::Operate(Operation::Snmove(Snmove {
        mode: mode(matches),
        nodes: nodes.map(|words| intake.range(&words)).transpose()?,
        source,
        sourcen: text(matches, "sourcen"),
        dest: text(matches, "dest"),
        destn: text(matches, "destn"),
        ignore_nodes: matches.get_flag("ignorenodes"),
        postscripts: text(matches, "postscripts"),
        force_fence: matches.get_flag("force-fence"),
        verbose: matches.get_flag("verbose"),
    }))
    .into())
}
