//! Rows of text: the one form in which the management node keeps what it knows.
//!
//! Tables and columns are xCAT's (`reference/xcat-cli.md` §2.2), each described once in the
//! registry ([`schema`]), plus a few of Drover's own for what xCAT has no table for (moves,
//! ownership epochs, files, tokens). All of them change by [`Edit`]s alone, so that history, undo,
//! `--at` and the store know one thing.
//!
//! A [`Tables`] is a snapshot: cloning it costs nothing, and changing the clone leaves the
//! original as it was (persistent maps).

pub mod schema;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

pub use self::schema::{Column, Table, TableId};

/// The key columns of a row, joined by [`RowKey::SEPARATOR`] where there are several.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowKey(Arc<str>);

impl RowKey {
    /// What stands between the parts of a key of several columns (ASCII unit separator).
    pub const SEPARATOR: char = '\u{1f}';

    /// The key of a row whose key is one column.
    pub fn one(part: &str) -> Self {
        Self(part.into())
    }

    /// The key of a row whose key is several columns.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let parts: Vec<&str> = parts.into_iter().collect();
        Self(parts.join("\u{1f}").into())
    }

    /// The key columns' values.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split(Self::SEPARATOR)
    }

    /// The whole as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace(Self::SEPARATOR, ","))
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::borrow::Borrow<str> for RowKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A row: its set columns, key columns included. An empty value is "not set" and is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    cells: BTreeMap<Arc<str>, Arc<str>>,
}

impl Row {
    /// The row with nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a column; none where it is not set.
    pub fn cell(&self, column: &str) -> Option<&str> {
        self.cells.get(column).map(AsRef::as_ref)
    }

    /// The same row with a column set, or unset by an empty value.
    #[must_use]
    pub fn with(mut self, column: &str, value: &str) -> Self {
        self.put(column, value);
        self
    }

    /// Sets a column, or unsets it by an empty value.
    pub fn put(&mut self, column: &str, value: &str) {
        if value.is_empty() {
            self.cells.remove(column);
        } else {
            self.cells.insert(column.into(), value.into());
        }
    }

    /// The set columns, in the order of their names.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cells.iter().map(|(column, value)| (column.as_ref(), value.as_ref()))
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Whether the row counts (`disable` is not set, or says no).
    pub fn is_live(&self) -> bool {
        self.cell("disable").is_none_or(|value| matches!(value.to_ascii_lowercase().as_str(), "0" | "no"))
    }
}

/// One row before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The table.
    pub table: TableId,
    /// The row.
    pub key: RowKey,
    /// What it was; none where there was no row.
    pub before: Option<Row>,
    /// What it becomes; none where the row goes.
    pub after: Option<Row>,
}

impl Edit {
    /// The edit that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { before: self.after.clone(), after: self.before.clone(), ..self.clone() }
    }
}

/// All tables at one revision.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// By table; a table without rows may be absent.
    tables: OrdMap<TableId, OrdMap<RowKey, Arc<Row>>>,
}

impl Tables {
    /// No rows at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// A row.
    pub fn row(&self, table: TableId, key: &str) -> Option<&Arc<Row>> {
        self.tables.get(&table)?.get(key)
    }

    /// The rows of a table in the order of their keys.
    pub fn rows(&self, table: TableId) -> impl Iterator<Item = (&RowKey, &Arc<Row>)> {
        self.tables.get(&table).into_iter().flat_map(OrdMap::iter)
    }

    /// How many rows a table has.
    pub fn count(&self, table: TableId) -> usize {
        self.tables.get(&table).map_or(0, OrdMap::len)
    }

    /// Puts a row as it was loaded from the store.
    pub fn load(&mut self, table: TableId, key: RowKey, row: Row) {
        self.tables.entry(table).or_default().insert(key, Arc::new(row));
    }

    /// Carries out an edit. What was there before is the planner's to have looked at.
    pub fn apply(&mut self, edit: &Edit) {
        let rows = self.tables.entry(edit.table).or_default();
        match &edit.after {
            Some(row) => rows.insert(edit.key.clone(), Arc::new(row.clone())),
            None => rows.remove(&edit.key),
        };
    }
}
