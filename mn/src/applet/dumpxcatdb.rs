//! `dumpxCATdb`: every table into a folder of files that `restorexCATdb` takes, here and in xCAT.
//!
//! All files are of one revision. They are written beside and brought to their places when all are
//! on the disk, so that a dump that was cut off leaves the one before it.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use mn_core::command::{Asked, DumpDb, Query};
use serde::Deserialize;

use super::caller::{Caller, Steps};
use super::intake::{Intake, REPLAYED};
use super::out_file::OutFile;
use super::{Applet, Frame, Parsed, Usage, base, print, switch, text};

pub(super) const APPLET: Applet =
    Applet { name: "dumpxCATdb", command, ask, usage_status: 1, bare_status: None };

/// Names the tables to leave out, instead of `site.skiptables`.
const SKIP: &str = "XCAT_SKIPTABLES";

fn command() -> Command {
    with_folder(base("dumpxCATdb", "Write all tables into the files of a folder"))
        .override_usage(
            "dumpxCATdb -h\n       dumpxCATdb -v\n       \
             dumpxCATdb [-a] [-V] <-p> [path to backup directory]\n       \
             dumpxCATdb --full [-V] <-p> [path to backup directory]",
        )
        .arg(
            switch("full")
                .help("Drover's own tables too, with their secrets: all that restorexCATdb --full needs"),
        )
}

/// What both commands have.
pub(super) fn with_folder(command: Command) -> Command {
    command
        .arg(Arg::new("path").short('p').long("path").value_name("DIR").help("The folder"))
        .arg(switch("all").short('a').help("The tables auditlog and eventlog too"))
        .arg(switch("bin").short('b').alias("binary").hide(true))
}

/// What `-b` is told: there is no database behind this one.
pub(super) fn refuse_binary(matches: &ArgMatches) -> Result<(), Usage> {
    if matches.get_flag("bin") {
        return Err(
            Usage::alone("Binary dump (-b) is not supported for Drover: leave it out").framed(Frame::Bare)
        );
    }
    Ok(())
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    refuse_binary(matches)?;
    let verbose = matches.get_flag("verbose");
    let skip = match intake.is_replay() {
        // Which tables the operator's environment leaves out does no harm.
        true => Some(REPLAYED.to_owned()),
        false => std::env::var(SKIP).ok().filter(|skip| !skip.is_empty()),
    };
    let args = DumpDb { all: matches.get_flag("all"), full: matches.get_flag("full"), skip };
    let path = text(matches, "path").filter(|path| !path.is_empty());
    let asks = vec![Asked::Query(Query::DumpDb(args.clone()))];
    Ok(Parsed::Run(Steps::new(asks, move |caller| {
        let Some(path) = path else {
            print::err(" Requires -p with path to directory to hold db files.");
            return 1;
        };
        run(caller, args, Path::new(&path), verbose)
    })))
}

fn run(caller: &Caller, args: DumpDb, folder: &Path, verbose: bool) -> u8 {
    let say = |text: &str| {
        if !caller.json {
            print::out(text);
        }
    };
    if !folder.exists() {
        say(&format!(" Creating {} for database dump\n", folder.display()));
        // Passwords are in it.
        if let Err(error) = runtime::disk::create_dir(folder, 0o700) {
            return caller.fail("make the folder", folder, &error);
        }
    }
    let mut files = Files { folder: folder.to_owned(), done: Vec::new(), now: None, skipped: Vec::new() };
    let mut rest = String::new();
    let asked = Asked::Query(Query::DumpDb(args));
    let status = caller.collect(asked, true, |piece| lines(&mut rest, piece, |line| files.take(line)));
    match status {
        Ok(0) => {}
        Ok(status) => return status,
        Err(error) => return caller.fail("write the dump into", folder, &error),
    }
    let tables: Vec<String> = files.done.iter().map(|(table, _)| table.clone()).collect();
    let skipped = std::mem::take(&mut files.skipped);
    if let Err(error) = files.finish() {
        return caller.fail("write the dump into", folder, &error);
    }
    if caller.json {
        let record = serde_json::json!([{"folder": folder, "tables": tables, "skipped": skipped}]);
        print::out(&format!("{record}\n"));
        return 0;
    }
    if verbose {
        skipped.iter().for_each(|table| say(&format!("Skipping {table}\n\n")));
        tables.iter().for_each(|table| say(&format!("Dumping {table}\n")));
    }
    say("Backup Complete.\n");
    0
}

/// What the daemon sends; see `mn_core::command::DumpDb`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Piece {
    Table(String),
    Text(String),
    Skipped(String),
}

/// The files of a dump in the making.
#[derive(Debug)]
struct Files {
    folder: PathBuf,
    /// Whole, on the disk, not in their places.
    done: Vec<(String, OutFile)>,
    now: Option<(String, OutFile)>,
    skipped: Vec<String>,
}

impl Files {
    fn take(&mut self, line: &str) -> io::Result<()> {
        let line = line.trim_end_matches(',');
        if matches!(line, "[" | "]" | "[]" | "") {
            return Ok(());
        }
        match serde_json::from_str(line)? {
            Piece::Skipped(table) => self.skipped.push(table),
            Piece::Text(text) => {
                if let Some((_, file)) = &mut self.now {
                    file.write(text.as_bytes())?;
                }
            }
            Piece::Table(table) => {
                self.close()?;
                let file = OutFile::create_secret(&self.folder.join(format!("{table}.csv")))?;
                self.now = Some((table, file));
            }
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some((table, mut file)) = self.now.take() {
            file.sync()?;
            self.done.push((table, file));
        }
        Ok(())
    }

    /// Brings all of them to their places.
    fn finish(mut self) -> io::Result<()> {
        self.close()?;
        self.done.into_iter().try_for_each(|(_, file)| file.finish())?;
        runtime::disk::sync_dir(&self.folder)
    }
}

/// Hands over each line that is whole; what is left waits in `rest`.
fn lines(rest: &mut String, piece: &str, mut take: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    for part in piece.split_inclusive('\n') {
        rest.push_str(part);
        if rest.ends_with('\n') {
            take(rest.trim_end())?;
            rest.clear();
        }
    }
    Ok(())
}
