//! Groups: their members, static and dynamic.
//!
//! A static group is what its nodes' `nodelist.groups` say; a dynamic one is a condition in
//! `nodegroup.wherevals`, looked at whenever the group is asked for.

use std::collections::BTreeSet;

use super::{Fault, Verb, list};
use crate::command::{Define, ListEdit, Range};
use crate::draft::Draft;
use crate::model::Model;
use crate::object::{self, cell, select};
use crate::table::{RowKey, schema, value};
use crate::talk::Talk;
use crate::target::range;

/// What is said of a group's members.
#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    group: &'a str,
    kind: Kind,
    /// Whether the group has no row of its own yet and is to have one.
    is_new: bool,
    /// Whether `mkdef` makes it, which says where nobody is in it; `chdef` does not.
    is_made: bool,
}

/// How the members are meant.
#[derive(Clone, Debug)]
enum Kind {
    /// By these conditions, `::` between them; empty where nothing is said.
    Dynamic(String),
    /// The nodes of a noderange, which may be empty.
    Static(String),
    /// The nodes for which conditions hold now.
    Selected(String),
    /// Nothing is said.
    Unsaid,
}

impl<'a> Members<'a> {
    /// Takes what is about members out of a group's attributes.
    pub(super) fn take(
        model: &Model,
        verb: Verb,
        args: &Define,
        group: &'a str,
        attributes: &mut Vec<(String, String)>,
    ) -> Result<Self, Fault> {
        let held = cell(model, schema::NODEGROUP, group, "grouptype");
        // A group that `mkdef -f` replaces is gone by now.
        let is_there = verb == Verb::Change && model.has_group(group);
        let has_attributes = !attributes.is_empty();
        let mut take = |wanted: &str| {
            let at = attributes.iter().position(|(name, _)| name == wanted)?;
            Some(attributes.remove(at).1)
        };
        let (range, wherevals, grouptype) = (take("members"), take("wherevals"), take("grouptype"));
        let refusal = |word: &String| value::of(schema::NODEGROUP, "grouptype").kind.refusal(word);
        if let Some(why) = grouptype.as_ref().and_then(refusal) {
            let word = grouptype.unwrap_or_default();
            return Err(Fault::hard(format!(
                "grouptype={word} cannot be used for the group '{group}': {why}"
            )));
        }
        let is_said_dynamic = grouptype.as_deref() == Some("dynamic");
        let is_dynamic = match is_there {
            true => held == Some("dynamic"),
            false => is_said_dynamic || grouptype.is_none() && args.dynamic,
        };
        let wherevals = match args.select.as_slice() {
            [] => wherevals,
            selections => Some(selections.join("::")),
        };
        let kind = if is_dynamic || is_there && is_said_dynamic {
            // What `lsdef -z` shows of one is taken back: it says that the group is dynamic.
            if !attributes.is_empty() || has_attributes && !is_said_dynamic {
                return Err(Fault::hard(format!(
                    "Can not assign attributes to dynamic node group '{group}'."
                )));
            }
            Kind::Dynamic(wherevals.unwrap_or_default())
        } else if args.dynamic && has_attributes {
            return Err(Fault::hard(format!("Can not assign attributes to dynamic node group '{group}'.")));
        } else {
            match (range.filter(|range| range != "static"), wherevals) {
                (Some(range), _) if !range.is_empty() && !args.select.is_empty() => {
                    let text = "Cannot use a list of members together with the '-w' option.";
                    return Err(Fault::hard(text));
                }
                (Some(range), _) => Kind::Static(range),
                (None, Some(wherevals)) if !wherevals.is_empty() => Kind::Selected(wherevals),
                _ => Kind::Unsaid,
            }
        };
        Ok(Self { group, kind, is_new: !is_there, is_made: verb == Verb::Make })
    }

    /// Writes them; whether anything was written. Names that do not exist are said, and the others
    /// become members.
    pub(super) fn write(
        &self,
        draft: &mut Draft,
        list: ListEdit,
        talk: &mut Talk<'_>,
    ) -> Result<bool, Fault> {
        let group = self.group;
        let key = RowKey::one(group);
        let nodes = match &self.kind {
            Kind::Dynamic(wherevals) => return self.write_dynamic(draft, wherevals, list),
            Kind::Static(range) => known(draft.model(), range, talk)?,
            Kind::Selected(wherevals) => selected(draft.model(), wherevals)?,
            Kind::Unsaid => {
                if self.is_new {
                    draft.set(schema::NODEGROUP, &key, "grouptype", "static");
                    if self.is_made {
                        talk.warn(&format!("Cannot determine a member list for group '{group}'."));
                    }
                }
                return Ok(self.is_new);
            }
        };
        // Somebody was meant and nobody is: a name that was mistyped is not to cost the group its members.
        let is_nobody = nodes.is_empty() && !matches!(&self.kind, Kind::Static(range) if range.is_empty());
        let has_row = cell(draft.model(), schema::NODEGROUP, group, "grouptype").is_some();
        // xCAT takes them from the column of the group's own row.
        if is_nobody && list == ListEdit::Remove && !has_row {
            return Err(list::no_value("members", group));
        }
        if self.is_new || has_row {
            draft.set(schema::NODEGROUP, &key, "grouptype", "static");
            draft.set(schema::NODEGROUP, &key, "members", "static");
        }
        // As xCAT does, `chdef` keeps the conditions by which members were once selected.
        if let (Kind::Selected(wherevals), false, ListEdit::Replace) = (&self.kind, self.is_made, list) {
            draft.set(schema::NODEGROUP, &key, "grouptype", "static");
            draft.set(schema::NODEGROUP, &key, "wherevals", wherevals);
        }
        if is_nobody && list == ListEdit::Replace && !self.is_new && !self.is_made {
            return Ok(true);
        }
        Ok(set_members(draft, group, &nodes, list, talk))
    }

    fn write_dynamic(&self, draft: &mut Draft, said: &str, list: ListEdit) -> Result<bool, Fault> {
        let group = self.group;
        let held = cell(draft.model(), schema::NODEGROUP, group, "wherevals").unwrap_or_default();
        if said.is_empty() && !held.is_empty() {
            return Ok(false);
        }
        let (wherevals, absent) = match list {
            ListEdit::Replace => (said.to_owned(), Vec::new()),
            _ => list::merged(held, said, "::", list),
        };
        if !absent.is_empty() {
            return Err(list::not_there(&absent, "wherevals", group));
        }
        if wherevals.is_empty() {
            return Err(Fault::no_condition(group));
        }
        select::parse_all(&wherevals).map_err(|error| error.to_string())?;
        let key = RowKey::one(group);
        draft.set(schema::NODEGROUP, &key, "grouptype", "dynamic");
        draft.set(schema::NODEGROUP, &key, "members", "dynamic");
        draft.set(schema::NODEGROUP, &key, "wherevals", &wherevals);
        Ok(true)
    }
}

/// The nodes of a noderange that exist; the others are said.
fn known(model: &Model, text: &str, talk: &mut Talk<'_>) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let range::Names { mut names, warnings } = range::names(model, &Range::new(text))?;
    warnings.iter().for_each(|text| talk.warn(text));
    names.retain(|name| {
        let is_known = model.has_node(name);
        if !is_known {
            talk.error(&format!("Could not find a node named '{name}', skipping to the next node."));
        }
        is_known
    });
    Ok(names)
}

/// The nodes for which all conditions hold now.
fn selected(model: &Model, wherevals: &str) -> Result<Vec<String>, String> {
    let selections = select::parse_all(wherevals).map_err(|error| error.to_string())?;
    Ok(object::selected(model, &selections))
}

/// Whether something was done: who is in a group already is in it again, and who is not cannot leave.
fn set_members(
    draft: &mut Draft,
    group: &str,
    nodes: &[String],
    list: ListEdit,
    talk: &mut Talk<'_>,
) -> bool {
    if list == ListEdit::Remove {
        let mut has_left = false;
        for node in nodes {
            match leave(draft, node, group) {
                true => has_left = true,
                false => talk.error(&format!("{node} is not a member of '{group}'.")),
            }
        }
        return has_left;
    }
    if list == ListEdit::Replace {
        let wanted: BTreeSet<&str> = nodes.iter().map(String::as_str).collect();
        let held: Vec<String> =
            draft.model().members(group).into_iter().map(|node| node.to_string()).collect();
        for node in held.iter().filter(|node| !wanted.contains(node.as_str())) {
            leave(draft, node, group);
        }
    }
    nodes.iter().for_each(|node| join(draft, node, group));
    true
}

/// Appends a group to a node's groups.
pub(crate) fn join(draft: &mut Draft, node: &str, group: &str) {
    let mut groups = groups_of(draft.model(), node);
    if !groups.iter().any(|known| known == group) {
        groups.push(group.to_owned());
        draft.set(schema::NODELIST, &RowKey::one(node), "groups", &groups.join(","));
    }
}

/// Takes a group out of a node's groups; whether it was there.
pub(crate) fn leave(draft: &mut Draft, node: &str, group: &str) -> bool {
    let mut groups = groups_of(draft.model(), node);
    let before = groups.len();
    groups.retain(|known| known != group);
    if groups.len() == before {
        return false;
    }
    draft.set(schema::NODELIST, &RowKey::one(node), "groups", &groups.join(","));
    true
}

fn groups_of(model: &Model, node: &str) -> Vec<String> {
    let groups = cell(model, schema::NODELIST, node, "groups").unwrap_or_default();
    groups.split(',').map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect()
}
