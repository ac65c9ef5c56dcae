//! `updatenode`: runs scripts on nodes and brings files to them.

use clap::{Arg, ArgMatches, Command};
use mn_core::command::{Asked, Operation, Updatenode};

use super::definition::split_list;
use super::intake::Intake;
use super::{Applet, Parsed, Usage, mode, operands, operating, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "updatenode", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    operating("updatenode", "Run scripts on nodes, and bring files and the desired state to them")
        .override_usage("updatenode NODERANGE [-P [SCRIPTS]] [-F] [-s] [-t SECONDS]")
        .arg(
            Arg::new("scripts")
                .short('P')
                .long("scripts")
                .value_name("SCRIPTS")
                .num_args(0..=1)
                .default_missing_value("")
                .help("Run these scripts [default: those that the node is defined with]"),
        )
        .arg(switch("sync").short('F').help("Bring the files of the synclist"))
        .arg(switch("sn").short('s').help("Bring the node to its desired state again"))
        .arg(
            Arg::new("timeout")
                .short('t')
                .long("timeout")
                .value_name("SECONDS")
                .value_parser(clap::value_parser!(u32).range(1..))
                .help("How long one script may take"),
        )
        .arg(operands("NODERANGE [SCRIPTS]").help("Which nodes, and scripts as with -P"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let mut scripts = text(matches, "scripts");
    let nodes = match (words.next(), scripts.take_if(|list| !list.is_empty())) {
        (Some(nodes), given) => {
            scripts = given.or(scripts);
            nodes
        }
        // `updatenode -P n1`: what followed -P was the noderange, as xCAT reads it.
        (None, Some(nodes)) => {
            scripts = Some(String::new());
            nodes
        }
        (None, None) => return Err(Usage::new("say which nodes")),
    };
    if let Some(list) = words.next() {
        scripts = Some(list);
    }
    if let Some(word) = words.next() {
        return Err(Usage::new(format!("{word:?} is one operand too many")));
    }
    let (sync, settle) = (matches.get_flag("sync"), matches.get_flag("sn"));
    // No action named means all of them, as in xCAT.
    let all = scripts.is_none() && !sync && !settle;
    Ok(Asked::Operate(Operation::Updatenode(Updatenode {
        mode: mode(matches),
        nodes: intake.range(&nodes)?,
        scripts: scripts.or_else(|| all.then(String::new)).map(|list| split_list(&list)),
        sync: sync || all,
        settle,
        timeout_seconds: matches.get_one::<u32>("timeout").copied(),
        verbose: matches.get_flag("verbose"),
    }))
    .into())
}
