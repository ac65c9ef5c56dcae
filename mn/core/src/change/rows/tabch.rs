//! `chtab` and `tabch`: columns of the rows that are meant, in one table or several.

use std::collections::BTreeSet;

use super::sheet::{self, DATABASE};
use super::{conclude, why_not};
use crate::change::Outcome;
use crate::command::{Assignment, Tabch, TabchAction};
use crate::draft::Draft;
use crate::model::{Model, split};
use crate::table::{Row, RowKey, TableId, nearest, schema};
use crate::talk::{Context, Talk};

/// What stands for "not set" where a value is given, as in xCAT's databases.
const UNSET: &str = "NULL";

/// Plans `chtab` or `tabch`.
pub(crate) fn plan(model: &Model, args: &Tabch, context: &Context) -> Outcome {
    let mut talk = Talk::new(context);
    let mut draft = Draft::new(model);
    match &args.action {
        TabchAction::Set(words) => {
            let mut tables: Vec<&str> = Vec::new();
            for word in words {
                if !tables.contains(&word.table.as_str()) {
                    tables.push(&word.table);
                }
            }
            for name in tables {
                let words: Vec<&Assignment> = words.iter().filter(|word| word.table == name).collect();
                if set(&mut draft, name, &args.keys, &words, &mut talk).is_none() {
                    break;
                }
            }
        }
        TabchAction::Delete(tables) => {
            for name in tables {
                delete(&mut draft, name, &args.keys, &mut talk);
            }
        }
    }
    conclude(model, args.mode, draft, talk, context, |_| {})
}

/// The table of a word, where it may be changed and has the columns of the selection.
fn table(name: &str, keys: &[(String, String)], talk: &mut Talk<'_>) -> Option<TableId> {
    let Ok(table) = TableId::named(name) else {
        talk.complain(&format!("Table {name} does not exist."), 1);
        let close = nearest::names(name, schema::TABLES.iter().map(|table| table.name));
        if !close.is_empty() {
            talk.hint(format!("  try      {}", close.join(", ")));
        }
        return None;
    };
    if let Some(why) = why_not(table) {
        talk.error(&why);
        return None;
    }
    let odd = keys.iter().find(|(column, _)| table.table().column(column).is_none());
    if let Some((column, _)) = odd {
        let close = nearest::names(column, table.table().columns.iter().map(|column| column.name));
        talk.error(&nearest::hinted(format!("No column \"{column}\" in table \"{table}\""), &close));
        return None;
    }
    Some(table)
}

/// The rows that a selection means. An unset column is equal to the empty value where it is part of
/// the key; elsewhere nothing is equal to it, as in a database.
fn meant(model: &Model, table: TableId, keys: &[(String, String)]) -> Vec<(RowKey, Row)> {
    let is_key = |column: &str| table.table().key.contains(&column);
    let is_meant = |row: &Row| {
        keys.iter().all(|(column, value)| match row.cell(column) {
            Some(held) => held == value,
            None => value.is_empty() && is_key(column),
        })
    };
    if let Some(key) = whole_key(table, keys) {
        let row = model.tables().row(table, key.as_str()).filter(|row| is_meant(row));
        return row.map(|row| (key, row.clone())).into_iter().collect();
    }
    let rows = model.tables().rows(table).filter(|(_, row)| is_meant(row));
    rows.map(|(key, row)| (key.clone(), row.clone())).collect()
}

/// The key that a selection names; none where it leaves some of it open.
fn whole_key(table: TableId, keys: &[(String, String)]) -> Option<RowKey> {
    let part = |column: &&str| keys.iter().find(|(name, _)| name == column).map(|(_, value)| value.as_str());
    let parts: Option<Vec<&str>> = table.table().key.iter().map(part).collect();
    parts.map(RowKey::of)
}

fn delete(draft: &mut Draft, name: &str, keys: &[(String, String)], talk: &mut Talk<'_>) {
    let Some(table) = table(name, keys, talk) else { return };
    let rows = meant(draft.model(), table, keys);
    draft.put_all(rows.into_iter().map(|(key, _)| (table, key, None)));
}

/// Sets columns of the rows that are meant, or of a new one; none where it cannot be done.
fn set(
    draft: &mut Draft,
    name: &str,
    keys: &[(String, String)],
    words: &[&Assignment],
    talk: &mut Talk<'_>,
) -> Option<()> {
    let table = table(name, keys, talk)?;
    let odd = words.iter().find(|word| table.table().column(&word.column).is_none());
    if let Some(word) = odd {
        let text = format!("{table}.{} not a valid table.column description", word.column);
        let close = nearest::names(&word.column, table.table().columns.iter().map(|column| column.name));
        talk.error(&nearest::hinted(text, &close));
        return None;
    }
    // Without a selection, the words describe a new row.
    let found = if keys.is_empty() { Vec::new() } else { meant(draft.model(), table, keys) };
    let mut rows: Vec<(Option<RowKey>, Row)> = found.into_iter().map(|(key, row)| (Some(key), row)).collect();
    if rows.is_empty() {
        // A row of which only the selection would be set is not made, as in xCAT: it says nothing.
        if words.iter().all(|word| word.value.is_empty() || word.value == UNSET) {
            return Some(());
        }
        let selected = keys.iter().map(|(column, value)| (column.as_str(), value.as_str()));
        rows.push((None, selected.collect()));
    }
    for (_, row) in &mut rows {
        words.iter().for_each(|word| assign(row, word));
    }
    if let Some(why) = refused(draft.model(), table, &rows) {
        talk.error_as(&format!("DB error {why}"), DATABASE);
        return None;
    }
    let gone = rows.iter().filter_map(|(old, row)| old.clone().filter(|old| *old != row.key(table)));
    let gone: Vec<_> = gone.map(|key| (table, key, None)).collect();
    let written = rows.into_iter().map(|(_, row)| (table, row.key(table), Some(row)));
    // What is gone comes first: of two writes of one row, the later counts.
    draft.put_all(gone.into_iter().chain(written));
    Some(())
}

fn assign(row: &mut Row, word: &Assignment) {
    let value = if word.value == UNSET { "" } else { word.value.as_str() };
    if !word.append {
        row.put(&word.column, value);
        return;
    }
    let held = row.cell(&word.column).unwrap_or_default();
    let mut items: Vec<&str> = Vec::new();
    for item in split(held).chain(split(value)) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    let joined = items.join(",");
    row.put(&word.column, &joined);
}

/// Why rows cannot be written so, each with the key under which it was: what a database would say.
fn refused(model: &Model, table: TableId, rows: &[(Option<RowKey>, Row)]) -> Option<String> {
    let old: BTreeSet<&RowKey> = rows.iter().filter_map(|(old, _)| old.as_ref()).collect();
    let mut seen = BTreeSet::new();
    for (_, row) in rows {
        let key = row.key(table);
        if let Some(why) = sheet::refused(table, row) {
            return Some(why);
        }
        if key.parts().all(str::is_empty) {
            return Some(format!("a row needs a key, and none is given: {}", sheet::columns(table)));
        }
        let is_taken = !old.contains(&key) && model.tables().row(table, key.as_str()).is_some();
        if is_taken || !seen.insert(key) {
            return Some(format!("UNIQUE constraint failed: {}", sheet::columns(table)));
        }
    }
    None
}
