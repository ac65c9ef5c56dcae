//! Which columns the rows of groups set at all.
//!
//! A node has its groups' rows to look at for each column that it does not set itself, and most
//! columns are set by no group: of these nothing need be looked up. Rows are counted whether or not
//! they are disabled, so that a column may be here that nobody inherits, and never the other way.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::id::NodeName;
use imbl::{OrdMap, OrdSet};

use crate::table::{Edit, Row, TableId, Tables};

/// How many rows of groups set each column, by table. A column that none sets is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Inherited(OrdMap<TableId, OrdMap<Arc<str>, usize>>);

/// Groups that edits brought or took away, each with whether it was there before the edits.
#[derive(Debug, Default)]
pub(super) struct Turned(BTreeMap<Arc<str>, bool>);

impl Turned {
    /// A group has come or gone once more; `was` is how it stood before that.
    pub(super) fn note(&mut self, group: &Arc<str>, was: bool) {
        self.0.entry(Arc::clone(group)).or_insert(was);
    }
}

type Groups = OrdMap<Arc<str>, OrdSet<NodeName>>;

impl Inherited {
    /// Of tables in which these are the groups.
    pub(super) fn of(tables: &Tables, groups: &Groups) -> Self {
        let mut inherited = Self::default();
        groups.keys().for_each(|group| inherited.count_all(tables, group, true));
        inherited
    }

    /// Follows edits that led to these tables and groups, of which some have turned.
    pub(super) fn follow(&mut self, tables: &Tables, groups: &Groups, turned: &Turned, edits: &[Edit]) {
        for edit in edits.iter().filter(|edit| edit.table.table().is_inherited()) {
            let Some(name) = edit.key.parts().next() else { continue };
            if turned.0.get(name).copied().unwrap_or_else(|| groups.contains_key(name)) {
                edit.before.iter().for_each(|row| self.count(edit.table, row, false));
                edit.after.iter().for_each(|row| self.count(edit.table, row, true));
            }
        }
        for (group, was) in &turned.0 {
            let is = groups.contains_key(group);
            if is != *was {
                self.count_all(tables, group, is);
            }
        }
    }

    /// Whether some group sets any column.
    pub(super) fn has_any(&self, table: TableId) -> bool {
        self.0.contains_key(&table)
    }

    /// Whether some group sets a column.
    pub(super) fn has(&self, table: TableId, column: &str) -> bool {
        self.0.get(&table).is_some_and(|columns| columns.contains_key(column))
    }

    /// Counts all rows of a group.
    fn count_all(&mut self, tables: &Tables, group: &str, comes: bool) {
        for table in tables.ids().filter(|table| table.table().is_inherited()) {
            tables.rows_under(table, group).for_each(|(_, row)| self.count(table, row, comes));
        }
    }

    fn count(&mut self, table: TableId, row: &Row, comes: bool) {
        let columns = self.0.entry(table).or_default();
        for (column, _) in row.cells() {
            match columns.get_mut(column) {
                Some(count) if comes => *count += 1,
                Some(count) if *count > 1 => *count -= 1,
                Some(_) => drop(columns.remove(column)),
                None if comes => drop(columns.insert(column.into(), 1)),
                None => {}
            }
        }
        if columns.is_empty() {
            self.0.remove(&table);
        }
    }
}
