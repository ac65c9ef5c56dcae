//! `rmdef`, and the removal of one object with all of its rows.

use std::collections::BTreeSet;

use common::id::NodeName;
use common::wire::join::Kind;
use serde_json::json;

use super::Outcome;
use super::verify::{self, Part};
use crate::command::Rmdef;
use crate::draft::Draft;
use crate::model::Model;
use crate::table::attribute::{self, Attribute, ObjectType, Selector};
use crate::table::{Row, RowKey, TableId, schema};
use crate::talk::{Context, Talk};
use crate::{member, object, target};

/// Plans `rmdef`.
pub(crate) fn plan(model: &Model, args: &Rmdef, context: &Context) -> Outcome {
    verify::plan(model, args.mode, context, |draft, talk, refused| {
        let found = targets_of(model, args, talk)?;
        let nodes = found.iter().filter(|(kind, _)| kind.name == "node");
        let going: BTreeSet<String> = nodes.map(|(_, name)| name.clone()).collect();
        let (mut parts, mut missing) = (Vec::new(), 0);
        let mut nodes = Nodes::default();
        for (kind, name) in found {
            if kind.name != "node" {
                // A group leaves the lists of its members, which are no more where they go too.
                nodes.remove(draft);
            }
            if nodes.contains(&name) || !object::exists(draft.model(), kind, &name) {
                // With several types, a name need be of one of them only.
                if is_of_another(model, args, kind, &name) {
                    continue;
                }
                talk.error(&target::missing(model, kind, &name, missing));
                missing += 1;
            } else if kind.name == "node" && !args.force && is_needed(model, &name, &going, talk) {
                talk.record(|| json!({"type": kind.name, "name": name, "result": "refused"}));
            } else if !refused.contains(&name) {
                match kind.name {
                    "node" => nodes.take(draft.model(), kind, &name),
                    _ => remove(draft, kind, &name),
                }
                talk.record(|| json!({"type": kind.name, "name": name, "result": "removed"}));
                parts.push(Part { kind, name, is_new: false });
            }
        }
        nodes.remove(draft);
        conclude(args, &parts, talk);
        Some(parts)
    })
}

/// Whether there is an object of this name among those of the other types that were named.
fn is_of_another(model: &Model, args: &Rmdef, kind: &ObjectType, name: &str) -> bool {
    let others = args.types.iter().filter(|other| *other != kind.name);
    others.filter_map(|other| attribute::object_type(other)).any(|other| object::exists(model, other, name))
}

/// Nodes that go together. Taken out one by one, each row of each would be followed by the indexes on
/// its own.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    places: Option<Places>,
    names: BTreeSet<String>,
    rows: Vec<(TableId, RowKey, Option<Row>)>,
}

impl Nodes {
    /// Whether a node is among them.
    fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Adds a node.
    pub(super) fn take(&mut self, model: &Model, kind: &'static ObjectType, name: &str) {
        self.names.insert(name.to_owned());
        let places = self.places.get_or_insert_with(|| Places::of(model, kind));
        self.rows.extend(places.rows(model, name).into_iter().map(|(table, key)| (table, key, None)));
    }

    /// Adds a row that is about one of them.
    pub(super) fn take_row(&mut self, table: TableId, key: RowKey) {
        self.rows.push((table, key, None));
    }

    /// Removes every row of theirs.
    pub(super) fn remove(&mut self, draft: &mut Draft) {
        if !self.rows.is_empty() {
            draft.put_all(std::mem::take(&mut self.rows));
        }
        self.names.clear();
    }
}

/// Whether a service node still owns nodes that stay; then nobody would answer them, and it is
/// said how to go on. Where it is a backup only, it is said and nothing more.
fn is_needed(model: &Model, name: &str, going: &BTreeSet<String>, talk: &mut Talk<'_>) -> bool {
    /// How many nodes are named.
    const NAMED: usize = 5;
    let staying = model.served_by(name).filter(|node| !going.contains(node.as_str()));
    let is_owner =
        |node: &&NodeName| model.pool(node.as_str()).first().is_some_and(|owner| owner.as_str() == name);
    let (owned, backed): (Vec<&NodeName>, Vec<&NodeName>) = staying.partition(is_owner);
    let list = |nodes: &[&NodeName]| {
        let names: Vec<&str> = nodes.iter().take(NAMED).map(|node| node.as_str()).collect();
        let more = if nodes.len() > NAMED { ", …" } else { "" };
        format!("{} nodes ({}{more})", nodes.len(), names.join(","))
    };
    if !owned.is_empty() {
        talk.error(&format!("The service node '{name}' still owns {} and is not removed.", list(&owned)));
        let to = model.service_nodes().into_iter().find(|sn| sn.as_str() != name);
        let to = to.map_or_else(|| "SN".to_owned(), |sn| sn.to_string());
        talk.hint(format!("  try      snmove -s {name} -d {to}, or -f to remove it all the same"));
        return true;
    }
    if !backed.is_empty() {
        talk.warn(&format!(
            "The service node '{name}' was a backup of {}: their servicenode still names it.",
            list(&backed)
        ));
    }
    false
}

/// The objects that are named; none when the command as a whole is refused.
fn targets_of(
    model: &Model,
    args: &Rmdef,
    talk: &mut Talk<'_>,
) -> Option<Vec<(&'static ObjectType, String)>> {
    if !args.all {
        let found = target::named(model, &args.types, args.objects.as_ref(), talk)?;
        if !args.force && found.iter().any(|(kind, _)| kind.name == "site") {
            talk.error("Removing the site removes all of its settings; use the '-f' option to do it.");
            return None;
        }
        return Some(found);
    }
    if !args.force {
        talk.error("You must use the '-f' option when using the '-a' option.");
        return None;
    }
    let kinds = target::kinds(&args.types, talk)?;
    let is_meant = |kind: &&ObjectType| {
        // Without -t, who may do what and what the site is stay: else nobody could repair it.
        if args.types.is_empty() {
            !matches!(kind.name, "site" | "policy")
        } else {
            kinds.iter().any(|meant| meant.name == kind.name)
        }
    };
    let all = attribute::object_types().filter(is_meant);
    Some(all.flat_map(|kind| object::names(model, kind).into_iter().map(move |name| (kind, name))).collect())
}

fn conclude(args: &Rmdef, removed: &[Part], talk: &mut Talk<'_>) {
    if removed.is_empty() {
        talk.info("No objects have been removed from the xCAT database.");
    } else if args.verbose {
        talk.info("The following objects were removed:");
        removed.iter().for_each(|part| talk.info(part.name.clone()));
    } else {
        talk.info(format!("{} object definitions have been removed.", removed.len()));
    }
}

/// Removes every row of an object. A group also goes out of its members' lists.
pub(crate) fn remove(draft: &mut Draft, kind: &'static ObjectType, name: &str) {
    if kind.name == "group" {
        let members: Vec<_> = draft.model().members(name).into_iter().map(|node| node.to_string()).collect();
        for node in members {
            super::define::group::leave(draft, &node, name);
        }
    }
    for (table, key) in rows_of(draft.model(), kind, name) {
        draft.remove_row(table, &key);
    }
}

/// All rows that are about an object.
pub(super) fn rows_of(model: &Model, kind: &'static ObjectType, name: &str) -> BTreeSet<(TableId, RowKey)> {
    Places::of(model, kind).rows(model, name)
}

/// Where rows that are about objects of a type may stand: found once for many objects.
#[derive(Clone, Debug)]
struct Places {
    kind: &'static ObjectType,
    /// Attributes of tables that have rows. Many are of one row, which is looked for once.
    attributes: Vec<&'static Attribute>,
    /// Tables of which all rows whose key begins with the name are the object's.
    tables: Vec<TableId>,
}

impl Places {
    /// The epoch of a node (`ownership`) stays when the node goes: a node that comes back under its
    /// name must not be answered for under an epoch that its agent has seen the end of.
    fn of(model: &Model, kind: &'static ObjectType) -> Self {
        let is_kept =
            |table| table == schema::OWNERSHIP || (kind.name == "group" && table == schema::NODELIST);
        let mut tables: Vec<TableId> = Vec::new();
        if matches!(kind.name, "node" | "group") {
            let of_nodes = model.tables().ids().filter(|table| table.table().key.first() == Some(&"node"));
            tables.extend(of_nodes.filter(|table| !is_kept(*table)));
        }
        if kind.name == "node" {
            tables.push(schema::SNADDRESS);
        }
        if kind.name == "monitoring" {
            tables.push(schema::MONSETTING);
        }
        let mut attributes: Vec<&Attribute> = Vec::new();
        for attribute in &kind.attributes {
            let first = attribute.table.table().key.first();
            let by_name =
                matches!(attribute.row.as_slice(), [(column, Selector::Name)] if Some(column) == first);
            let is_looked_at = (by_name && tables.contains(&attribute.table))
                || attributes.iter().any(|a| (a.table, &a.row) == (attribute.table, &attribute.row));
            if !is_looked_at && model.tables().count(attribute.table) > 0 {
                attributes.push(attribute);
            }
        }
        Self { kind, attributes, tables }
    }

    fn rows(&self, model: &Model, name: &str) -> BTreeSet<(TableId, RowKey)> {
        let tables = model.tables();
        if self.kind.name == "site" {
            return tables.rows(schema::SITE).map(|(key, _)| (schema::SITE, key.clone())).collect();
        }
        let mut found = BTreeSet::new();
        for attribute in &self.attributes {
            let rows = object::rows(model, attribute, name);
            found.extend(rows.into_iter().map(|(key, _)| (attribute.table, key.clone())));
        }
        for table in &self.tables {
            found.extend(tables.rows_under(*table, name).map(|(key, _)| (*table, key.clone())));
        }
        if self.kind.name == "node" {
            // A removed node is a stranger at once: its certificate and its token go with it, as a
            // node and as a service node.
            for table in [schema::MEMBER, schema::JOINTOKEN] {
                let keys = [Kind::Agent, Kind::ServiceNode].map(|kind| member::row_key(kind, name));
                let there = keys.into_iter().filter(|key| tables.row(table, key.as_str()).is_some());
                found.extend(there.map(|key| (table, key)));
            }
        }
        found
    }
}
