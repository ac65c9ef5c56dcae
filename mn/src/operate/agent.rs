//! What the management node has last heard of an agent.

use common::id::NodeName;
use mn_core::model::Model;
use mn_core::table::schema::AGENT;

/// A cell of a node's row in the table of agents.
pub(super) fn cell<'a>(model: &'a Model, node: &NodeName, column: &str) -> Option<&'a str> {
    model.tables().row(AGENT, node.as_str()).and_then(|row| row.cell(column))
}

/// Whether the agent of a node was connected when it was last heard of.
pub(super) fn is_live(model: &Model, node: &NodeName) -> bool {
    cell(model, node, "connected").is_some()
}
