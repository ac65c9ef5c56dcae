//! Columns of nodes as commands name them: `nodehm.mgt`, or one of xCAT's short names.

use super::select::Selection;
use crate::model::Model;
use crate::table::{TableId, nearest, schema};

/// A column of a table of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Column {
    /// Its table.
    pub(crate) table: TableId,
    /// Its name there.
    pub(crate) name: &'static str,
}

impl Column {
    /// Reads `table.column`, or a short name; none where there is no such column of nodes.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let (table, column) = match text {
            "groups" | "tags" => ("nodelist", "groups"),
            "mgt" => ("nodehm", "mgt"),
            _ => text.split_once('.')?,
        };
        let table = TableId::named(table).ok().filter(|table| table.table().is_of_nodes())?;
        Some(Self { table, name: table.table().column(column)?.name })
    }

    /// Whether it holds the name of the node.
    pub(crate) fn is_name(self) -> bool {
        self.table.table().key.first() == Some(&self.name)
    }
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.table, self.name)
    }
}

/// Columns and tables that look like a word that names none.
pub(crate) fn similar(word: &str) -> Vec<&'static str> {
    let tables = || schema::TABLES.iter().filter(|table| table.is_of_nodes()).map(|table| table.name);
    match word.split_once('.') {
        None => nearest::names(word, tables()),
        Some((table, column)) => TableId::named(table).map_or_else(
            |_| nearest::names(table, tables()),
            |table| nearest::names(column, table.table().columns.iter().map(|column| column.name)),
        ),
    }
}

/// xCAT's text for a word that names no column, with what may be meant.
pub(crate) fn invalid(word: &str) -> String {
    nearest::hinted(format!("{word} not a valid table.column description"), &similar(word))
}

/// Whether a criterion holds for a node: for every row that sets the column, or for nothing where
/// none does.
pub(crate) fn holds(model: &Model, column: Column, node: &str, selection: &Selection) -> bool {
    let records = model.records(column.table, node, &[column.name]);
    let mut values = records.iter().filter_map(|record| record.value(0)).peekable();
    if values.peek().is_none() { selection.holds("") } else { values.all(|value| selection.holds(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_of_nodes_or_it_is_none() {
        let shown = |text| Column::named(text).map(|column| column.to_string());
        assert_eq!(shown("tags").as_deref(), Some("nodelist.groups"));
        assert_eq!(shown("switch.port").as_deref(), Some("switch.port"));
        assert_eq!(shown("switches.snmpversion").as_deref(), Some("switches.snmpversion"));
        for bad in ["arch", "nosuch.mgt", "nodehm.nosuch", "site.value", "nodehm", ""] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
