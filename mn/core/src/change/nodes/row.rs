//! Rows of nodes and groups, written column by column.

use std::collections::BTreeMap;

use crate::draft::Draft;
use crate::table::{Row, RowKey, TableId};

/// What is written to one name, by table.
pub(super) type Values = BTreeMap<TableId, Vec<(&'static str, String)>>;

/// Writes columns of a node or group; an empty value unsets.
///
/// A table may have several rows for a name: all of them are written to.
///
/// # Errors
/// When two rows would become one.
pub(super) fn write(draft: &mut Draft, name: &str, values: &Values) -> Result<(), String> {
    for (table, values) in values {
        if table.table().key.len() == 1 {
            let key = RowKey::one(name);
            values.iter().for_each(|(column, value)| draft.set(*table, &key, column, value));
        } else {
            write_rows(draft, *table, name, values)?;
        }
    }
    Ok(())
}

fn write_rows(
    draft: &mut Draft,
    table: TableId,
    name: &str,
    values: &[(&'static str, String)],
) -> Result<(), String> {
    let mut rows: Vec<(Option<RowKey>, Row)> =
        rows_of(draft, table, name).into_iter().map(|(key, row)| (Some(key), row)).collect();
    if rows.is_empty() {
        if values.iter().all(|(_, value)| value.is_empty()) {
            return Ok(());
        }
        let first = table.table().key.first().copied().unwrap_or_default();
        rows.push((None, Row::new().with(first, name)));
    }
    let count = rows.len();
    for (old, row) in rows {
        let row = values.iter().fold(row, |row, (column, value)| row.with(column, value));
        let key = row.key(table);
        if old.as_ref() != Some(&key) {
            if draft.model().tables().row(table, key.as_str()).is_some() {
                return Err(format!(
                    "the table {table} has {count} rows for {name}, and two of them would become one"
                ));
            }
            old.iter().for_each(|old| draft.remove_row(table, old));
        }
        draft.put_row(table, &key, row);
    }
    Ok(())
}

fn rows_of(draft: &Draft, table: TableId, name: &str) -> Vec<(RowKey, Row)> {
    let rows = draft.model().tables().rows_under(table, name);
    rows.map(|(key, row)| (key.clone(), row.clone())).collect()
}

/// Removes all rows of a node or group from a table.
pub(super) fn remove(draft: &mut Draft, table: TableId, name: &str) {
    for (key, _) in rows_of(draft, table, name) {
        draft.remove_row(table, &key);
    }
}
