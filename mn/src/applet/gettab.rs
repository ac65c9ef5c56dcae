//! `gettab`: cells of one row.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Gettab, Query};

use super::intake::Intake;
use super::table::explained;
use super::{Applet, Parsed, Usage, base, operands, switch, texts};

pub(super) const APPLET: Applet =
    Applet { name: "gettab", command, ask, usage_status: 1, bare_status: Some(1) };

fn command() -> Command {
    base("gettab", "Print cells of the row that has these values")
        .override_usage(
            "gettab [-H|--with-fieldname] key=value,...  table.attribute ...\n       gettab [-?|-h|--help]",
        )
        .arg(switch("with-fieldname").short('H').help("Always name the column"))
        .arg(operands("KEY=VALUE TABLE.COLUMN").help("Which row, then what to print of it"))
}

fn ask(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    let words = texts(matches, "words");
    let [keys, columns @ ..] = words.as_slice() else { return Ok(explained("", command, 1)) };
    if columns.is_empty() {
        return Ok(explained("", command, 1));
    }
    // Without a value it is asked for all the same: the answer says whether there is such a key.
    let pair = |word: &str| {
        let (column, value) = word.split_once('=').unwrap_or((word, ""));
        (column.to_owned(), value.to_owned())
    };
    let keys = keys.split(',').map(pair).collect();
    let columns = columns.iter().map(|word| {
        let (table, column) = word.split_once('.').unwrap_or((word, ""));
        (table.to_owned(), column.to_owned())
    });
    let query = Gettab { keys, columns: columns.collect(), header: matches.get_flag("with-fieldname") };
    Ok(Asked::Query(Query::Gettab(query)).into())
}
