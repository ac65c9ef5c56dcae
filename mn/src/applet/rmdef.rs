//! `rmdef`: removes definitions.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Command as Change, Rmdef};

use super::definition::{force, help, names_alone, read, types, with_objects};
use super::intake::Intake;
use super::{Applet, Parsed, Usage, changing, mode, switch};

pub(super) const APPLET: Applet =
    Applet { name: "rmdef", command, ask, usage_status: 1, bare_status: Some(0) };

const USAGE: &str = "  rmdef [-t TYPE] [-o] NAMES
  rmdef -a -f
  rmdef -h [-t TYPE]";

fn command() -> Command {
    let command = changing("rmdef", "Remove xCAT data object definitions.")
        .arg(force("Yes, really; -a needs it, and so does -t site"))
        .arg(switch("all").short('a').help("Remove everything, except for the site and who may do what"))
        // What xCAT cleans up with -C (boot files, DHCP entries) goes with the definition here.
        .arg(
            switch("cleanup")
                .short('C')
                .help("For xCAT's scripts: what follows from a definition always goes with it"),
        );
    names_alone(with_objects(command, USAGE))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    if let Some(shown) = help(matches, command)? {
        return Ok(shown);
    }
    let operands = read(matches, "rmdef", intake)?;
    Ok(Asked::Change(Change::Rmdef(Rmdef {
        mode: mode(matches),
        types: types(matches),
        objects: operands.objects,
        all: matches.get_flag("all"),
        force: matches.get_flag("force"),
        verbose: matches.get_flag("verbose"),
    }))
    .into())
}
