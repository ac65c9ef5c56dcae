//! `mn login`: a workstation becomes an operator's.

use clap::{Arg, ArgMatches, Command};
use common::report::{Refusal, chain};
use common::wire::join::Kind;

use crate::applet::text;
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
