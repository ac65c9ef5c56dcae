//! `tabrestore`: a table from a file. The file is read and parsed here; the daemon takes rows.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Command as Change, How, Tabrestore};

use super::intake::Intake;
use super::table::{explained, given, only, replayed, table_of, whole};
use super::{Applet, Parsed, Usage, mode, operands, switch};

pub(super) const APPLET: Applet =
    Applet { name: "tabrestore", command, ask, usage_status: 1, bare_status: Some(2) };

fn command() -> Command {
    whole("tabrestore", "Replace the rows of a table by those of a file, or add them")
        .override_usage(
            "tabrestore <tablename>.csv\n       tabrestore -a <tablename>.csv\n       \
             tabrestore [-?|-h|--help]\n       tabrestore [-v|--version]",
        )
        .arg(switch("addrows").short('a').help("Add the rows of the file, and keep the others"))
        .arg(operands("TABLE.csv").help("The file, as tabdump prints it; its name says the table"))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let path = match only(matches) {
        Ok(path) => path,
        Err(0) => return Ok(explained("", command, 2)),
        Err(_) => return Err(Usage::new("only one file can be restored at a time")),
    };
    let file = match intake.bytes(&path) {
        Ok(bytes) => given(table_of(&path), &bytes),
        Err(_) if intake.is_replay() => replayed(table_of(&path)),
        // On standard output, as scripts know it.
        Err(_) => return Ok(Parsed::End(format!("Error: Unable to open {path} for reading.\n"), 3)),
    };
    let how = if matches.get_flag("addrows") { How::Add } else { How::Replace };
    let restore = Tabrestore { mode: mode(matches), file, how };
    Ok(Asked::Change(Change::Tabrestore(restore)).into())
}
