//! What is defined of a subject, as names and values: the inverse of [`super::write`].
//!
//! A cell is called by the attribute that it is for its object, as `chdef` would say it, where
//! exactly that attribute means exactly this cell; else `TABLE.COLUMN` (a cell of a disabled row, of
//! an attribute whose condition is not met, or one that no attribute names). So nothing is lost,
//! nothing inherited is shown, and no template is evaluated.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use super::subject::{Subject, tables_of};
use crate::model::Model;
use crate::object;
use crate::table::attribute::{self, Attribute, Selector};
use crate::table::{Row, TableId, schema, scope};

/// Names and values, sorted by name.
pub(crate) type Attributes = BTreeMap<String, String>;

/// What is defined of a subject; nothing where it is not there.
pub(crate) fn of(model: &Model, subject: &Subject) -> Attributes {
    let mut found = Attributes::new();
    for (table, key, row) in subject.rows(model) {
        match subject {
            Subject::Row { .. } => {
                let cells = row.cells().filter(|(column, _)| !scope::is_state(table, column));
                found.extend(cells.map(|(column, value)| (column.to_owned(), value.to_owned())));
            }
            Subject::Object { kind: "site", .. } => {
                found.extend(row.cell("value").map(|value| (key.to_string(), value.to_owned())));
            }
            Subject::Object { kind, name } => cells_of(model, kind, name, table, row, &mut found),
        }
    }
    found
}

/// Whether an attribute of a subject is a secret.
pub(crate) fn is_secret(model: &Model, subject: &Subject, name: &str) -> bool {
    match subject {
        Subject::Row { table, key } => scope::is_secret(*table, key.as_str(), name),
        Subject::Object { kind: "site", .. } => scope::is_secret(schema::SITE, name, "value"),
        Subject::Object { kind, name: object } => place(model, kind, object, name)
            .is_some_and(|(table, column)| scope::is_secret(table, object, column)),
    }
}

/// Adds one row of an object.
fn cells_of(
    model: &Model,
    kind: &'static str,
    name: &str,
    table: TableId,
    row: &Row,
    found: &mut Attributes,
) {
    let keys = &table.table().key;
    let mut is_bare = true;
    for (column, value) in row.cells().filter(|(column, _)| !is_key(kind, table, column)) {
        is_bare = false;
        if scope::is_state(table, column) || is_implied(table, row, column) {
            continue;
        }
        let called = row.is_live().then(|| called(model, kind, name, table, column)).flatten();
        let called = called.map_or_else(|| format!("{table}.{column}"), str::to_owned);
        found.insert(called, value.to_owned());
    }
    if table == schema::NODEGROUP && row.cell("grouptype").is_some() && row.cell("members").is_none() {
        found.insert("nodegroup.members".to_owned(), String::new());
    }
    // The row that makes the object says so by being there; of another, that must be told.
    let is_own = kind != "group" && tables_of(kind).first() == Some(&table);
    if is_bare && !is_own {
        let key = keys.first().copied().unwrap_or_default();
        found.insert(format!("{table}.{key}"), name.to_owned());
    }
}

/// The members of a group repeat its type, unless somebody wrote otherwise.
fn is_implied(table: TableId, row: &Row, column: &str) -> bool {
    table == schema::NODEGROUP && column == "members" && row.cell("members") == row.cell("grouptype")
}

/// A network's name is no part of the key of its row.
fn is_key(kind: &str, table: TableId, column: &str) -> bool {
    kind == "network" && table == schema::NETWORKS && column == "netname"
        || kind != "network" && table.table().key.contains(&column)
}

/// What a cell may be called.
#[derive(Clone, Copy, Debug)]
struct Called {
    name: &'static str,
    /// Whether the name means this cell whatever else is set.
    is_certain: bool,
}

type Cells = HashMap<(TableId, &'static str), Vec<Called>>;

/// What each cell of a type's own tables may be called, in the registry's order.
static CELLS: LazyLock<HashMap<&'static str, Cells>> = LazyLock::new(|| {
    let mut all: HashMap<&'static str, Cells> = HashMap::new();
    for kind in attribute::object_types() {
        let cells = all.entry(kind.name).or_default();
        for attribute in kind.attributes.iter().filter(|a| is_own(a)) {
            let mut same = attribute::named(kind.name, attribute.name).filter(|a| is_own(a));
            let is_certain = attribute.condition.is_none() && same.next().is_some() && same.next().is_none();
            let called = Called { name: attribute.name, is_certain };
            cells.entry((attribute.table, attribute.column)).or_default().push(called);
        }
    }
    all
});

/// Whether an attribute is a cell of the one row that its object has in a table.
fn is_own(attribute: &Attribute) -> bool {
    let is_members = attribute.table == schema::NODEGROUP && attribute.column == "members";
    !is_members
        && tables_of(attribute.object).contains(&attribute.table)
        && matches!(attribute.row.as_slice(), [(_, Selector::Name)])
}

/// What a cell is called, where an attribute means it and no other cell.
fn called(
    model: &Model,
    kind: &'static str,
    name: &str,
    table: TableId,
    column: &str,
) -> Option<&'static str> {
    // The registry's own text, which outlives the row's.
    let column = table.table().column(column)?.name;
    let is_it = |a: &'static Attribute| (a.table, a.column) == (table, column);
    let mut names = CELLS.get(kind)?.get(&(table, column))?.iter();
    let found =
        names.find(|called| called.is_certain || meant(model, kind, name, called.name).is_some_and(is_it));
    found.map(|called| called.name)
}

/// The cell that an attribute's name means for an object as things are; none where it means none.
pub(crate) fn meant(model: &Model, kind: &str, object: &str, name: &str) -> Option<&'static Attribute> {
    attribute::named(kind, name).filter(|a| is_own(a)).find(|a| object::is_met(model, a, object))
}

/// The cell that a name in a stanza means: `TABLE.COLUMN`, else an attribute.
pub(crate) fn place(model: &Model, kind: &str, object: &str, name: &str) -> Option<(TableId, &'static str)> {
    column(kind, name).or_else(|| meant(model, kind, object, name).map(|a| (a.table, a.column)))
}

/// The cell that `TABLE.COLUMN` names among the tables of a type.
pub(crate) fn column(kind: &str, name: &str) -> Option<(TableId, &'static str)> {
    let (table, column) = name.split_once('.')?;
    let table = TableId::named(table).ok().filter(|table| tables_of(kind).contains(table))?;
    Some((table, table.table().column(column)?.name))
}

/// Whether a name may mean a cell of a type's, under some condition.
pub(crate) fn may_mean(kind: &str, name: &str) -> bool {
    attribute::named(kind, name).any(is_own)
}

/// The cell that a name means whatever else is set.
pub(crate) fn certain(kind: &str, name: &str) -> Option<(TableId, &'static str)> {
    let mut same = attribute::named(kind, name).filter(|a| is_own(a));
    let first = same.next().filter(|a| a.condition.is_none())?;
    same.next().is_none().then_some((first.table, first.column))
}

/// Whether a name means a cell of state.
pub(crate) fn may_be_state(kind: &str, name: &str) -> bool {
    let named = attribute::named(kind, name).filter(|a| is_own(a)).map(|a| (a.table, a.column));
    named.chain(column(kind, name)).any(|(table, column)| scope::is_state(table, column))
}
