//! Makes subjects be exactly what their attributes say: the inverse of [`super::view`].
//!
//! Each row of a subject is made anew of its attributes and of the state that it had, in two rounds:
//! first what no condition governs, for all subjects, then the attributes whose column depends on
//! another (`bmc` is `ipmi.bmc` where `mgt=ipmi`, and `mgt` may be a group's).

use std::collections::{BTreeMap, BTreeSet};

use super::subject::{Subject, tables_of};
use super::view::{self, Attributes};
use crate::change::write::{WriteError, refusal};
use crate::draft::Draft;
use crate::model::Model;
use crate::table::attribute::{self, ObjectType};
use crate::table::{Row, RowKey, TableId, schema, scope};

/// A subject with all that is to be there of it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Which.
    pub subject: Subject,
    /// Its attributes, secrets filled in.
    pub attributes: Attributes,
}

/// An attribute that cannot be set: the place of its subject in the list, and why.
pub(crate) type Refused = (usize, WriteError);

/// Writes subjects of which none depends on another of the list.
///
/// # Errors
/// Every attribute whose condition is not met; the draft is of no use then.
pub(crate) fn put(draft: &mut Draft, wanted: &[&Wanted]) -> Result<(), Vec<Refused>> {
    let mut refused = Vec::new();
    let mut second = Vec::new();
    let mut rows = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        let round = Round::new(draft.model(), &wanted.subject, &wanted.attributes, false);
        if !round.left.is_empty() {
            second.push((at, *wanted));
        }
        rows.extend(round.rows().into_iter().map(|row| (at, row)));
    }
    refused.extend(write(draft, rows));
    let mut rows = Vec::new();
    for (at, wanted) in second {
        let round = Round::new(draft.model(), &wanted.subject, &wanted.attributes, true);
        if let Subject::Object { kind, .. } = &wanted.subject
            && let Some(kind) = attribute::object_type(kind)
        {
            refused.extend(round.left.iter().map(|name| (at, refusal(kind, name))));
        }
        rows.extend(round.rows().into_iter().map(|row| (at, row)));
    }
    refused.extend(write(draft, rows));
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

type Made = (TableId, RowKey, Option<Row>);

/// Writes rows, those that go first: two networks may swap their addresses, and with them the keys
/// of their rows.
fn write(draft: &mut Draft, rows: Vec<(usize, Made)>) -> Vec<Refused> {
    let (gone, made): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, (.., row))| row.is_none());
    draft.put_all(gone.into_iter().map(|(_, row)| row));
    let refused = taken(draft.model(), &made);
    draft.put_all(made.into_iter().map(|(_, row)| row));
    refused
}

/// Networks that would swallow each other's row: the key of it is not the name.
fn taken(model: &Model, made: &[(usize, Made)]) -> Vec<Refused> {
    let mut refused = Vec::new();
    let mut seen: BTreeMap<&RowKey, String> = BTreeMap::new();
    for (at, (table, key, row)) in made.iter().filter(|(_, (table, ..))| *table == schema::NETWORKS) {
        let name = row.as_ref().and_then(|row| row.cell("netname")).unwrap_or_default();
        let there = model.tables().row(*table, key.as_str()).and_then(|row| row.cell("netname"));
        let owner = seen.get(key).map(String::as_str).or(there).filter(|owner| *owner != name);
        if let Some(owner) = owner {
            refused.push((
                *at,
                WriteError::Taken {
                    name: "net",
                    value: key.to_string(),
                    table: table.name(),
                    key: key.to_string(),
                    owner: owner.to_owned(),
                },
            ));
        }
        seen.insert(key, name.to_owned());
    }
    refused
}

/// When a subject is written: conditions of nodes look at their groups, so that those come first.
pub(crate) fn class_of(subject: &Subject) -> usize {
    match subject {
        Subject::Object { kind: "node", .. } => 2,
        Subject::Object { kind: "group", .. } => 1,
        _ => 0,
    }
}

/// Whether a name in a stanza means a cell of this type's, as things are or otherwise.
pub(crate) fn is_known(kind: &ObjectType, name: &str) -> bool {
    match kind.name {
        "site" => super::subject::is_setting_name(name),
        _ => view::column(kind.name, name).is_some() || view::may_mean(kind.name, name),
    }
}

/// The rows of one subject in the making.
struct Round<'a> {
    subject: &'a Subject,
    /// What is there now, by table.
    old: BTreeMap<TableId, (&'a RowKey, &'a Row)>,
    new: BTreeMap<TableId, Row>,
    /// Tables whose row stays although nothing is set in it.
    bare: BTreeSet<TableId>,
    /// Attributes that mean nothing (yet).
    left: Vec<&'a str>,
    /// Settings of the site; those that are not named stay.
    settings: Vec<(&'a String, &'a String)>,
}

impl<'a> Round<'a> {
    fn new(model: &'a Model, subject: &'a Subject, attributes: &'a Attributes, is_second: bool) -> Self {
        let old = subject.rows(model).into_iter().map(|(table, key, row)| (table, (key, row))).collect();
        let (new, bare) = (BTreeMap::new(), BTreeSet::new());
        let mut round = Self { subject, old, new, bare, left: Vec::new(), settings: Vec::new() };
        match subject {
            Subject::Row { table, key } => round.row(*table, key, attributes),
            // Each setting is for itself; see `settings`.
            Subject::Object { kind: "site", .. } => round.settings = attributes.iter().collect(),
            Subject::Object { kind, name } => {
                round.keep_state();
                round.bare.extend(tables_of(kind).first().filter(|_| *kind != "group"));
                for (name_of, value) in attributes {
                    let place = match view::column(kind, name_of).or_else(|| view::certain(kind, name_of)) {
                        None if is_second => view::place(model, kind, name, name_of),
                        place => place,
                    };
                    match place {
                        Some((table, column)) => round.cell(table, column, value),
                        None => round.left.push(name_of),
                    }
                }
                if *kind == "group" && !attributes.contains_key("nodegroup.members") {
                    round.imply();
                }
            }
        }
        round
    }

    fn row(&mut self, table: TableId, key: &RowKey, attributes: &Attributes) {
        let mut row = Row::new();
        for (column, part) in table.table().key.iter().zip(key.parts()) {
            row.put(column, part);
        }
        for (column, value) in attributes {
            row.put(column, value);
        }
        self.keep_state();
        let kept = self.new.remove(&table).unwrap_or_default();
        for (column, value) in kept.cells() {
            row.put(column, value);
        }
        self.bare.insert(table);
        self.new.insert(table, row);
    }

    /// State stays as it is, whatever is said of its row.
    fn keep_state(&mut self) {
        for (table, (_, row)) in &self.old {
            let cells = row.cells().filter(|(column, _)| scope::is_state(*table, column));
            let kept: Row = cells.collect();
            if !kept.is_empty() {
                self.new.insert(*table, kept);
            }
        }
    }

    fn cell(&mut self, table: TableId, column: &str, value: &str) {
        let is_network = matches!(self.subject, Subject::Object { kind: "network", .. });
        if !is_network && table.table().key.contains(&column) {
            self.bare.insert(table);
        } else {
            self.new.entry(table).or_default().put(column, value);
        }
    }

    /// A group's members repeat its type, unless told otherwise.
    fn imply(&mut self) {
        if let Some(row) = self.new.get_mut(&schema::NODEGROUP) {
            let kind = row.cell("grouptype").unwrap_or_default().to_owned();
            row.put("members", &kind);
        }
    }

    /// What becomes of each row, old keys first.
    fn rows(self) -> Vec<Made> {
        let mut rows = Vec::new();
        let (kind, name) = match self.subject {
            Subject::Row { key, .. } => {
                return self.new.into_iter().map(|(table, row)| (table, key.clone(), Some(row))).collect();
            }
            Subject::Object { kind: "site", .. } => {
                return self.settings.into_iter().map(|(name, value)| setting(name, value)).collect();
            }
            Subject::Object { kind, name } => (*kind, name),
        };
        let tables: BTreeSet<TableId> =
            self.old.keys().chain(self.new.keys()).chain(&self.bare).copied().collect();
        for table in tables {
            let mut row = self.new.get(&table).cloned().unwrap_or_default();
            let stays = !row.is_empty() || self.bare.contains(&table);
            let key = if kind == "network" {
                row.put("netname", name);
                row.key(table)
            } else {
                RowKey::one(name)
            };
            if let Some((old, _)) = self.old.get(&table).filter(|(old, _)| **old != key || !stays) {
                rows.push((table, (*old).clone(), None));
            }
            if stays {
                rows.push((table, key, Some(row)));
            }
        }
        rows
    }
}

/// The row of a setting; an empty value takes it away.
fn setting(name: &str, value: &str) -> Made {
    let row = (!value.is_empty()).then(|| Row::new().with("value", value));
    (schema::SITE, RowKey::one(name), row)
}
