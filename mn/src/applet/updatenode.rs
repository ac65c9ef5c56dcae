//! `updatenode`: runs scripts on nodes and brings files to them.
//!
//! xCAT's options are all read, and its refusals of what cannot be together are its own. What there is
//! nothing to do for here is refused with the reason, never passed over.

use clap::{Arg, ArgMatches, Command};
use mn_core::command::{Asked, Operation, Updatenode};

use super::definition::split_list;
use super::intake::Intake;
use super::{Applet, Frame, Parsed, Usage, mode, operands, operating, option, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "updatenode", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    operating("updatenode", "Run scripts on nodes, and bring files and the desired state to them")
        .override_usage(
            "updatenode [-h|--help|-v|--version]\n       \
             updatenode <noderange> [-V|--verbose] [-F|--sync] [-S|--sw] [-P|--scripts [script1,script2,...]] \
             [-s|--sn] [-t <timeout>]\n       updatenode <noderange> [-V|--verbose] [script1,script2,...]",
        )
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
        .arg(switch("sw").short('S').help("Install software: run the scripts ospkgs and otherpkgs"))
        .args(others())
        .arg(
            Arg::new("timeout")
                .short('t')
                .long("timeout")
                .alias("timetout")
                .value_name("SECONDS")
                .value_parser(clap::value_parser!(u32).range(1..))
                .help("How long one script may take"),
        )
        .arg(operands("NODERANGE [SCRIPTS]").help("Which nodes, and scripts as with -P"))
}

/// The options of xCAT's that ask for nothing here, or for what is refused.
fn others() -> impl Iterator<Item = Arg> {
    let switches = [
        ('A', "updateallsw"),
        ('c', "cmdlineonly"),
        ('f', "snsync"),
        ('g', "genmypost"),
        ('k', "security"),
        ('n', "noverify"),
    ];
    let switches = switches.into_iter().map(|(short, name)| switch(name).short(short));
    let values = [('d', "alt-source"), ('l', "user"), ('o', "os"), ('r', "node-rcp")];
    let values = values.into_iter().map(|(short, name)| option(name, "VALUE").short(short));
    let fanout = option("fanout", "COUNT").value_parser(clap::value_parser!(u32));
    switches.chain(values).chain([fanout]).map(|arg| arg.hide(true))
}

/// What cannot be together, in xCAT's words and order, then what is not done here.
fn check(matches: &ArgMatches) -> Result<(), Usage> {
    let is_set = |name: &str| matches.get_flag(name);
    let is_given = |name: &str| matches.contains_id(name);
    let (scripts, sync, software) = (is_given("scripts"), is_set("sync"), is_set("sw"));
    let (keys, to_sns, user) = (is_set("security"), is_set("snsync"), is_given("user"));
    let wrong = [
        (user && keys, Frame::Bare, "-l option is not allowed with -k option."),
        (user && to_sns, Frame::Bare, "-l option is not allowed with -f options."),
        (
            sync && to_sns,
            Frame::Bare,
            "Choose either -f to sync the service nodes, or -F  to sync the nodes not both.",
        ),
        (
            keys && (software || scripts || sync || to_sns),
            Frame::Bare,
            "If you use the -k flag, you cannot specify the -S,-P,-f or -F flags.",
        ),
        (
            to_sns && (software || scripts),
            Frame::Bare,
            "If you specify the -f flag you must not specify either the -S or -k or -P or -F flags",
        ),
        (
            is_set("genmypost"),
            Frame::Server,
            "This option is only valid if site table precreatemypostscripts attribute is 1 or YES\n  because  \
             scripts are handed to a node when it asks for them; none are made ahead",
        ),
        (
            is_set("cmdlineonly") && !software,
            Frame::Said,
            "If you specify the -c flag you must specify the -S flag",
        ),
        (
            is_given("node-rcp") && !sync && !to_sns,
            Frame::Said,
            "-r|--node-rcp option is valid when option -f or -F is specified",
        ),
        (
            keys,
            Frame::Own,
            "-k is not for the agents here: their keys and certificates are renewed by their connection",
        ),
        (to_sns, Frame::Own, "-f has nothing to bring: service nodes fetch the files of their nodes with -F"),
        (
            user,
            Frame::Own,
            "-l is not for the agents here: they run scripts as who they run as, which is root",
        ),
        (is_set("updateallsw") || is_given("alt-source"), Frame::Own, "-A and -d are for AIX nodes"),
        (is_given("os"), Frame::Own, "-o is not done here: nodeset NODERANGE osimage=NAME, then boot"),
    ];
    match wrong.into_iter().find(|(is_wrong, ..)| *is_wrong) {
        Some((_, frame, text)) => Err(Usage::alone(text).framed(frame)),
        None => Ok(()),
    }
}

/// The scripts of `-P` with those of `-S`. Where `-P` means the node's own, these are what installs.
fn with_software(scripts: Option<String>) -> Option<String> {
    /// What xCAT runs for it.
    const SOFTWARE: &str = "ospkgs,otherpkgs";
    Some(match scripts.as_deref() {
        Some("") => String::new(),
        Some(list) => format!("{SOFTWARE},{list}"),
        None => SOFTWARE.to_owned(),
    })
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
        (None, None) => {
            return Err(Usage::new("The noderange should be the first argument.").framed(Frame::Said));
        }
    };
    check(matches)?;
    if let Some(list) = words.next() {
        scripts = Some(list);
    }
    if let Some(word) = words.next() {
        return Err(Usage::new(format!("{word:?} is one operand too many")));
    }
    if matches.get_flag("sw") {
        scripts = with_software(scripts);
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
