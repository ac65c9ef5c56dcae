//! `mn login` on a workstation, and `mn operator` for those who may give commands from one.

use clap::{Arg, ArgMatches, Command};
use common::report::{Refusal, chain};
use common::wire::join::Kind;
use mn_core::command::{Asked, Operation, Operator};

use crate::applet::caller::Caller;
use crate::applet::{switch, text};
use crate::client::remote;

/// `mn login`.
pub(super) fn login_command() -> Command {
    Command::new("login")
        .about("Become the operator that a token names: commands given here go to its management node")
        .after_help(
            "The identity is kept in DROVER_HOME, else in drover below XDG_CONFIG_HOME or ~/.config, for you \
             alone. The certificate lasts two weeks; any command in its second week renews it.",
        )
        .arg(
            Arg::new("token")
                .value_name("TOKEN")
                .help("- for standard input, or a file [default: the environment variable DROVER_TOKEN]")
                .long_help(
                    "Where the word is that `mn token create --operator NAME` printed: - for standard input, or a \
                     file. The word itself is taken too, and every user of this machine can read it while this \
                     runs [default: the environment variable DROVER_TOKEN]",
                ),
        )
}

/// `mn operator`.
pub(super) fn command() -> Command {
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

/// Runs `mn login`.
pub(super) fn login(args: &ArgMatches) -> Result<String, Refusal> {
    let token = runtime::link::token::read(text(args, "token").as_deref()).map_err(|error| {
        Refusal::new(chain(&error)).attempt("mn token create --operator NAME on the management node")
    })?;
    if token.kind != Kind::Operator {
        let refusal = Refusal::new(format!("the token of {} is not for an operator", token.name));
        return Err(refusal.attempt("mn token create --operator NAME on the management node"));
    }
    let home = remote::home();
    remote::login(&home, &token)?;
    Ok(format!("you are operator {} here, by {}\n", token.name, home.display()))
}

/// Runs `mn operator list` and `mn operator rm`.
pub(super) fn run(args: &ArgMatches, words: Vec<String>) -> u8 {
    let Some((verb, args)) = args.subcommand() else { return 2 };
    let remove = if verb == "rm" { text(args, "name") } else { None };
    let json = args.try_get_one::<bool>("json").ok().flatten().copied().unwrap_or_default();
    let asked = Asked::Operate(Operation::Operator(Operator { remove }));
    Caller::ask_as("mn operator", args, words, json, asked)
}
