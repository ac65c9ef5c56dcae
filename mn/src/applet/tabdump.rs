//! `tabdump`: a table as it is stored, printed or written to a file.

use std::io;

use clap::{Arg, ArgAction, ArgMatches, Command};
use mn_core::command::{Asked, Query, Tabdump};

use super::caller::{Caller, Steps};
use super::intake::Intake;
use super::out_file::OutFile;
use super::{Applet, Frame, Parsed, Usage, base, operands, print, switch, text, texts};

pub(super) const APPLET: Applet =
    Applet { name: "tabdump", command, ask, usage_status: 1, bare_status: None };

fn command() -> Command {
    base("tabdump", "Print a table as comma-separated values, or the names of all tables")
        .override_usage(
            "tabdump [-d] [table]\n       tabdump      [table]\n       tabdump [-f <filename>]  [table]\n       \
             tabdump [-n <# of records>]  [auditlog | eventlog]\n       \
             tabdump [-w attr==val [-w attr=~val] ...] [table]\n       \
             tabdump [-w attr==val [-w attr=~val] ...] [-f <filename>] [table]\n       \
             tabdump --own\n       tabdump [-?|-h|--help]\n       tabdump {-v|--version}",
        )
        .arg(switch("describe").short('d').help("Say what the tables or columns mean"))
        .arg(
            Arg::new("select")
                .short('w')
                .value_name("COLUMN==VALUE")
                .action(ArgAction::Append)
                .help("Rows for which this holds: ==, !=, =~ and !~ (with %), <, <=, >, >="),
        )
        .arg(Arg::new("file").short('f').value_name("FILE").help("Write to this file"))
        .arg(
            Arg::new("lines")
                .short('n')
                .long("lines")
                .value_name("ROWS")
                .value_parser(clap::value_parser!(u64))
                .help("The last rows of a log"),
        )
        .arg(switch("own").help("The names of the tables that Drover has beside xCAT's"))
        .arg(operands("TABLE").help("The table"))
}

fn ask(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    let mut words = texts(matches, "words").into_iter();
    let query = Tabdump {
        table: words.next(),
        describe: matches.get_flag("describe"),
        select: texts(matches, "select"),
        last: matches.get_one::<u64>("lines").copied(),
        own: matches.get_flag("own"),
    };
    let file = text(matches, "file");
    check(&query, file.is_some())?;
    if words.next().is_some() {
        return Err(Usage::new("only one table can be printed at a time"));
    }
    Ok(match file {
        None => Asked::Query(Query::Tabdump(query)).into(),
        Some(file) => {
            let asks = vec![Asked::Query(Query::Tabdump(query.clone()))];
            Parsed::Run(Steps::new(asks, move |caller| write(caller, query, &file)))
        }
    })
}

/// Options that exclude each other, in xCAT's words.
fn check(query: &Tabdump, has_file: bool) -> Result<(), Usage> {
    let together = |flag| {
        Err(Usage::alone(format!("You  cannot use the -n and {flag} flag together. ")).framed(Frame::Server))
    };
    if query.last.is_some() {
        if query.describe {
            return together("-d");
        }
        if !query.select.is_empty() {
            return together("-w");
        }
        if has_file {
            return together("-f");
        }
    }
    let Some(table) = &query.table else {
        return match () {
            () if has_file => {
                Err(Usage::alone("table name missing from the command input. ").framed(Frame::Server))
            }
            () if !query.select.is_empty() => Err(Usage::new("-w needs a table")),
            () if query.last.is_some() => Err(Usage::new("-n needs a table")),
            () => Ok(()),
        };
    };
    if query.last.is_some() && !table.starts_with("auditlog") && !table.starts_with("eventlog") {
        return Err(Usage::alone(format!(
            "{table} table is not supported in tabdump -n. You may only use this option on the auditlog or the eventlog."
        )).framed(Frame::Server));
    }
    Ok(())
}

/// Writes the dump to a file, which is there as a whole or as it was.
fn write(caller: &Caller, query: Tabdump, path: &str) -> u8 {
    let table = query.table.clone().unwrap_or_default();
    let failed = |error: &io::Error| {
        print::err(&format!(
            "Error: Error on tabdump of {table} to {path}. Unable to open the file for write. \n  because  {error}"
        ));
        1
    };
    let mut file = match OutFile::create(path) {
        Ok(file) => file,
        Err(error) => return failed(&error),
    };
    let json = caller.json;
    let status =
        caller.collect(Asked::Query(Query::Tabdump(query)), json, |text| file.write(text.as_bytes()));
    match status {
        Ok(0) => file.finish().map_or_else(|error| failed(&error), |()| 0),
        Ok(status) => status,
        Err(error) => failed(&error),
    }
}
