//! A change in the making: a working copy of the model, and the edits that led to it.

use std::collections::BTreeMap;

use common::id::Revision;

use crate::model::Model;
use crate::table::{Edit, Row, RowKey, TableId};

/// A validated set of edits on a named revision.
///
/// Made through [`Draft::finish`] only; the store refuses it when
/// its revision is no longer the newest, and then it is planned again.
#[derive(Clone, Debug)]
pub struct Change {
    base: Revision,
    edits: Vec<Edit>,
    /// What the edits make of the model they were planned on, so that nobody carries them out twice.
    /// Boxed, as a change is part of answers that are mostly without one.
    after: Box<Model>,
}

impl PartialEq for Change {
    /// The model follows from the rest.
    fn eq(&self, other: &Self) -> bool {
        (self.base, &self.edits) == (other.base, &other.edits)
    }
}

impl Change {
    /// The revision on which every rule held.
    pub const fn base(&self) -> Revision {
        self.base
    }

    /// The edits: at most one for each row, in the order of table and key, none without effect.
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// Whether nothing would change.
    pub const fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The edits, and what they make of the model of [`Change::base`], whose revision it still has.
    pub fn into_parts(self) -> (Vec<Edit>, Model) {
        (self.edits, *self.after)
    }

    /// What the edits make of the model they were planned on.
    pub(super) const fn after(&self) -> &Model {
        &self.after
    }

    /// The edits that take it back.
    #[must_use]
    pub fn inverse(&self) -> Vec<Edit> {
        self.edits.iter().rev().map(Edit::inverse).collect()
    }
}

/// A place in a draft to which it can be rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Savepoint(usize);

/// A working copy of the model that reads its own writes.
///
/// Call order: [`Draft::new`], then any of the writers with [`Draft::savepoint`] and
/// [`Draft::rollback`] around one object, then [`Draft::finish`].
#[derive(Debug)]
pub struct Draft {
    base: Revision,
    model: Model,
    /// Every edit so far, in order; several may be about one row.
    log: Vec<Edit>,
}

impl Draft {
    /// A draft without edits. Costs nothing: the model is shared until it is written to.
    pub fn new(model: &Model) -> Self {
        Self { base: model.revision(), model: model.clone(), log: Vec::new() }
    }

    /// The model as it is with the edits so far.
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// The edits so far, as they were made.
    pub fn edits(&self) -> &[Edit] {
        &self.log
    }

    /// Sets a cell, making the row where there is none; an empty value unsets it.
    ///
    /// A row in which only key columns are left goes too, except in the tables whose rows say
    /// something by being there.
    pub fn set(&mut self, table: TableId, key: &RowKey, column: &str, value: &str) {
        let before = self.model.tables().row(table, key.as_str());
        if before.is_none() && value.is_empty() {
            return;
        }
        let after = match before {
            Some(row) => row.clone().with(column, value),
            None => keyed(table, key, Row::new()).with(column, value),
        };
        if value.is_empty() && is_bare(table, &after) {
            self.remove_row(table, key);
        } else {
            self.write(table, key, Some(after));
        }
    }

    /// Puts a whole row in the place of whatever is there. The key columns are filled in.
    pub fn put_row(&mut self, table: TableId, key: &RowKey, row: Row) {
        self.write(table, key, Some(keyed(table, key, row)));
    }

    /// Removes a row, where there is one.
    pub fn remove_row(&mut self, table: TableId, key: &RowKey) {
        self.write(table, key, None);
    }

    /// Puts many whole rows at once, which costs far less than one after the other: the indexes are
    /// brought up to date once. The key columns are filled in; none removes the row. Of two writes
    /// of one row, the later counts.
    pub fn put_all(&mut self, writes: impl IntoIterator<Item = (TableId, RowKey, Option<Row>)>) {
        let writes: BTreeMap<(TableId, RowKey), Option<Row>> =
            writes.into_iter().map(|(table, key, row)| ((table, key), row)).collect();
        let edits = writes.into_iter().filter_map(|((table, key), row)| {
            let before = self.model.tables().row(table, key.as_str()).cloned();
            let after = row.map(|row| keyed(table, &key, row));
            (before != after).then_some(Edit { table, key, before, after })
        });
        let edits: Vec<Edit> = edits.collect();
        self.model.apply(&edits, self.base);
        self.log.extend(edits);
    }

    /// Where the draft stands now.
    pub const fn savepoint(&self) -> Savepoint {
        Savepoint(self.log.len())
    }

    /// Whether anything was written since.
    pub const fn is_changed_since(&self, savepoint: Savepoint) -> bool {
        self.log.len() > savepoint.0
    }

    /// What was written since.
    pub fn edits_since(&self, savepoint: Savepoint) -> &[Edit] {
        self.log.get(savepoint.0..).unwrap_or_default()
    }

    /// Takes back everything since.
    pub fn rollback(&mut self, savepoint: Savepoint) {
        if savepoint.0 >= self.log.len() {
            return;
        }
        let undone = self.log.split_off(savepoint.0);
        let inverse: Vec<Edit> = undone.iter().rev().map(Edit::inverse).collect();
        self.model.apply(&inverse, self.base);
    }

    /// The change: edits of one row merged, and what comes to nothing dropped.
    pub fn finish(self) -> Change {
        Change { base: self.base, edits: merged(self.log), after: Box::new(self.model) }
    }

    fn write(&mut self, table: TableId, key: &RowKey, after: Option<Row>) {
        let before = self.model.tables().row(table, key.as_str()).cloned();
        if before == after {
            return;
        }
        let edit = Edit { table, key: key.clone(), before, after };
        self.model.apply(std::slice::from_ref(&edit), self.base);
        self.log.push(edit);
    }
}

/// One edit for each row: the first `before` with the last `after`.
pub fn merged(mut log: Vec<Edit>) -> Vec<Edit> {
    // Stable, so that edits of one row stay in their order; and quick where a command went through
    // its objects by name.
    log.sort_by(|a, b| (a.table, &a.key).cmp(&(b.table, &b.key)));
    let mut edits: Vec<Edit> = Vec::with_capacity(log.len());
    for edit in log {
        match edits.last_mut().filter(|last| (last.table, &last.key) == (edit.table, &edit.key)) {
            Some(last) => last.after = edit.after,
            None => edits.push(edit),
        }
    }
    edits.retain(|edit| edit.before != edit.after);
    edits
}

fn keyed(table: TableId, key: &RowKey, mut row: Row) -> Row {
    for (column, part) in table.table().key.iter().zip(key.parts()) {
        row.put(column, part);
    }
    row
}

fn is_bare(table: TableId, row: &Row) -> bool {
    let schema = table.table();
    // A node exists by its `nodelist` row, a group by its `nodegroup` row, whatever else is set.
    !matches!(schema.name, "nodelist" | "nodegroup")
        && row.cells().all(|(column, _)| schema.key.contains(&column))
}
