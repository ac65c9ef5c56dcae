//! `mn token` and `mn operator`: sub-commands of `mn` itself that ask the daemon.
//!
//! Their words are read here for whoever types them (`cli`), and again in the daemon where a row of
//! the policy table looks at them (`replay`). They are no applets: there is no program of their name.

use clap::{Arg, ArgAction, ArgMatches, Command};
use mn_core::command::{Asked, Operation, Operator, TokenCreate};

use super::caller::Caller;
use super::place::{dir_arg, mn_arg};
use super::{switch, text, texts};

/// `mn token`.
pub(crate) fn token() -> Command {
    let create = Command::new("create")
        .about("Make a one-time token with which a service node joins or an operator logs in, and print it")
        .arg(Arg::new("name").required(true).value_name("NAME").help("The service node, or the operator"))
        .arg(switch("operator").help("It is for an operator, who gets his name by it and no rights"))
        .arg(
            Arg::new("address")
                .long("address")
                .value_name("IP:PORT")
                .action(ArgAction::Append)
                .help("Where it reaches the management node"),
        )
        .arg(switch("define").help("Define the service node first, if it is not"))
        .arg(switch("json").help("Print the answer as JSON"));
    Command::new("token").about("One-time tokens").subcommand_required(true).subcommand(create)
}

/// `mn operator`.
pub(crate) fn operator() -> Command {
    let json = || switch("json").help("Print the answer as JSON");
    let remove = Command::new("rm")
        .about("Let an operator go: his commands are refused from now on, and his links are cut")
        .arg(Arg::new("name").required(true).value_name("NAME").help("The operator"))
        .arg(json());
    Command::new("operator")
        .about("Who may give commands from other machines")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("List the operators").arg(json()))
        .subcommand(remove)
}

/// Runs one of the two, `name` with its verb behind it; gives the exit status.
pub(crate) fn run(name: &str, matches: &ArgMatches, words: Vec<String>) -> u8 {
    let Some((verb, matches)) = matches.subcommand() else { return 2 };
    let Some(asked) = ask(name, verb, matches) else { return 2 };
    let title = if name == "token" { "mn token" } else { "mn operator" };
    Caller::ask_as(title, matches, words, matches.get_flag("json"), asked)
}

/// What words ask, the program's name first; none where they are of neither.
pub(super) fn asked(words: &[String]) -> Option<Asked> {
    let command = Command::new("mn")
        .disable_help_flag(true)
        .arg(dir_arg().global(true))
        .arg(mn_arg().global(true))
        .subcommands([token(), operator()]);
    let matches = command.try_get_matches_from(words).ok()?;
    let (name, matches) = matches.subcommand()?;
    let (verb, matches) = matches.subcommand()?;
    ask(name, verb, matches)
}

fn ask(name: &str, verb: &str, matches: &ArgMatches) -> Option<Asked> {
    Some(Asked::Operate(match (name, verb) {
        ("token", "create") => Operation::TokenCreate(TokenCreate {
            name: text(matches, "name").unwrap_or_default(),
            addresses: texts(matches, "address"),
            define: matches.get_flag("define"),
            operator: matches.get_flag("operator"),
        }),
        ("operator", "list") => Operation::Operator(Operator { remove: None }),
        ("operator", "rm") => Operation::Operator(Operator { remove: text(matches, "name") }),
        _ => return None,
    }))
}
