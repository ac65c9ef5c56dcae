//! What the commands about tables share.

use std::path::Path;

use clap::{Arg, ArgMatches, Command};
use mn_core::command::Given;
use mn_core::csv;
use mn_core::table::TableId;

use super::{Parsed, changing};

/// A command that changes everything it is given or nothing.
pub(super) fn whole(name: &'static str, about: &'static str) -> Command {
    changing(name, about).mut_arg("atomic", |arg: Arg| arg.hide(true))
}

/// Text and usage on standard output, with this exit status: how xCAT's stand-alone table commands
/// refuse wrong words.
pub(super) fn explained(text: &str, command: fn() -> Command, status: u8) -> Parsed {
    let between = if text.is_empty() { "" } else { "\n" };
    Parsed::End(format!("{text}{between}{}\n", command().render_help()), status)
}

/// The table that a file is of: its name up to the first dot.
pub(super) fn table_of(path: &str) -> String {
    let name = Path::new(path).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// The rows of a file; of a table that there is not, nothing is read.
pub(super) fn given(table: String, bytes: &[u8]) -> Given {
    let content = TableId::named(&table).map_or(Ok(None), |id| csv::read(id, bytes).map(Some));
    Given { table, content }
}

/// The file of a table, where words are read again: its rows may be any.
pub(super) fn replayed(table: impl Into<String>) -> Given {
    Given { table: table.into(), content: Ok(None) }
}

/// What a selection means: `column=value`, several with commas between; the first word that is none
/// is the error. A value ends at the next comma.
pub(super) fn selection(text: &str) -> Result<Vec<(String, String)>, &str> {
    let pair = |word| match str::split_once(word, '=') {
        Some((column, value)) if !column.is_empty() => Ok((column.to_owned(), value.to_owned())),
        _ => Err(word),
    };
    text.split(',').map(pair).collect()
}

/// The one operand of a command that takes one; the error is the number of them.
pub(super) fn only(matches: &ArgMatches) -> Result<String, usize> {
    let words = super::texts(matches, "words");
    match <[String; 1]>::try_from(words) {
        Ok([word]) => Ok(word),
        Err(words) => Err(words.len()),
    }
}
