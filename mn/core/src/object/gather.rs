//! The rows that say something of a node, looked up once for all of its attributes.
//!
//! A node has some fifty attributes that may be set, by its own rows or by those of each of its
//! groups, and ten that are. Asked one by one, all of `lsdef all` is the looking up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::model::Model;
use crate::table::{Row, TableId};

/// Looks rows up for one node after the other; those of a group are kept for its next member.
#[derive(Debug)]
pub(super) struct Gatherer<'a> {
    model: &'a Model,
    tables: Vec<TableId>,
    groups: RefCell<HashMap<&'a str, Rows<'a>>>,
}

/// The rows of one name.
type Rows<'a> = Rc<[(TableId, &'a Row)]>;

/// The rows of a node and its groups.
#[derive(Debug)]
pub(super) struct Gathered<'a>(Vec<Rows<'a>>);

impl<'a> Gatherer<'a> {
    /// For these tables, each of which has a key of one column.
    pub(super) fn new(model: &'a Model, tables: Vec<TableId>) -> Self {
        Self { model, tables, groups: RefCell::default() }
    }

    /// The rows of a node, its own first, then those of its groups.
    pub(super) fn gather(&self, node: &str) -> Gathered<'a> {
        let mut kept = self.groups.borrow_mut();
        let groups = self.model.groups_of(node);
        let groups = groups.map(|group| kept.entry(group).or_insert_with(|| self.rows(group)).clone());
        Gathered(std::iter::once(self.rows(node)).chain(groups).collect())
    }

    fn rows(&self, name: &str) -> Rows<'a> {
        let row = |table: &TableId| Some((*table, self.model.tables().row(*table, name)?));
        self.tables.iter().filter_map(row).collect()
    }
}

impl<'a> Gathered<'a> {
    /// The columns that some row sets, several times where several do.
    pub(super) fn columns(&self) -> impl Iterator<Item = (TableId, &'a str)> {
        let rows = self.0.iter().flat_map(|rows| rows.iter());
        rows.flat_map(|(table, row)| row.cells().map(|(column, _)| (*table, column)))
    }

    /// The node's own row of a table.
    pub(super) fn own(&self, table: TableId) -> Option<&'a Row> {
        let rows = self.0.first()?;
        rows.iter().find(|(of, _)| *of == table).map(|(_, row)| *row)
    }

    /// The rows of one table.
    pub(super) fn rows(&self, table: TableId) -> impl Iterator<Item = &'a Row> {
        let rows = self.0.iter().flat_map(|rows| rows.iter());
        rows.filter(move |(of, _)| *of == table).map(|(_, row)| *row)
    }
}
