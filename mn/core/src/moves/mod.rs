//! Moves under way: what the rows of `move` and `movenode` say, and what a move makes of a node's
//! attributes. The steps themselves are changes (`change::snmove`).

pub(crate) mod attributes;

use common::id::{NodeName, SnName};

use crate::draft::Draft;
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
    pub(crate) const fn word(self) -> &'static str {
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
pub(crate) const IGNORE_NODES: &str = "ignorenodes";

/// Whether a running node is left as it is: its last move was told to leave it alone.
pub fn rests(model: &Model, node: &NodeName) -> bool {
    let row = model.tables().row(table::OWNERSHIP, node.as_str());
    row.and_then(|row| row.cell("rests")) == Some("1")
}

pub(crate) fn key_of(id: u64) -> RowKey {
    RowKey::one(&id.to_string())
}

pub(crate) fn node_key(id: u64, node: &NodeName) -> RowKey {
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
pub(crate) fn of_node(model: &Model, node: &NodeName) -> Option<Move> {
    let is_in = |id| model.tables().row(table::MOVENODE, node_key(id, node).as_str()).is_some();
    all_under_way(model).into_iter().find(|one| is_in(one.id))
}

/// Where a node stands in the move that it is in.
pub fn under_way(model: &Model, node: &NodeName) -> Option<Step> {
    let Move { id, state, target, .. } = of_node(model, node)?;
    Some(Step { id, target, is_released: state >= State::Released })
}

/// The model as it will be for a node once its move has come to [`answer`](crate::change::snmove::answer).
pub fn projected(model: &Model, node: &NodeName) -> Model {
    let mut draft = Draft::new(model);
    if let Some(one) = of_node(model, node) {
        attributes::rewrite(&mut draft, &one, node);
    }
    draft.model().clone()
}
