//! `tabedit`: a table in an editor. What is changed there is changed in the table, unless somebody
//! else has changed the same rows meanwhile.
//!
//! The dump goes into a folder that only the caller can read. What was edited and could not be stored
//! stays there and is named, so that no work is lost.

use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};

use clap::{ArgAction, ArgMatches, Command};
use mn_core::change::rebased;
use mn_core::command::{Asked, Command as Change, Given, How, Mode, Query, Tabdump, Tabrestore};
use mn_core::csv::{self, Sheet};
use mn_core::table::TableId;

use super::caller::{Caller, Steps};
use super::intake::Intake;
use super::table::{explained, given, only, replayed, whole};
use super::{Applet, Frame, Parsed, Usage, mode, operands, print, text};

pub(super) const APPLET: Applet =
    Applet { name: "tabedit", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    whole("tabedit", "Edit a table in an editor")
        .override_usage("tabedit <tablename>\n       tabedit [-? | -h | --help]")
        .mut_arg("help", |arg| arg.action(ArgAction::SetTrue))
        .after_help("The editor is TABEDITOR, else EDITOR, else vi.")
        .arg(operands("TABLE").help("The table"))
}

fn ask(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    let table = match only(matches) {
        Ok(table) if !matches.get_flag("help") => table,
        _ => return Ok(explained("", command, 1)),
    };
    if text(matches, "at").is_some() {
        return Err(Usage::alone("--at is for commands that only read: the past cannot be changed"));
    }
    if matches!(table.as_str(), "auditlog" | "eventlog") {
        let why = "The auditlog and eventlog tables may not be edited. Editing will cause index regeneration. Use the tabprune command.\n";
        return Ok(Parsed::End(why.to_owned(), 1));
    }
    let id = TableId::named(&table)
        .map_err(|_| Usage::alone(format!("No such table: {table}")).framed(Frame::Server))?;
    if id.table().own {
        return Err(Usage::alone(format!("Table {table} is Drover's own and is not changed by hand.")));
    }
    let mode = mode(matches);
    let how = How::Edit(Sheet { table: id, columns: Vec::new(), records: Vec::new() });
    let asks = vec![
        Asked::Query(Query::Tabdump(Tabdump { table: Some(table.clone()), ..Tabdump::default() })),
        Asked::Change(Change::Tabrestore(Tabrestore { mode, file: replayed(table), how })),
    ];
    Ok(Parsed::Run(Steps::new(asks, move |caller| {
        let folder = std::env::temp_dir().join(format!("tabedit.{}", std::process::id()));
        match Session::open(caller, id, mode, folder.clone()) {
            Ok(Some(mut session)) => {
                session.run().unwrap_or_else(|error| caller.fail("edit in", &folder, &error))
            }
            Ok(None) => 1,
            Err(error) => caller.fail("edit in", &folder, &error),
        }
    })))
}

/// One table in an editor.
struct Session<'a> {
    caller: &'a Caller,
    table: TableId,
    mode: Mode,
    folder: PathBuf,
    /// The table as it was dumped last.
    dump: Vec<u8>,
    base: Sheet,
}

impl<'a> Session<'a> {
    /// Dumps the table; none where that was refused, which was said.
    fn open(caller: &'a Caller, table: TableId, mode: Mode, folder: PathBuf) -> io::Result<Option<Self>> {
        let Some((dump, base)) = dumped(caller, table)? else { return Ok(None) };
        // Fails where somebody else has put something there.
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700).create(&folder)?;
        let session = Self { caller, table, mode, folder, dump, base };
        fs::write(session.file(), &session.dump)?;
        Ok(Some(session))
    }

    fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.csv", self.table))
    }

    /// Edits until it is stored, or given up; gives the exit status.
    fn run(&mut self) -> io::Result<u8> {
        loop {
            let is_fine = edit(&self.folder, self.table)?;
            let bytes = fs::read(self.file())?;
            if bytes == self.dump {
                fs::remove_dir_all(&self.folder)?;
                if is_fine {
                    print::out("No file modifications detected, not restoring.\n");
                } else {
                    print::err("tabedit: the editor failed; nothing is changed");
                }
                return Ok(u8::from(!is_fine));
            }
            if !is_fine {
                return Ok(self.given_up("the editor failed"));
            }
            let file = given(self.table.to_string(), &bytes);
            let status = self.store(&file);
            if status == 0 {
                fs::remove_dir_all(&self.folder)?;
                return Ok(0);
            }
            print::out("Above errors occured, hit enter to edit, or ctrl-c to abort\n");
            if io::stdin().lock().read_line(&mut String::new())? == 0 {
                return Ok(self.given_up("it could not be stored"));
            }
            self.catch_up(&file)?;
        }
    }

    fn store(&self, file: &Given) -> u8 {
        let how = How::Edit(self.base.clone());
        self.caller.ask(Asked::Change(Change::Tabrestore(Tabrestore {
            mode: self.mode,
            file: file.clone(),
            how,
        })))
    }

    fn given_up(&self, why: &str) -> u8 {
        print::err(&format!(
            "tabedit: {why}; nothing is changed\n  try      what was edited is in {}: tabedit {} again, or tabrestore",
            self.file().display(),
            self.table
        ));
        1
    }

    /// Takes what others have changed since into the file, where it is not about the same rows: those
    /// stay as they were edited, and saving them again is meant.
    fn catch_up(&mut self, file: &Given) -> io::Result<()> {
        let Ok(Some(mine)) = &file.content else { return Ok(()) };
        let Some((dump, fresh)) = dumped(self.caller, self.table)? else { return Ok(()) };
        if let Some(rows) = rebased(&self.base, mine, &fresh).filter(|_| dump != self.dump) {
            let table = self.table.table();
            let mut text = csv::header(table) + "\n";
            for row in &rows {
                text.push_str(&csv::write_plain(table, row));
                text.push('\n');
            }
            fs::write(self.file(), text)?;
            (self.dump, self.base) = (dump, fresh);
        }
        Ok(())
    }
}

/// The table as it is; none where that was refused, which was said.
fn dumped(caller: &Caller, table: TableId) -> io::Result<Option<(Vec<u8>, Sheet)>> {
    let query = Tabdump { table: Some(table.to_string()), ..Tabdump::default() };
    let mut dump = Vec::new();
    let status = caller.collect(Asked::Query(Query::Tabdump(query)), false, |text| {
        dump.extend_from_slice(text.as_bytes());
        Ok(())
    })?;
    if status != 0 {
        return Ok(None);
    }
    match csv::read(table, &dump) {
        Ok(sheet) => Ok(Some((dump, sheet))),
        Err(errors) => Err(io::Error::other(errors.first().map_or_else(String::new, ToString::to_string))),
    }
}

/// Runs the editor; says whether it ended well.
fn edit(folder: &Path, table: TableId) -> io::Result<bool> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let editor = set("TABEDITOR").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // By the shell, as the variable may hold options.
    let line = format!("{editor} {table}.csv");
    Ok(std::process::Command::new("sh").args(["-c", &line]).current_dir(folder).status()?.success())
}
