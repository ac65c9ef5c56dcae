//! Groups: their members, static and dynamic.
//!
//! A static group is what its nodes' `nodelist.groups` say; a dynamic one is a condition in
//! `nodegroup.wherevals`, looked at whenever the group is asked for.

use std::collections::BTreeSet;

use crate::change::{Define, Draft, ListEdit, Range, Talk};
use crate::model::Model;
use crate::query::object::{self, cell};
use crate::query::range;
use crate::query::select::{self, Selection};
use crate::table::{RowKey, attribute, schema};

/// What is said of a group's members.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// `members=`, as typed.
    range: Option<String>,
    /// `wherevals=`, or the `-w` options.
    wherevals: Option<String>,
    /// Whether it is (to be) dynamic.
    is_dynamic: bool,
}

/// A refusal that leaves the group as it was.
type Refuse = String;

impl Members {
    /// Takes what is about members out of a group's attributes.
    pub(super) fn take(args: &Define, attributes: &mut Vec<(String, String)>, was_dynamic: bool) -> Self {
        let mut members = Self { is_dynamic: args.dynamic || was_dynamic, range: None, wherevals: None };
        attributes.retain(|(name, value)| {
            match name.as_str() {
                "members" => members.range = Some(value.clone()),
                "wherevals" => members.wherevals = Some(value.clone()),
                "grouptype" => members.is_dynamic = value == "dynamic",
                _ => return true,
            }
            false
        });
        if !args.select.is_empty() {
            members.wherevals = Some(args.select.join("::"));
        }
        members
    }

    /// Writes them. Names that do not exist are said, and the others become members.
    pub(super) fn write(
        &self,
        draft: &mut Draft,
        group: &str,
        has_others: bool,
        list: ListEdit,
        talk: &mut Talk<'_>,
    ) -> Result<(), Refuse> {
        let is_new = !draft.model().has_group(group);
        if self.is_dynamic {
            return self.write_dynamic(draft, group, has_others);
        }
        let key = RowKey::one(group);
        if is_new || cell(draft.model(), schema::NODEGROUP, group, "grouptype").is_some() {
            draft.set(schema::NODEGROUP, &key, "grouptype", "static");
            draft.set(schema::NODEGROUP, &key, "members", "static");
        }
        let nodes = match (&self.range, &self.wherevals) {
            (Some(range), _) => known(draft.model(), range, talk)?,
            (None, Some(wherevals)) => matching(draft.model(), wherevals)?,
            (None, None) => {
                if is_new {
                    talk.warn(&format!("Cannot determine a member list for group '{group}'."));
                }
                return Ok(());
            }
        };
        set_members(draft, group, &nodes, list);
        Ok(())
    }

    fn write_dynamic(&self, draft: &mut Draft, group: &str, has_others: bool) -> Result<(), Refuse> {
        if has_others {
            return Err(format!(
                "The group '{group}' is dynamic: it takes no attributes but its conditions."
            ));
        }
        if self.range.is_some() {
            return Err(format!(
                "The group '{group}' is dynamic: its members follow from -w, not from members=."
            ));
        }
        let held = cell(draft.model(), schema::NODEGROUP, group, "wherevals").map(str::to_owned);
        let Some(wherevals) = self.wherevals.clone().or(held).filter(|text| !text.is_empty()) else {
            return Err(format!(
                "The 'where' attributes and values were not provided for dynamic group '{group}'."
            ));
        };
        parse(&wherevals)?;
        let key = RowKey::one(group);
        draft.set(schema::NODEGROUP, &key, "grouptype", "dynamic");
        draft.set(schema::NODEGROUP, &key, "members", "dynamic");
        draft.set(schema::NODEGROUP, &key, "wherevals", &wherevals);
        Ok(())
    }
}

/// The nodes of a noderange that exist; the others are said.
fn known(model: &Model, text: &str, talk: &mut Talk<'_>) -> Result<Vec<String>, Refuse> {
    let range::Names { mut names, warnings } = range::names(model, &Range::new(text))?;
    warnings.iter().for_each(|text| talk.warn(text));
    names.retain(|name| {
        let is_known = model.has_node(name);
        if !is_known {
            talk.error(&format!("Could not find an object named '{name}' of type 'node'."));
        }
        is_known
    });
    Ok(names)
}

/// The nodes for which all conditions hold now.
fn matching(model: &Model, wherevals: &str) -> Result<Vec<String>, Refuse> {
    let selections = parse(wherevals)?;
    let Some(kind) = attribute::object_type("node") else { return Ok(Vec::new()) };
    let holds = |node: &str| {
        selections
            .iter()
            .all(|s| object::value(model, kind, node, &s.name).is_some_and(|value| s.holds(&value)))
    };
    Ok(object::names(model, kind).into_iter().filter(|node| holds(node)).collect())
}

/// The conditions of `a==b::c=~d`.
fn parse(wherevals: &str) -> Result<Vec<Selection>, Refuse> {
    wherevals
        .split("::")
        .map(|text| {
            if select::split(text).is_none() {
                return Err("Incorrect selection string specified with -w flag.".to_owned());
            }
            Selection::parse(text).map_err(|error| error.to_string())
        })
        .collect()
}

fn set_members(draft: &mut Draft, group: &str, nodes: &[String], list: ListEdit) {
    if list == ListEdit::Remove {
        nodes.iter().for_each(|node| leave(draft, node, group));
        return;
    }
    if list == ListEdit::Replace {
        let wanted: BTreeSet<&str> = nodes.iter().map(String::as_str).collect();
        let held: Vec<String> =
            draft.model().members(group).into_iter().map(|node| node.to_string()).collect();
        held.iter().filter(|node| !wanted.contains(node.as_str())).for_each(|node| leave(draft, node, group));
    }
    nodes.iter().for_each(|node| join(draft, node, group));
}

/// Appends a group to a node's groups.
fn join(draft: &mut Draft, node: &str, group: &str) {
    let mut groups = groups_of(draft.model(), node);
    if !groups.iter().any(|known| known == group) {
        groups.push(group.to_owned());
        draft.set(schema::NODELIST, &RowKey::one(node), "groups", &groups.join(","));
    }
}

/// Takes a group out of a node's groups.
pub(crate) fn leave(draft: &mut Draft, node: &str, group: &str) {
    let mut groups = groups_of(draft.model(), node);
    let before = groups.len();
    groups.retain(|known| known != group);
    if groups.len() != before {
        draft.set(schema::NODELIST, &RowKey::one(node), "groups", &groups.join(","));
    }
}

fn groups_of(model: &Model, node: &str) -> Vec<String> {
    let groups = cell(model, schema::NODELIST, node, "groups").unwrap_or_default();
    groups.split(',').map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect()
}
