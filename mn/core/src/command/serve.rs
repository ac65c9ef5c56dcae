//! The arguments of the commands that reach service nodes and agents: `nodeset`, `snmove`, `updatenode`.

use serde::{Deserialize, Serialize};

use super::{Mode, Range};

/// The arguments of `nodeset`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodeset {
    /// How to make the change.
    pub mode: Mode,
    /// Which nodes.
    pub nodes: Range,
    /// The state word as typed: `boot`, `osimage=NAME`, `stat` …
    pub state: String,
}

/// The arguments of `snmove`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snmove {
    /// How to make the change.
    pub mode: Mode,
    /// Which nodes; none means all of `source`.
    pub nodes: Option<Range>,
    /// `-s`: the service node that gives, as the management node names it.
    pub source: Option<String>,
    /// `-S`: the same, as its nodes name it.
    pub sourcen: Option<String>,
    /// `-d`: the service node that takes.
    pub dest: Option<String>,
    /// `-D`: the same, as its nodes will name it.
    pub destn: Option<String>,
    /// `-i`: leave the running nodes alone.
    pub ignore_nodes: bool,
    /// `-P`: scripts to run afterwards; `all` for every script of the node.
    pub postscripts: Option<String>,
    /// `--force-fence`: the operator vouches that the source is off.
    pub force_fence: bool,
    /// `-V`.
    pub verbose: bool,
}

/// The arguments of `updatenode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Updatenode {
    /// How to make the change; only `dry_run` and `no_wait` mean something here.
    pub mode: Mode,
    /// Which nodes.
    pub nodes: Range,
    /// `-P`: run scripts; an empty list means those that the node is defined with.
    pub scripts: Option<Vec<String>>,
    /// `-F`: bring files.
    pub sync: bool,
    /// `-s`: bring the node to its desired state again.
    pub settle: bool,
    /// `-t`: seconds that one script may take.
    pub timeout_seconds: Option<u32>,
    /// `-V`.
    pub verbose: bool,
}
