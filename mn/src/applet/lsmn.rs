//! `lsmn`, and xCAT's `lsxcatd`: what the management node is, and how it stands.

use clap::{ArgAction, ArgMatches, Command};
use mn_core::command::{Asked, Lsmn, Query};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, operands, switch, texts};

/// `lsmn`.
pub(super) const APPLET: Applet =
    Applet { name: "lsmn", command: own, ask: ask_own, usage_status: 2, bare_status: None };
/// `lsxcatd`.
pub(super) const DAEMON: Applet =
    Applet { name: "lsxcatd", command: xcats, ask: ask_xcats, usage_status: 1, bare_status: Some(1) };

fn own() -> Command {
    options(base("lsmn", "Show the management node, and how it stands"))
        .override_usage("lsmn [-v] [-t] [-d] [-a]")
}

fn xcats() -> Command {
    options(base("lsxcatd", "Show what the management node is")).override_usage(
        "lsxcatd [-v|--version]\n       lsxcatd [-h|--help]\n       lsxcatd [-d|--database]\n       \
             lsxcatd [-t|--nodetype]\n       lsxcatd [-a|--all]",
    )
}

fn options(command: Command) -> Command {
    command
        // The daemon's version, which may be another than the command's.
        .mut_arg("version", |arg| arg.action(ArgAction::SetTrue).help("The version of the daemon"))
        .arg(switch("database").short('d').help("What it keeps its tables in"))
        .arg(switch("nodetype").short('t').alias("type").help("What kind of node it is"))
        .arg(switch("all").short('a').help("All of these"))
        .arg(operands("WORD").hide(true))
}

fn ask_own(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    ask(matches, false)
}

fn ask_xcats(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    ask(matches, true)
}

fn ask(matches: &ArgMatches, xcats: bool) -> Result<Parsed, Usage> {
    if let Some(word) = texts(matches, "words").first() {
        return Err(Usage::new(format!("{word:?} is one operand too many")));
    }
    let is = |name| matches.get_flag(name) || matches.get_flag("all");
    let args = Lsmn { version: is("version"), kind: is("nodetype"), database: is("database"), xcats };
    if xcats && !args.is_for_something() && !matches.get_flag("json") {
        return Err(Usage::new("say what to show"));
    }
    Ok(Asked::Query(Query::Lsmn(args)).into())
}
