//! `snmove`: moving nodes from one service node to another (`ARCHITECTURE.md`, "A move").
//!
//! A move is rows of the tables `move` and `movenode` while it is under way, and each step is a
//! change of its own, so that a management node that dies in the middle finds where it stood:
//!
//! | step | change | what slices then say |
//! |---|---|---|
//! | [`begin`] | the rows, state `prepared` | target: *held*; old owner: owner |
//! | [`release`] | epochs rise, state `released` | target: held; old owner: backup |
//! | [`answer`] | attributes ([`attributes`]), epochs rise, state `answering` | target: owner; old owner: backup |
//! | [`finish`] | the rows go | the same |
//! | [`abort`] | the rows go; only before `answer` | old owner: owner |
//!
//! What a move makes of the definitions is what xCAT makes of them ([`attributes`]).
//! Which nodes it takes, and what refuses it, is in [`mod@plan`].

mod attributes;
mod plan;
mod verdict;

use common::id::{NodeName, SnName};

pub use self::plan::{Moving, Plan, plan, postscripts};
pub use self::verdict::{Asked, Verdict, verdict};
use super::{Change, Draft};
use crate::model::Model;
use crate::table::{Row, RowKey, schema as table};

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The target is being given everything; nothing has changed for anyone.
    Prepared,
    /// The old owners have been told to fall silent, in a new epoch.
    Released,
    /// The definitions name the target.
    Answering,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Released => "released",
            Self::Answering => "answering",
        }
    }
}

/// A move under way, as its row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its number.
    pub id: u64,
    /// How far it is.
    pub state: State,
    /// The service node that takes.
    pub target: SnName,
    /// `-D`: how the nodes will call it.
    pub targetn: Option<String>,
    /// `-s`: the service node that gives; each node's owner where it is not named.
    pub source: Option<SnName>,
    /// `-S`: how the nodes call that.
    pub sourcen: Option<String>,
    /// `-i`: the running nodes are left as they are.
    pub ignore_nodes: bool,
}

/// Where a node stands in a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of the move.
    pub id: u64,
    /// The service node that takes.
    pub target: SnName,
    /// Whether the old owner is to be silent.
    pub is_released: bool,
}

/// What the column `options` holds for `-i`.
const IGNORE_NODES: &str = "ignorenodes";

/// Whether a running node is left as it is: its last move was told to leave it alone.
pub fn rests(model: &Model, node: &NodeName) -> bool {
    let row = model.tables().row(table::OWNERSHIP, node.as_str());
    row.and_then(|row| row.cell("rests")) == Some("1")
}

fn key_of(id: u64) -> RowKey {
    RowKey::one(&id.to_string())
}

fn node_key(id: u64, node: &NodeName) -> RowKey {
    RowKey::of([id.to_string().as_str(), node.as_str()])
}

fn read(row: &Row) -> Option<Move> {
    let text = |column| row.cell(column).filter(|text| !text.is_empty()).map(str::to_owned);
    let state = match row.cell("state")? {
        "released" => State::Released,
        "answering" => State::Answering,
        _ => State::Prepared,
    };
    Some(Move {
        id: row.cell("id")?.parse().ok()?,
        state,
        target: row.cell("target")?.parse().ok()?,
        targetn: text("targetn"),
        source: text("source").and_then(|name| name.parse().ok()),
        sourcen: text("sourcen"),
        ignore_nodes: row.cell("options") == Some(IGNORE_NODES),
    })
}

/// The moves under way, oldest first.
pub fn all_under_way(model: &Model) -> Vec<Move> {
    let mut moves: Vec<Move> = model.tables().rows(table::MOVE).filter_map(|(_, row)| read(row)).collect();
    moves.sort_by_key(|one| one.id);
    moves
}

/// A move under way by its number.
pub fn by_id(model: &Model, id: u64) -> Option<Move> {
    model.tables().row(table::MOVE, key_of(id).as_str()).and_then(read)
}

/// The nodes of a move.
pub fn nodes_of(model: &Model, id: u64) -> Vec<NodeName> {
    let id = id.to_string();
    let rows = model.tables().rows(table::MOVENODE).filter(|(key, _)| key.parts().next() == Some(&id));
    rows.filter_map(|(key, _)| key.parts().nth(1)?.parse().ok()).collect()
}

/// The move that a node is in; a node is in one at most.
fn of_node(model: &Model, node: &NodeName) -> Option<Move> {
    let is_in = |id| model.tables().row(table::MOVENODE, node_key(id, node).as_str()).is_some();
    all_under_way(model).into_iter().find(|one| is_in(one.id))
}

/// Where a node stands in the move that it is in.
pub fn under_way(model: &Model, node: &NodeName) -> Option<Step> {
    let Move { id, state, target, .. } = of_node(model, node)?;
    Some(Step { id, target, is_released: state >= State::Released })
}

/// The model as it will be for a node once its move has come to [`answer`].
pub fn projected(model: &Model, node: &NodeName) -> Model {
    let mut draft = Draft::new(model);
    if let Some(one) = of_node(model, node) {
        attributes::rewrite(&mut draft, &one, node);
    }
    draft.model().clone()
}

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
