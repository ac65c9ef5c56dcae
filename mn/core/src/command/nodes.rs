//! The arguments of the commands that write columns of nodes.

use serde::{Deserialize, Serialize};

use crate::command::{Mode, Range};

/// The arguments of `nodeadd`, `nodech` and `nodegrpch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodech {
    /// How to make the change.
    pub mode: Mode,
    /// Which nodes; for `nodegrpch` names of groups with commas between.
    pub nodes: Range,
    /// Assignments and criteria as typed; with `delete`, names of tables.
    pub words: Vec<String>,
    /// `-d`: the rows in these tables go.
    pub delete: bool,
}

/// The arguments of `noderm`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noderm {
    /// How to make the change.
    pub mode: Mode,
    /// Which nodes.
    pub nodes: Range,
}

/// The arguments of `nodestat`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodestat {
    /// Which nodes.
    pub nodes: Range,
    /// `-m`: the applications of the table `monsetting`, in the place of the usual ports.
    pub applications: bool,
    /// `-p`: the power state of nodes that do not answer.
    pub power: bool,
    /// `-u`: keep what is found in `nodelist`.
    pub update: bool,
    /// `--known`: what the agents reported, without asking the nodes.
    pub known: bool,
}
