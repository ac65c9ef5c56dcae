//! The reader of `tabrestore`'s files: one pass over the text.
//!
//! A line's trailing blanks are not its own, so that files with `\r\n` are taken; within quotes every
//! character counts (xCAT drops blanks before a newline there, and so loses them).

use std::borrow::Cow;

use super::{CsvError, ERRORS, ROWS, Record, SHOWN, Sheet};
use crate::table::{Row, TableId};

/// Reads the rows of a table.
///
/// # Errors
/// All that is wrong with it, up to [`ERRORS`]; one at least. Nothing of a file that is wrong
/// anywhere is taken.
pub fn read(table: TableId, bytes: &[u8]) -> Result<Sheet, Vec<CsvError>> {
    read_as(bytes, |header| columns(table, header), |columns, records| Sheet { table, columns, records })
}

/// As [`read`], but columns that the table does not have are passed over, and given by name: a dump
/// of another version of xCAT.
///
/// # Errors
/// As [`read`].
pub fn read_known(table: TableId, bytes: &[u8]) -> Result<(Sheet, Vec<String>), Vec<CsvError>> {
    let is_known = |name: &str| table.table().column(name).is_some();
    let sheet = read_as(bytes, names, |columns, records| Sheet { table, columns, records });
    let mut sheet = sheet?;
    let (columns, unknown): (Vec<_>, Vec<_>) =
        std::mem::take(&mut sheet.columns).into_iter().partition(|name| is_known(name));
    sheet.columns = columns;
    if !unknown.is_empty() {
        for record in &mut sheet.records {
            record.row = record.row.cells().filter(|(name, _)| is_known(name)).collect();
        }
        sheet.records.retain(|record| !record.row.is_empty());
    }
    Ok((sheet, unknown))
}

fn read_as(
    bytes: &[u8],
    columns: impl Fn(&str) -> Result<Vec<String>, CsvError>,
    sheet: impl Fn(Vec<String>, Vec<Record>) -> Sheet,
) -> Result<Sheet, Vec<CsvError>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        // The header is no line of data.
        let newlines = good.iter().filter(|byte| **byte == b'\n').count();
        vec![CsvError::NotText { line: number(newlines.saturating_sub(1)) }]
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let columns = columns(first).map_err(|error| vec![error])?;
    let mut reader = Reader { text: rest, at: 0, end: 0, next: 0, line: 0 };
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    while reader.next < rest.len() && errors.len() < ERRORS {
        if records.len() == ROWS {
            errors.push(CsvError::TooLong);
            break;
        }
        let line = number(reader.line);
        match reader.record(&columns) {
            Ok(row) if row.is_empty() => {}
            Ok(row) => records.push(Record { line, row }),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(sheet(columns, records)) } else { Err(errors) }
}

/// The columns that a header names, each of which the table has.
fn columns(table: TableId, header: &str) -> Result<Vec<String>, CsvError> {
    let names = names(header)?;
    match names.iter().find(|name| table.table().column(name).is_none()) {
        None => Ok(names),
        Some(name) => {
            Err(CsvError::NoColumn { column: name.chars().take(SHOWN).collect(), table: table.to_string() })
        }
    }
}

/// The names in a header.
fn names(header: &str) -> Result<Vec<String>, CsvError> {
    let names = header.strip_prefix('#').ok_or(CsvError::NoHeader)?.replace('"', "");
    // Some spreadsheets write a comma for each column that they show.
    let names = trimmed(&names).trim_end_matches(',');
    Ok(names.split(',').filter(|_| !names.is_empty()).map(str::to_owned).collect())
}

/// Where the reading stands, in bytes of the text. Between records, `next` is where the next one
/// begins.
struct Reader<'a> {
    text: &'a str,
    /// What of the line is not read yet: from here …
    at: usize,
    /// … to here, the blanks at the line's end left out.
    end: usize,
    /// Where the next line begins.
    next: usize,
    /// The number of the next line.
    line: usize,
}

/// What is wrong with a field.
enum Fault {
    MissingOpening,
    Unescaped,
    Unmatched,
}

impl<'a> Reader<'a> {
    /// Reads one record. However it ends, the next one begins with the next line.
    fn record(&mut self, columns: &[String]) -> Result<Row, CsvError> {
        let (start, line) = (self.next, number(self.line));
        self.at = start;
        self.turn_line();
        let first_end = self.end;
        let mut cells: Vec<(&str, Cow<'a, str>)> = Vec::new();
        for column in columns {
            let field = self.at;
            match self.field() {
                Ok(value) => cells.push((column, value)),
                Err(fault) => {
                    let before = self.text.get(start..field).unwrap_or_default();
                    let (at, text) = (number(before.chars().count()), self.shown(start, first_end));
                    return Err(match fault {
                        Fault::MissingOpening => CsvError::MissingOpening { line, at, text },
                        Fault::Unescaped => CsvError::Unescaped { line, at, text },
                        // xCAT has read on in search of the other quote by then.
                        Fault::Unmatched => CsvError::Unmatched { line: number(self.line), at, text },
                    });
                }
            }
        }
        if self.at < self.end {
            let rest = self.shown(self.at, self.end);
            return Err(CsvError::TooMany { line, text: self.shown(start, first_end), rest });
        }
        Ok(cells.iter().map(|(column, value)| (*column, value.as_ref())).collect())
    }

    /// Reads one field and the comma behind it. Where the line is at its end, fields are empty.
    fn field(&mut self) -> Result<Cow<'a, str>, Fault> {
        let line = self.text.get(self.at..self.end).unwrap_or_default();
        if line.starts_with('"') {
            return self.quoted();
        }
        let value = line.split_once(',').map_or(line, |(value, _)| value);
        if value.contains('"') {
            return Err(Fault::MissingOpening);
        }
        self.at += value.len();
        self.pass_comma();
        Ok(Cow::Borrowed(value))
    }

    /// Reads a field in quotes, which may go on over further lines.
    fn quoted(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at + 1;
        let (mut from, mut has_doubled) = (start, false);
        loop {
            let rest = self.text.get(from..).unwrap_or_default();
            let Some(quote) = rest.find('"').map(|found| from + found) else {
                while self.next < self.text.len() {
                    self.turn_line();
                }
                return Err(Fault::Unmatched);
            };
            while quote >= self.next {
                self.turn_line();
            }
            self.at = quote + 1;
            if self.text.get(self.at..).is_some_and(|rest| rest.starts_with('"')) {
                (from, has_doubled) = (self.at + 1, true);
                continue;
            }
            if self.at < self.end && !self.pass_comma() {
                return Err(Fault::Unescaped);
            }
            let value = self.text.get(start..quote).unwrap_or_default();
            return Ok(if has_doubled { value.replace("\"\"", "\"").into() } else { value.into() });
        }
    }

    /// Goes past a comma; says whether there is one.
    fn pass_comma(&mut self) -> bool {
        let is_there = self.text.get(self.at..self.end).is_some_and(|rest| rest.starts_with(','));
        self.at += usize::from(is_there);
        is_there
    }

    /// Goes on to the next line: finds where it ends.
    fn turn_line(&mut self) {
        let rest = self.text.get(self.next..).unwrap_or_default();
        let line = rest.split_once('\n').map_or(rest, |(line, _)| line);
        self.end = self.next + trimmed(line).len();
        self.next = (self.next + line.len() + 1).min(self.text.len());
        self.line += 1;
    }

    /// A piece of the text for an error.
    fn shown(&self, from: usize, to: usize) -> String {
        self.text.get(from..to).unwrap_or_default().chars().take(SHOWN).collect()
    }
}

/// A line without the blanks at its end.
fn trimmed(line: &str) -> &str {
    line.trim_end_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}')
}

/// A count that is only shown or compared; the input ends long before it would.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
