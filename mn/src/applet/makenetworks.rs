//! `makenetworks`: the networks that machines are on become definitions.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Makenetworks, Operation};

use super::intake::Intake;
use super::{Applet, Parsed, Usage, mode, operands, operating, switch, texts};

pub(super) const APPLET: Applet =
    Applet { name: "makenetworks", command, ask, usage_status: 1, bare_status: None };

fn command() -> Command {
    operating("makenetworks", "Gather cluster network information and add it to the database")
        .override_usage(
            "makenetworks [-h|--help ]\n       makenetworks [-v|--version]\n       \
             makenetworks [-V|--verbose] [-d|--display]",
        )
        .arg(
            switch("display").short('d').help("Show the networks as stanzas for mkdef -z, and store nothing"),
        )
        .arg(operands("NOTHING").hide(true))
}

fn ask(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    if let Some(word) = texts(matches, "words").first() {
        return Err(Usage::new(format!("makenetworks takes no names, and {word:?} is one")));
    }
    Ok(Asked::Operate(Operation::Makenetworks(Makenetworks {
        mode: mode(matches),
        display: matches.get_flag("display"),
        verbose: matches.get_flag("verbose"),
    }))
    .into())
}
