//! `snmove`: moves nodes to another service node.

use clap::{Arg, ArgMatches, Command};
use mn_core::command::{Asked, Operation, Snmove};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, mode, operands, operating, option, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "snmove", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    operating("snmove", "Move nodes to another service node")
        .override_usage("snmove NODERANGE [-d SN2] [-D SN2N] [-i | -P SCRIPTS|all]\n       snmove -s SN1 [-S SN1N] [-d SN2] [-D SN2N] [-i | -P SCRIPTS|all]")
        .arg(option("source", "SN1").short('s').help("The service node that gives: all of its nodes move"))
        .arg(option("sourcen", "SN1N").short('S').help("The same, as its nodes name it"))
        .arg(option("dest", "SN2").short('d').help("The service node that takes [default: the next of each node's servicenode list]"))
        .arg(option("destn", "SN2N").short('D').help("The same, as its nodes will name it [default: its address on their network]"))
        .arg(switch("ignorenodes").short('i').conflicts_with("postscripts").help("Leave the running nodes alone"))
        .arg(
            Arg::new("postscripts")
                .short('P')
                .long("postscripts")
                .value_name("SCRIPTS|all")
                .help("Scripts to run on the nodes afterwards"),
        )
        .arg(switch("force-fence").help("The source is off: go on although nobody can make sure that it is silent"))
        .arg(operands("NODERANGE").help("Which nodes"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let nodes = words.next();
    if let Some(word) = words.next() {
        return Err(Usage::new(format!("one noderange only, and {word:?} is a second")));
    }
    let source = text(matches, "source");
    if nodes.is_none() && source.is_none() {
        return Err(Usage::new("say which nodes move, or the service node that they leave (-s)"));
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
