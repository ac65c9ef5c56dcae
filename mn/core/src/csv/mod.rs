//! Tables as comma-separated values, exactly as xCAT writes and reads them.
//!
//! [`write()`] is what `tabdump` prints, [`read()`] what `tabrestore` takes: a header line that begins
//! with `#`, then a record a row. A set field stands in quotes with its quotes doubled, an unset
//! one is empty; a quoted field may go over several lines. Reading what was written gives the same
//! rows, whatever text is in them (a property test holds it).
//!
//! Why not the crate `csv`: its reader takes every input and guesses (`a"b` and `"a"b` are fields,
//! an open quote ends with the file), where scripts and people rely on `tabrestore` refusing them
//! by line with xCAT's texts; and it has no comment header, no short records without `flexible`
//! and no trailing blanks to leave out. What is left of the crate would be the loop below.
//!
//! **Invariants**: pure; any bytes give rows or errors and never panic; time is linear in the input;
//! no more is kept than [`ROWS`] rows and [`ERRORS`] errors.

mod read;

use serde::{Deserialize, Serialize};

pub use self::read::{read, read_known};
use crate::table::{Row, Table, TableId};

/// How many rows one table may have: forty times the largest cluster that the design aims at.
pub const ROWS: usize = 4_000_000;

/// How many errors of one file are worth saying.
pub const ERRORS: usize = 100;

/// How much of a faulty line an error shows, in characters.
const SHOWN: usize = 400;

/// A table's rows as they stand in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// The table.
    pub table: TableId,
    /// The columns that the header names, in its order; each is one of the table's.
    pub columns: Vec<String>,
    /// The rows. Lines of which nothing is set are left out.
    pub records: Vec<Record>,
}

/// A row of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The line it begins on; the one after the header is 0, as xCAT counts.
    pub line: u32,
    /// What it sets.
    pub row: Row,
}

/// Why a file cannot be taken. The texts are xCAT's, where xCAT has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum CsvError {
    /// The first line is no header.
    #[error("Data missing header line starting with #")]
    NoHeader,
    /// The header names a column that the table does not have.
    #[error(
        "The header line indicates that column '{column}' should exist, which is not defined in the schema for '{table}'"
    )]
    NoColumn {
        /// The column.
        column: String,
        /// The table.
        table: String,
    },
    /// A quote within a field that does not begin with one.
    #[error("CSV missing opening \" for record with \" characters on line {line}, character {at}: {text}")]
    MissingOpening {
        /// The line.
        line: u32,
        /// Where on it the field begins.
        at: u32,
        /// The line's text.
        text: String,
    },
    /// A quote within a quoted field that is neither doubled nor the field's end.
    #[error("CSV unescaped \" in record on line {line}, character {at}: {text}")]
    Unescaped {
        /// The line.
        line: u32,
        /// Where on it the field begins.
        at: u32,
        /// The line's text.
        text: String,
    },
    /// The file ends within a quoted field.
    #[error("CSV unmatched \" in record on line {line}, character {at}: {text}")]
    Unmatched {
        /// The line.
        line: u32,
        /// Where on it the field begins.
        at: u32,
        /// The line's text.
        text: String,
    },
    /// More fields than the header has columns.
    #[error("Too many fields on line {line}: {text} | {rest}")]
    TooMany {
        /// The line.
        line: u32,
        /// The line's text.
        text: String,
        /// What is too much.
        rest: String,
    },
    /// The file is not text.
    #[error("line {line} is not UTF-8 text: write the file anew in it, for example with iconv")]
    NotText {
        /// The line.
        line: u32,
    },
    /// The file is longer than any table.
    #[error("it has more than {ROWS} rows")]
    TooLong,
}

impl CsvError {
    /// xCAT's exit status for it.
    pub const fn status(&self) -> u8 {
        match self {
            Self::NoHeader | Self::NoColumn { .. } => 1,
            _ => 4,
        }
    }
}

/// The header of a table's dump, without a newline.
pub fn header(table: &Table) -> String {
    let mut text = "#".to_owned();
    for (at, column) in table.columns.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(column.name);
    }
    text
}

/// A row of a table's dump, without a newline. `shown` is what stands for the value of a column:
/// the value itself, or something else where it is nobody's business.
pub fn write(table: &Table, row: &Row, shown: impl for<'a> Fn(&str, &'a str) -> &'a str) -> String {
    let mut text = String::new();
    for (at, column) in table.columns.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        if let Some(value) = row.cell(column.name) {
            let value = shown(column.name, value);
            text.push('"');
            // Piece by piece, so that a value without quotes is copied once.
            for (at, piece) in value.split('"').enumerate() {
                if at > 0 {
                    text.push_str("\"\"");
                }
                text.push_str(piece);
            }
            text.push('"');
        }
    }
    text
}

/// As [`write()`], with every value as it is.
pub fn write_plain(table: &Table, row: &Row) -> String {
    write(table, row, |_, value| value)
}

#[cfg(test)]
mod tests;
