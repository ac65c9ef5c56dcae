//! `tabprune`: the oldest rows of a log, or all rows of any table.

use clap::{Arg, ArgMatches, Command};
use mn_core::command::{Asked, Command as Change, Prune, Tabprune};

use super::intake::Intake;
use super::table::{explained, only, whole};
use super::{Applet, Parsed, Usage, mode, operands, switch};

pub(super) const APPLET: Applet =
    Applet { name: "tabprune", command, ask, usage_status: 1, bare_status: None };

fn command() -> Command {
    let number = |id: &'static str, short: char, value: &'static str, help: &'static str| {
        let parser = clap::value_parser!(u64);
        Arg::new(id).short(short).long(id).value_name(value).value_parser(parser).help(help)
    };
    whole("tabprune", "Remove the oldest rows of a log, or all rows of a table")
        .override_usage(
            "tabprune <tablename> [-V] -a\n       tabprune <tablename> [-V] -n <# of records>\n       \
             tabprune <tablename> [-V] -i <recid>\n       tabprune <tablename> [-V] -p <percent>\n       \
             tabprune <tablename> [-V] -d <# of days>\n       tabprune [-h|--help]\n       \
             tabprune [-v|--version]\n       \
             tables supported:eventlog,auditlog,unless -a which supports all tables\n       \
             -d option only supported for eventlog,auditlog",
        )
        .arg(switch("all").short('a').help("All rows, of any table"))
        .arg(number("number", 'n', "ROWS", "So many of the oldest"))
        .arg(number("recid", 'i', "RECID", "Those before this number"))
        .arg(number("percent", 'p', "PERCENT", "This share of the oldest"))
        .arg(number("days", 'd', "DAYS", "Those that are older than so many days"))
        .mut_arg("verbose", |arg| arg.help("Print the rows that are removed"))
        .arg(operands("TABLE").help("The table"))
}

fn ask(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    // xCAT says all of these on standard output.
    let wrong = |text: String| Ok(Parsed::End(text + "\n", 1));
    let table = match only(matches) {
        Ok(table) => table,
        Err(0) => return wrong("Table name required.".to_owned()),
        Err(_) => return Ok(explained("", command, 1)),
    };
    let (all, is_log) = (matches.get_flag("all"), matches!(table.as_str(), "auditlog" | "eventlog"));
    let number = |id: &str| matches.get_one::<u64>(id).copied();
    if !all && !is_log {
        return wrong(format!("Table {table} not supported, see tabprune -h for supported tables."));
    }
    if !is_log && number("days").is_some() {
        return wrong(format!("Table {table} not supported for the -d option."));
    }
    let chosen = [
        all.then_some(Prune::All),
        number("number").map(Prune::Oldest),
        number("recid").map(Prune::Below),
        number("percent").map(Prune::Percent),
        number("days").map(|days| Prune::Before(days_ago(days))),
    ];
    let mut chosen = chosen.into_iter().flatten();
    match (chosen.next(), chosen.next()) {
        (Some(which), None) => {
            let verbose = matches.get_flag("verbose");
            Ok(Asked::Change(Change::Tabprune(Tabprune { mode: mode(matches), table, which, verbose }))
                .into())
        }
        (None, _) => wrong("One option -p or -i or -n or -a or -d must be supplied.".to_owned()),
        _ => wrong("Only one option -p or -i or -n or -a maybe used at a time.".to_owned()),
    }
}

/// The time so many days ago, as the logs write it.
fn days_ago(days: u64) -> String {
    let now = i64::try_from(runtime::clock::unix_seconds()).unwrap_or(i64::MAX);
    let ago = i64::try_from(days).ok().and_then(|days| now.checked_sub(days.checked_mul(86_400)?));
    let time = ago.and_then(|ago| jiff::Timestamp::from_second(ago).ok());
    // Before all time there is no row.
    time.map_or_else(String::new, |time| {
        time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    })
}
