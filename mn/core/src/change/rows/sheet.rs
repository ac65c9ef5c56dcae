//! The rows of a file under their keys.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::is_log;
use crate::csv::{self, ERRORS, Record, Sheet};
use crate::table::{Row, RowKey, TableId};
use crate::talk::Talk;

/// xCAT's exit status where the database refuses a row.
pub(super) const DATABASE: u8 = 4;

/// Rows by their keys.
pub(super) type Keyed = BTreeMap<RowKey, Row>;

/// The rows under their keys. What a database would refuse is said, and then nothing is given.
///
/// Rows of a log that have no number are numbered from `next` on.
pub(super) fn keyed(sheet: &Sheet, mut next: u64, label: &str, talk: &mut Talk<'_>) -> Option<Keyed> {
    let table = sheet.table;
    let mut rows = Keyed::new();
    let mut wrong = 0;
    if is_log(table) {
        next = sheet
            .records
            .iter()
            .filter_map(|record| recid(&record.row))
            .max()
            .map_or(next, |last| next.max(last.saturating_add(1)));
    }
    for record in &sheet.records {
        let mut row = record.row.clone();
        if is_log(table) && recid(&row).is_none() {
            row.put("recid", &next.to_string());
            next = next.saturating_add(1);
        }
        let fault = match refused(table, &row) {
            Some(why) => why,
            None => match rows.entry(row.key(table)) {
                Entry::Vacant(place) => {
                    place.insert(row);
                    continue;
                }
                Entry::Occupied(_) => format!("UNIQUE constraint failed: {}", columns(table)),
            },
        };
        if wrong < ERRORS {
            talk.error_as(&format!("{label}{}", database(table, record, &fault)), DATABASE);
        }
        wrong += 1;
    }
    (wrong == 0).then_some(rows)
}

/// The rows of an edited dump on top of what the table has become since: what was edited stays as
/// it was edited, all else is as it is now. None where a key is there twice.
pub fn rebased(dump: &Sheet, edited: &Sheet, now: &Sheet) -> Option<Vec<Row>> {
    let by_key = |sheet: &Sheet| {
        let rows = sheet.records.iter().map(|record| (record.row.key(sheet.table), record.row.clone()));
        Some(rows.collect::<Keyed>()).filter(|rows| rows.len() == sheet.records.len())
    };
    let (dump, edited, mut rows) = (by_key(dump)?, by_key(edited)?, by_key(now)?);
    for key in dump.keys().filter(|key| !edited.contains_key(*key)) {
        rows.remove(key);
    }
    rows.extend(edited.into_iter().filter(|(key, row)| dump.get(key) != Some(row)));
    Some(rows.into_values().collect())
}

/// The number of a log's row.
pub(super) fn recid(row: &Row) -> Option<u64> {
    row.cell("recid")?.trim().parse().ok()
}

/// Why a row cannot be kept; none where it can.
pub(super) fn refused(table: TableId, row: &Row) -> Option<String> {
    let schema = table.table();
    if let Some((column, _)) = row.cells().find(|(column, _)| schema.column(column).is_none()) {
        return Some(format!("table {table} has no column named {column}"));
    }
    let is_odd =
        |column: &&&str| row.cell(column).is_some_and(|value| value.contains(['\0', RowKey::SEPARATOR]));
    let odd = schema.key.iter().find(is_odd)?;
    Some(format!("{table}.{odd} holds a control character that no key can hold"))
}

/// xCAT's text around what its database says of a line.
fn database(table: TableId, record: &Record, what: &str) -> String {
    let line: String = csv::write_plain(table.table(), &record.row).chars().take(400).collect();
    format!("DB error {what} with line {}: {line}", record.line)
}

/// The key columns, as a database names them.
pub(super) fn columns(table: TableId) -> String {
    let names: Vec<String> = table.table().key.iter().map(|column| format!("{table}.{column}")).collect();
    names.join(", ")
}
