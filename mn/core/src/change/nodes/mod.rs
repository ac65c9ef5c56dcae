//! `nodeadd`, `nodech`, `nodegrpch` and `noderm`: columns of nodes and groups, written by the names
//! of their tables.
//!
//! They are silent when they succeed, as xCAT's are. Different on purpose: each node is whole or
//! untouched, the model's rules count, a node is in a group at least (xCAT takes `nodeadd` without
//! groups, and then does not know the node), and what is Drover's own is not to be written.

mod group;
mod row;
mod words;

use std::collections::BTreeMap;

use serde_json::json;

use self::row::Values;
use self::words::{Assignment, Op, Words};
use super::verify::{self, Part, Refused};
use super::{Outcome, delete};
use crate::command::{Nodech, Noderm, Range};
use crate::draft::Draft;
use crate::model::Model;
use crate::object;
use crate::object::column::{self, Column};
use crate::table::attribute::{self, ObjectType};
use crate::table::{RowKey, TableId, schema};
use crate::talk::{Context, Talk};
use crate::target::range;

pub(crate) use self::group::plan as change_groups;

/// Plans `nodeadd`.
pub(crate) fn add(model: &Model, args: &Nodech, context: &Context) -> Outcome {
    verify::plan(model, args.mode, context, |draft, talk, refused| {
        let words = words::read(&args.words, talk)?;
        let names = match range::spelt(model, &args.nodes) {
            Ok(found) => {
                found.warnings.iter().for_each(|text| talk.warn(text));
                found.names
            }
            Err(refusal) => return refuse(talk, refusal),
        };
        let is_capital = |name: &&String| name.bytes().any(|b| b.is_ascii_uppercase());
        let capitals: Vec<&str> = names.iter().filter(is_capital).map(String::as_str).collect();
        if !capitals.is_empty() {
            talk.warn(&format!(
                "The node name '{}' contains capital letters which may not be resolved correctly by the dns server.",
                capitals.join(",")
            ));
        }
        let (good, bad): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| name.parse::<common::id::NodeName>().is_ok());
        for name in bad {
            let why = name.parse::<common::id::NodeName>().err();
            talk.error(&why.map_or_else(|| name.clone(), |why| why.to_string()));
        }
        write_all(draft, talk, refused, &words, good)
    })
}

/// Plans `nodech`.
pub(crate) fn change(model: &Model, args: &Nodech, context: &Context) -> Outcome {
    verify::plan(model, args.mode, context, |draft, talk, refused| {
        let nodes = existing(model, args.nodes.clone(), talk)?;
        if args.delete {
            return Some(delete_rows(draft, talk, refused, &args.words, nodes));
        }
        let words = words::read(&args.words, talk)?;
        write_all(draft, talk, refused, &words, nodes)
    })
}

/// Plans `noderm`.
pub(crate) fn remove(model: &Model, args: &Noderm, context: &Context) -> Outcome {
    verify::plan(model, args.mode, context, |draft, talk, refused| {
        let nodes = existing(model, args.nodes.clone(), talk)?;
        let kind = kind("node")?;
        let discovered = discovered(model);
        let (mut parts, mut going) = (Vec::new(), delete::Nodes::default());
        for name in nodes {
            if let Some(reason) = refused.reason(&name) {
                talk.error(reason);
                continue;
            }
            going.take(draft.model(), kind, &name);
            for (table, key) in discovered.get(&name).into_iter().flatten() {
                going.take_row(*table, key.clone());
            }
            talk.record(|| json!({"node": name, "result": "removed"}));
            parts.push(Part { kind, name, is_new: false });
        }
        going.remove(draft);
        Some(parts)
    })
}

/// The rows that name a node in a column that is not their key: what was found at discovery. Logs
/// keep what they say of nodes that are gone.
fn discovered(model: &Model) -> BTreeMap<String, Vec<(TableId, RowKey)>> {
    let mut found: BTreeMap<String, Vec<(TableId, RowKey)>> = BTreeMap::new();
    if let Ok(table) = TableId::named("discoverydata") {
        for (key, row) in model.tables().rows(table) {
            if let Some(node) = row.cell("node") {
                found.entry(node.to_owned()).or_default().push((table, key.clone()));
            }
        }
    }
    found
}

/// The nodes of a range, all of which must exist; none, and said why, where the range is refused.
fn existing(model: &Model, range: Range, talk: &mut Talk<'_>) -> Option<Vec<String>> {
    match range::nodes(model, &range) {
        Ok(found) => {
            found.warnings.iter().for_each(|text| talk.warn(text));
            Some(found.nodes.iter().map(ToString::to_string).collect())
        }
        Err(refusal) => refuse(talk, refusal),
    }
}

/// A refusal of the whole command in xCAT's frame, which names no server.
fn refuse<T>(talk: &mut Talk<'_>, refusal: common::report::Refusal) -> Option<T> {
    talk.refuse(&refusal);
    None
}

fn kind(name: &str) -> Option<&'static ObjectType> {
    attribute::object_type(name)
}

/// Writes what the words say to each node for which the criteria hold.
fn write_all(
    draft: &mut Draft,
    talk: &mut Talk<'_>,
    refused: &Refused,
    words: &Words,
    nodes: Vec<String>,
) -> Option<Vec<Part>> {
    let kind = kind("node")?;
    say_dynamic(draft.model(), &words.assignments, talk);
    let mut parts = Vec::new();
    for name in nodes {
        if !words.criteria.iter().all(|(column, wanted)| column::holds(draft.model(), *column, &name, wanted))
        {
            continue;
        }
        let is_new = !draft.model().has_node(&name);
        let savepoint = draft.savepoint();
        let written = match refused.reason(&name) {
            Some(reason) => Err(reason.to_owned()),
            None => write_node(draft, &name, &words.assignments),
        };
        match written {
            Ok(()) if draft.is_changed_since(savepoint) => {
                let result = if is_new { "created" } else { "modified" };
                talk.record(|| json!({"node": name, "result": result}));
                parts.push(Part { kind, name, is_new });
            }
            Ok(()) => {}
            Err(text) => {
                draft.rollback(savepoint);
                talk.error(&text);
                talk.record(|| json!({"node": name, "result": "refused", "reason": text}));
            }
        }
    }
    Some(parts)
}

fn write_node(draft: &mut Draft, name: &str, assignments: &[Assignment]) -> Result<(), String> {
    let values = values_of(draft.model(), name, assignments);
    let gets_groups = || {
        let cells = values.get(&schema::NODELIST).into_iter().flatten();
        cells.clone().any(|(column, value)| *column == "groups" && !value.is_empty())
    };
    if !draft.model().has_node(name) && !gets_groups() {
        return Err(format!(
            "Attribute 'groups' is not specified for node '{name}', skipping to the next node."
        ));
    }
    row::write(draft, name, &values)
}

/// What the columns of a node hold afterwards; those that stay as they are are left out.
fn values_of(model: &Model, name: &str, assignments: &[Assignment]) -> Values {
    let mut after: BTreeMap<Column, String> = BTreeMap::new();
    for assignment in assignments {
        let column = assignment.column;
        let held = match (after.get(&column), assignment.op) {
            (Some(value), _) => value.clone(),
            (None, Op::Set) => String::new(),
            (None, Op::Add | Op::Remove) => held(model, name, column),
        };
        if let Some(value) = assignment.apply(&held) {
            after.insert(column, value);
        }
    }
    let mut values = Values::new();
    for (column, value) in after {
        values.entry(column.table).or_default().push((column.name, value));
    }
    values
}

/// What holds for a node, its own or inherited; of several rows, the first.
fn held(model: &Model, name: &str, column: Column) -> String {
    let records = model.records(column.table, name, &[column.name]);
    records.first().and_then(|record| record.value(0)).unwrap_or_default().to_owned()
}

/// Says which groups are dynamic: being in one is not a node's to be told.
fn say_dynamic(model: &Model, assignments: &[Assignment], talk: &mut Talk<'_>) {
    let is_groups = |one: &&Assignment| {
        one.op == Op::Set && one.column.table == schema::NODELIST && one.column.name == "groups"
    };
    for group in assignments.iter().filter(is_groups).flat_map(Assignment::items) {
        if object::cell(model, schema::NODEGROUP, group, "grouptype") == Some("dynamic") {
            // The blank line is xCAT's.
            talk.info(format!(
                "nodegroup {group} is a dynamic node group, should not add a node into a dynamic node group statically.\n"
            ));
        }
    }
}

/// `nodech -d`: the nodes' rows of some tables go.
fn delete_rows(
    draft: &mut Draft,
    talk: &mut Talk<'_>,
    refused: &Refused,
    words: &[String],
    nodes: Vec<String>,
) -> Vec<Part> {
    let Some(kind) = kind("node") else { return Vec::new() };
    let tables = tables_of(words, talk);
    let mut parts = Vec::new();
    for name in nodes {
        if let Some(reason) = refused.reason(&name) {
            talk.error(reason);
            continue;
        }
        let savepoint = draft.savepoint();
        tables.iter().for_each(|table| row::remove(draft, *table, &name));
        if draft.is_changed_since(savepoint) {
            talk.record(|| json!({"node": name, "result": "modified"}));
            parts.push(Part { kind, name, is_new: false });
        }
    }
    parts
}

/// The tables that `-d` names; what is none is said.
fn tables_of(words: &[String], talk: &mut Talk<'_>) -> Vec<TableId> {
    let mut tables = Vec::new();
    for word in words {
        if word.contains(['=', '.']) {
            talk.error(". and = not valid in delete mode.");
            continue;
        }
        match TableId::named(word).ok().filter(|table| table.table().is_of_nodes()) {
            None => talk.error(&format!("ERROR: Unable to open table {word} in configuration")),
            Some(table) if table.table().own => {
                talk.error(&format!("{table} is kept by the management node itself, and not to be written"));
            }
            Some(table) => tables.push(table),
        }
    }
    tables
}

#[cfg(test)]
mod tests;
