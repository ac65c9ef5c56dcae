//! `nodegrpch`: columns are set for a group, and its members lose what they say of them
//! themselves, so that the group's word counts.
//!
//! Different on purpose: a dynamic group and a node are refused. Nothing is inherited from either,
//! so that the members would lose their values and gain none.

use serde_json::json;

use super::kind;
use super::row::{self, Values};
use super::words::{self, Op};
use crate::change::Outcome;
use crate::change::verify::{self, Part};
use crate::command::Nodech;
use crate::draft::Draft;
use crate::model::Model;
use crate::object;
use crate::table::schema;
use crate::talk::{Context, Talk};

/// Plans `nodegrpch`.
pub(crate) fn plan(model: &Model, args: &Nodech, context: &Context) -> Outcome {
    verify::plan(model, args.mode, context, |draft, talk, refused| {
        let kind = kind("group")?;
        let values = values_of(&args.words, talk)?;
        let mut parts = Vec::new();
        for name in args.nodes.text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let savepoint = draft.savepoint();
            let written = match refused.reason(name) {
                Some(reason) => Err(reason.to_owned()),
                None => write(draft, name, &values),
            };
            if let Err(text) = written {
                draft.rollback(savepoint);
                talk.error(&text);
                talk.record(|| json!({"group": name, "result": "refused", "reason": text}));
            } else if draft.is_changed_since(savepoint) {
                talk.record(|| json!({"group": name, "result": "modified"}));
                parts.push(Part { kind, name: name.to_owned(), is_new: false });
            }
        }
        Some(parts)
    })
}

/// What is set; none, and said why, where the words ask for what this command does not do.
fn values_of(words: &[String], talk: &mut Talk<'_>) -> Option<Values> {
    let words = words::read(words, talk)?;
    let mut values = Values::new();
    let wrong = words.assignments.iter().find_map(|one| {
        let column = one.column;
        if one.op != Op::Set {
            Some(",= and ^= are not supported by nodegrpch".to_owned())
        } else if column.table == schema::NODELIST {
            Some(match column.name {
                "groups" => "Group membership is not changeable via nodegrpch".to_owned(),
                _ => format!("{column} is not inherited: set it for the nodes, with nodech"),
            })
        } else if column.table.table().key.contains(&column.name) {
            Some(format!("{column} is what tells the rows of a node apart; use chtab"))
        } else {
            None
        }
    });
    if let Some(text) = wrong {
        talk.error(&text);
        return None;
    }
    if !words.criteria.is_empty() {
        talk.error("criteria mean nothing to a group; select the nodes with nodech");
        return None;
    }
    for one in &words.assignments {
        let cells = values.entry(one.column.table).or_default();
        cells.retain(|(name, _)| *name != one.column.name);
        cells.push((one.column.name, one.apply("").unwrap_or_default()));
    }
    Some(values)
}

fn write(draft: &mut Draft, name: &str, values: &Values) -> Result<(), String> {
    let model = draft.model();
    if object::cell(model, schema::NODEGROUP, name, "grouptype") == Some("dynamic") {
        return Err(format!("the group '{name}' is dynamic: its members inherit nothing from it"));
    }
    if model.has_node(name) && !model.has_group(name) {
        return Err(format!("{name} is a node and no group\n  try      nodech {name}"));
    }
    let members = model.members(name);
    row::write(draft, name, values)?;
    let mut nothing = values.clone();
    nothing.values_mut().flatten().for_each(|(_, value)| value.clear());
    members
        .iter()
        .filter(|node| node.as_str() != name)
        .try_for_each(|node| row::write(draft, node.as_str(), &nothing))
}
