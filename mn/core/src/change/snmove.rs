//! `snmove`: moving nodes from one service node to another (`ARCHITECTURE.md`, "A move").
//!
//! A move is rows of the tables `move` and `movenode` while it is under way, and each step is a
//! change of its own, so that a management node that dies in the middle finds where it stood:
//!
//! | step | change | what slices then say |
//! |---|---|---|
//! | [`begin`] | the rows, state `prepared` | target: *held*; old owner: owner |
//! | [`release`] | epochs rise, state `released` | target: held; old owner: backup |
//! | [`answer`] | attributes ([`crate::moves`]), epochs rise, state `answering` | target: owner; old owner: backup |
//! | [`finish`] | the rows go | the same |
//! | [`abort`] | the rows go; only before `answer` | old owner: owner |
//!
//! What a move makes of the definitions is what xCAT makes of them ([`crate::moves`]).
//! Which nodes it takes, and what refuses it, is in [`mod@plan`].

mod plan;
mod verdict;

use common::id::{NodeName, SnName};

pub use self::plan::{Moving, Plan, plan, postscripts};
pub use self::verdict::{Asked, Verdict, verdict};
use crate::draft::{Change, Draft};
use crate::model::Model;
use crate::moves::{IGNORE_NODES, State, attributes, by_id, key_of, node_key, nodes_of};
use crate::table::{Row, RowKey, schema as table};

/// Starts a planned move: from here on it has a number, and the target is given what it needs.
pub fn begin(model: &Model, plan: &Plan, author: &str, started: &str) -> (u64, Change) {
    let mut draft = Draft::new(model);
    // A number is never given twice: the revision rises with every change.
    let id = model.revision().next().value();
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let row = Row::new()
        .with("state", State::Prepared.word())
        .with("target", plan.target.as_str())
        .with("targetn", &optional(&plan.targetn))
        .with("source", plan.source.as_ref().map_or("", SnName::as_str))
        .with("sourcen", &optional(&plan.sourcen))
        .with("options", if plan.ignore_nodes { IGNORE_NODES } else { "" })
        .with("author", author)
        .with("started", started);
    draft.put_row(table::MOVE, &key_of(id), row);
    for moving in &plan.nodes {
        draft.put_row(table::MOVENODE, &node_key(id, &moving.node), Row::new());
    }
    (id, draft.finish())
}

/// Lets the old owners fall silent: the nodes' epochs rise.
pub fn release(model: &Model, id: u64) -> Change {
    let mut draft = Draft::new(model);
    for node in nodes_of(model, id) {
        raise_epoch(&mut draft, &node);
    }
    draft.set(table::MOVE, &key_of(id), "state", State::Released.word());
    draft.finish()
}

/// Lets the target answer: the definitions change as xCAT's `snmove` changes them.
///
/// The epochs rise once more, so that an epoch never means two states: an agent that has heard the
/// release cannot be told the old owner's state again, and one that reports this epoch has seen the
/// new one.
pub fn answer(model: &Model, id: u64) -> Change {
    let mut draft = Draft::new(model);
    if let Some(one) = by_id(model, id) {
        for node in nodes_of(model, id) {
            attributes::rewrite(&mut draft, &one, &node);
            raise_epoch(&mut draft, &node);
            let rests = if one.ignore_nodes { "1" } else { "" };
            draft.set(table::OWNERSHIP, &RowKey::one(node.as_str()), "rests", rests);
        }
        draft.set(table::MOVE, &key_of(id), "state", State::Answering.word());
    }
    draft.finish()
}

fn raise_epoch(draft: &mut Draft, node: &NodeName) {
    let key = RowKey::one(node.as_str());
    let row = draft.model().tables().row(table::OWNERSHIP, key.as_str());
    let epoch: u64 = row.and_then(|row| row.cell("epoch")?.parse().ok()).unwrap_or(1);
    draft.set(table::OWNERSHIP, &key, "epoch", &epoch.saturating_add(1).to_string());
}

/// Ends a move that has come to [`State::Answering`].
pub fn finish(model: &Model, id: u64) -> Change {
    let mut draft = Draft::new(model);
    forget(&mut draft, id);
    draft.finish()
}

/// Ends a move that must not go on. Before [`answer`] nothing has changed but epochs, which only
/// rise: the old owner answers again, in the new epoch.
pub fn abort(model: &Model, id: u64) -> Change {
    finish(model, id)
}

fn forget(draft: &mut Draft, id: u64) {
    for node in nodes_of(draft.model(), id) {
        draft.remove_row(table::MOVENODE, &node_key(id, &node));
    }
    draft.remove_row(table::MOVE, &key_of(id));
}

#[cfg(test)]
mod tests;
