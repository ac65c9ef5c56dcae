//! What a stanza is about: an object with all of its rows, or one row that no object covers.
//!
//! Every row of a definition belongs to exactly one subject, so that the subjects of a site
//! together hold all of it, once:
//!
//! - a row whose key is a node's name belongs to the node, else to the group of that name;
//! - a plain setting of the site belongs to `clustersite`;
//! - a row whose key is the name of another object belongs to it, in all tables that the registry
//!   gives its type ([`tables_of`]);
//! - every other row is a subject of its own: rows of several keys, disabled rows that would make
//!   an object if they counted, rows of names that are nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use common::id::{ImageName, NetworkName, NodeName};

use crate::model::Model;
use crate::object::CLUSTERSITE;
use crate::table::attribute::{self, ObjectType, Selector};
use crate::table::{Row, RowKey, TableId, schema, scope};

/// What comes before the table in the type of a row.
const ROW_TYPE: &str = "table.";

/// An object or a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// An object of a type: a node, a group, a network …
    Object {
        /// Its type.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// One row.
    Row {
        /// The table.
        table: TableId,
        /// The row.
        key: RowKey,
    },
}

impl Subject {
    /// An object.
    pub(crate) fn object(kind: &ObjectType, name: &str) -> Self {
        Self::Object { kind: kind.name, name: name.to_owned() }
    }

    /// What `objtype` says of it.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Object { kind, .. } => (*kind).to_owned(),
            Self::Row { table, .. } => format!("{ROW_TYPE}{table}"),
        }
    }

    /// What its stanza is called: the name, or the key of the row with commas between.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Object { name, .. } => name.clone(),
            Self::Row { key, .. } => key.to_string(),
        }
    }

    /// Whether it is there.
    pub(crate) fn exists(&self, model: &Model) -> bool {
        match self {
            Self::Row { table, key } => model.tables().row(*table, key.as_str()).is_some(),
            Self::Object { kind: "node", name } => model.has_node(name),
            Self::Object { kind: "group", name } => model.has_group(name),
            Self::Object { kind: "site", .. } => true,
            Self::Object { kind: "network", name } => !networks(model, name).is_empty(),
            Self::Object { kind, name } => tables_of(kind)
                .first()
                .is_some_and(|main| model.tables().row(*main, name).is_some_and(Row::is_live)),
        }
    }

    /// The rows of definitions that belong to it.
    pub(crate) fn rows<'a>(&self, model: &'a Model) -> Vec<(TableId, &'a RowKey, &'a Row)> {
        let at = |table: TableId, key: &str| {
            let mut rows = model.tables().rows_under(table, key);
            rows.find(|(known, _)| known.as_str() == key).map(|(key, row)| (table, key, row))
        };
        match self {
            Self::Row { table, key } => at_key(model, *table, key).into_iter().collect(),
            Self::Object { kind: "site", .. } => {
                let rows = model.tables().rows(schema::SITE).filter(|(key, row)| is_plain_setting(key, row));
                rows.map(|(key, row)| (schema::SITE, key, row)).collect()
            }
            Self::Object { kind: "network", name } => networks(model, name),
            Self::Object { kind, name } => {
                let tables = tables_of(kind).iter().filter(|table| model.tables().count(**table) > 0);
                tables.filter_map(|table| at(*table, name)).collect()
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { name, .. } => f.write_str(name),
            Self::Row { table, key } => write!(f, "{table} {key}"),
        }
    }
}

fn at_key<'a>(model: &'a Model, table: TableId, key: &RowKey) -> Option<(TableId, &'a RowKey, &'a Row)> {
    let first = key.parts().next().unwrap_or_default();
    model
        .tables()
        .rows_under(table, first)
        .find(|(known, _)| *known == key)
        .map(|(key, row)| (table, key, row))
}

/// The live rows of a network's name; a network is an object where there is one.
fn networks<'a>(model: &'a Model, name: &str) -> Vec<(TableId, &'a RowKey, &'a Row)> {
    let rows = model.tables().rows(schema::NETWORKS);
    let rows = rows.filter(|(_, row)| row.is_live() && row.cell("netname") == Some(name));
    let found: Vec<_> = rows.map(|(key, row)| (schema::NETWORKS, key, row)).collect();
    if found.len() == 1 { found } else { Vec::new() }
}

/// A setting that says no more than its value, under a name that needs no quotes.
fn is_plain_setting(key: &RowKey, row: &Row) -> bool {
    is_setting_name(key.as_str())
        && row.cell("value").is_some()
        && row.cells().all(|(column, _)| matches!(column, "key" | "value"))
}

/// Whether a setting of the site may be called so in a stanza.
pub(crate) fn is_setting_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    !name.is_empty() && name.bytes().all(is_plain) && name != "objtype"
}

/// Whether an object may be called so. What is called otherwise is told as rows.
pub(crate) fn is_nameable(kind: &str, name: &str) -> bool {
    let is_plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    match kind {
        "node" => name.parse::<NodeName>().is_ok(),
        "group" => name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && is_plain(name),
        "network" => name.parse::<NetworkName>().is_ok(),
        "osimage" => name.parse::<ImageName>().is_ok(),
        "site" => name == CLUSTERSITE,
        _ => !name.is_empty() && !name.chars().any(|c| c.is_control() || c.is_whitespace()),
    }
}

/// The types whose objects are subjects, each with its tables, the one that names it first.
static TABLES_OF: LazyLock<Vec<(&'static str, Vec<TableId>)>> = LazyLock::new(|| {
    let mut found = Vec::new();
    for kind in attribute::object_types() {
        let tables = match kind.name {
            "node" => of_nodes(schema::NODELIST),
            "group" => of_nodes(schema::NODEGROUP),
            "site" => vec![schema::SITE],
            "network" => vec![schema::NETWORKS],
            _ => of_kind(kind),
        };
        if !tables.is_empty() {
            found.push((kind.name, tables));
        }
    }
    found
});

/// The tables with one row a node, after the one that lists them.
fn of_nodes(list: TableId) -> Vec<TableId> {
    let tables = schema::TABLES.iter().filter(|table| {
        table.key == ["node"] && table.id() != schema::NODELIST && scope::is_definition(table.id())
    });
    std::iter::once(list).chain(tables.map(schema::Table::id)).collect()
}

/// The tables of another type: those whose whole key is the object's name.
fn of_kind(kind: &ObjectType) -> Vec<TableId> {
    let main = kind.attributes.iter().find(|attribute| attribute.name == kind.key);
    let mut tables: Vec<TableId> = main.into_iter().chain(&kind.attributes).map(|a| a.table).collect();
    let mut seen = BTreeSet::new();
    tables.retain(|table| seen.insert(*table));
    let by_name = |table: &TableId| {
        let key = table.table().key.as_slice();
        let is_selected = |a: &attribute::Attribute| matches!(a.row.as_slice(), [(column, Selector::Name)] if key == [*column]);
        key != ["node"]
            && scope::is_definition(*table)
            && kind.attributes.iter().filter(|a| a.table == *table).all(is_selected)
    };
    tables.retain(by_name);
    if tables.first() == main.map(|main| main.table).as_ref() { tables } else { Vec::new() }
}

/// The tables that hold objects of a type; none where its objects are told as rows.
pub(crate) fn tables_of(kind: &str) -> &'static [TableId] {
    let found = TABLES_OF.iter().find(|(known, _)| *known == kind);
    found.map_or(&[], |(_, tables)| tables)
}

/// The types whose objects are subjects, sorted.
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    TABLES_OF.iter().map(|(kind, _)| *kind)
}

/// The type of a row's table, of `table.NAME`.
pub(crate) fn row_type(kind: &str) -> Option<TableId> {
    let table = TableId::named(kind.strip_prefix(ROW_TYPE)?).ok()?;
    scope::is_definition(table).then_some(table)
}

/// Whom a row belongs to.
pub(crate) fn of_row(model: &Model, table: TableId, key: &RowKey, row: &Row) -> Subject {
    let alone = || Subject::Row { table, key: key.clone() };
    let object = |kind: &'static str, name: &str| Subject::Object { kind, name: name.to_owned() };
    let name = key.as_str();
    if table == schema::SITE {
        return if is_plain_setting(key, row) { object("site", CLUSTERSITE) } else { alone() };
    }
    if table == schema::NETWORKS {
        return match row.cell("netname") {
            Some(name)
                if row.is_live() && is_nameable("network", name) && networks(model, name).len() == 1 =>
            {
                object("network", name)
            }
            _ => alone(),
        };
    }
    let kinds: &[&str] = if table.table().key == ["node"] { &["node", "group"] } else { &[] };
    let others = TABLES_OF.iter().map(|(kind, _)| *kind).filter(|kind| !matches!(*kind, "node" | "group"));
    let owner = kinds
        .iter()
        .copied()
        .chain(others)
        .chain((table == schema::NODEGROUP).then_some("group"))
        .filter(|kind| tables_of(kind).contains(&table))
        .find(|kind| is_nameable(kind, name) && object(kind, name).exists(model));
    owner.map_or_else(alone, |kind| object(kind, name))
}

/// All subjects of a site, sorted by type and name.
pub(crate) fn all(model: &Model) -> Vec<Subject> {
    let mut found: BTreeSet<(String, Subject)> = BTreeSet::new();
    for table in model.tables().ids().filter(|table| scope::is_definition(*table)) {
        for (key, row) in model.tables().rows(table) {
            let subject = of_row(model, table, key, row);
            if matches!(subject, Subject::Object { .. }) || !is_state_alone(table, row) {
                found.insert((subject.kind(), subject));
            }
        }
    }
    found.into_iter().map(|(_, subject)| subject).collect()
}

/// Whether a row holds nothing but state.
fn is_state_alone(table: TableId, row: &Row) -> bool {
    let mut cells = row.cells().filter(|(column, _)| !table.table().key.contains(column)).peekable();
    cells.peek().is_some() && cells.all(|(column, _)| scope::is_state(table, column))
}

/// A node and the rows of their own that are about it: switch ports, dependencies …
pub(crate) fn of_node(model: &Model, node: &str) -> Vec<Subject> {
    let mut found = vec![Subject::Object { kind: "node", name: node.to_owned() }];
    for table in model.tables().ids().filter(|table| scope::is_definition(*table)) {
        let key = &table.table().key;
        if key.first() == Some(&"node") && key.len() > 1 {
            let rows = model.tables().rows_under(table, node);
            found.extend(rows.map(|(key, _)| Subject::Row { table, key: key.clone() }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_tables_that_their_names_are_keys_of() {
        let tables = |kind| tables_of(kind).iter().map(|table| table.name()).collect::<Vec<_>>();
        assert_eq!(tables("osimage"), ["osimage", "linuximage", "winimage", "nimimage"]);
        assert_eq!(tables("policy"), ["policy"]);
        assert_eq!(tables("node").first(), Some(&"nodelist"));
        assert!(!tables("node").contains(&"switch") && !tables("node").contains(&"agent"));
        assert_eq!(
            kinds().collect::<Vec<_>>().join(" "),
            "boottarget group kit kitcomponent kitrepo monitoring network node notification osdistro osdistroupdate osimage policy rack route site zone"
        );
    }
}
