//! The registry of tables and columns.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table of the registry. Stored and sent by name, so that the registry may grow and be sorted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableId(u16);

/// What the registry says of a table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order of a dump.
    pub columns: &'static [Column],
    /// The names of its key columns.
    pub key: &'static [&'static str],
    /// What it is for.
    pub doc: &'static str,
}

/// What the registry says of a column.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// There is no such table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no table {0:?}")]
pub struct NoTable(pub String);

/// All tables, sorted by name.
pub static TABLES: &[Table] = &[];

impl TableId {
    /// The table of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, NoTable> {
        let at = TABLES.binary_search_by(|table| table.name.cmp(name)).map_err(|_| NoTable(name.to_owned()))?;
        u16::try_from(at).map(Self).map_err(|_| NoTable(name.to_owned()))
    }

    /// What the registry says of it.
    pub fn table(self) -> &'static Table {
        // Only `named` makes a `TableId`, so the index is one of the registry.
        &TABLES[usize::from(self.0)]
    }
}

impl TryFrom<String> for TableId {
    type Error = NoTable;
    fn try_from(name: String) -> Result<Self, NoTable> {
        Self::named(&name)
    }
}

impl From<TableId> for String {
    fn from(id: TableId) -> Self {
        id.table().name.to_owned()
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table().name)
    }
}

impl fmt::Debug for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
