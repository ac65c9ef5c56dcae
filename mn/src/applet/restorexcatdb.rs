//! `restorexCATdb`: the tables of a folder, all of them or none.

use std::io;
use std::path::Path;

use clap::{Arg, ArgMatches, Command};
use mn_core::command::{Asked, Command as Change, Given, RestoreDb};

use super::caller::Steps;
use super::dumpxcatdb::{refuse_binary, with_folder};
use super::intake::{Intake, REPLAYED};
use super::table::{given, replayed, table_of, whole};
use super::{Applet, Parsed, Usage, mode, print, switch, text};

pub(super) const APPLET: Applet =
    Applet { name: "restorexCATdb", command, ask, usage_status: 1, bare_status: None };

/// How long the files of a folder may be together, in bytes: what a command may carry.
const LONGEST: usize = common::wire::operator::MAX_COMMAND;

fn command() -> Command {
    with_folder(whole("restorexCATdb", "Restore all tables from the files of a folder"))
        .override_usage(
            "restorexCATdb -h\n       restorexCATdb -v\n       \
             restorexCATdb [-a] [-V] <-p> [path to restore .csv files]\n       \
             restorexCATdb --full [-V] <-p> [path to restore .csv files]",
        )
        .arg(switch("full").help("Drover's own tables too, from a dump that was made with --full"))
        .arg(Arg::new("timestamp").short('t').long("timestamp").value_name("TIME").hide(true))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    refuse_binary(matches)?;
    let Some(path) = text(matches, "path").filter(|path| !path.is_empty()) else {
        return Ok(refused(" -p with path to database files is required \n".to_owned()));
    };
    let files = match files(Path::new(&path), intake) {
        Ok(files) => files,
        Err(why) => return Ok(refused(why)),
    };
    Ok(Asked::Change(Change::RestoreDb(RestoreDb {
        mode: mode(matches),
        files,
        all: matches.get_flag("all"),
        full: matches.get_flag("full"),
        verbose: matches.get_flag("verbose"),
    }))
    .into())
}

/// A line on standard error without a frame, as this command of xCAT's says it.
fn refused(text: String) -> Parsed {
    Parsed::Run(Steps::new(Vec::new(), move |_| {
        print::err(&text);
        1
    }))
}

/// What is to be restored, or why it cannot be.
fn files(folder: &Path, intake: &Intake) -> Result<Vec<Given>, String> {
    if intake.is_replay() {
        return Ok(vec![replayed(REPLAYED)]);
    }
    let shown = folder.display();
    let names = intake.names(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => " Input path must exist \n".to_owned(),
        _ => format!("cannot read {shown}: {error}; nothing is restored."),
    })?;
    let files = read(folder, names, intake).map_err(|why| format!("{why}; nothing is restored."))?;
    if files.is_empty() {
        return Err(format!("There is no file TABLE.csv in {shown}; nothing is restored."));
    }
    Ok(files)
}

/// The files of tables in a folder. Others may lie beside them.
fn read(folder: &Path, names: Vec<String>, intake: &Intake) -> Result<Vec<Given>, String> {
    let mut length = 0;
    let mut files = Vec::new();
    for name in names.into_iter().filter(|name| name.ends_with(".csv") && !name.starts_with('.')) {
        let path = folder.join(&name);
        let bytes =
            intake.bytes(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        length += bytes.len();
        if length > LONGEST {
            return Err(format!("the tables in {} are longer than 256 MiB", folder.display()));
        }
        files.push(given(table_of(&name), &bytes));
    }
    Ok(files)
}
