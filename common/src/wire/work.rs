//! Work for agents (`updatenode`), and what they answer.

use serde::{Deserialize, Serialize};

use crate::id::{Digest, NodeName};
use crate::slice::Script;

/// Something to run on nodes, now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The number of the run, unique on the management node.
    pub run: u64,
    /// On which nodes.
    pub nodes: Vec<NodeName>,
    /// What.
    pub work: Work,
}

/// What an agent is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Files to bring, before the scripts.
    pub sync: Vec<SyncFile>,
    /// Scripts to run, in order.
    pub scripts: Vec<Script>,
    /// Bring the node to its desired state again, even where it looks settled.
    pub settle: bool,
    /// How long one script may take, in seconds.
    pub timeout_seconds: u32,
}

/// A file to bring to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncFile {
    /// Of its content.
    pub hash: Digest,
    /// Its length, in bytes.
    pub size: u64,
    /// The absolute path on the node.
    pub path: String,
    /// Its permission bits.
    pub mode: u32,
}

/// One step that an agent did or could not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Which: `syslog`, `ntp`, `resolver`, `hosts`, `gateway`, `script NAME`, `sync PATH`.
    pub step: String,
    /// What became of it.
    pub outcome: StepOutcome,
}

impl Receipt {
    /// Whether the step is a script of the node's list, which need not have run just now.
    pub fn is_script(&self) -> bool {
        self.step.starts_with("script ")
    }
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepOutcome {
    /// It was so already.
    Kept,
    /// It was changed, and looked at afterwards.
    Changed,
    /// A script ended with 0; the end of what it printed.
    Ran {
        /// At most 4 KiB.
        output: String,
    },
    /// It failed.
    Failed {
        /// Why, and the end of what it printed; at most 4 KiB.
        reason: String,
        /// The exit status of a script.
        status: Option<i32>,
    },
}

impl StepOutcome {
    /// Whether the node is now as it should be, as far as this step goes.
    pub const fn is_ok(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }
}

/// What became of a run on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResult {
    /// Of which run.
    pub run: u64,
    /// On which node.
    pub node: NodeName,
    /// What.
    pub answer: RunAnswer,
}

/// What became of a run on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunAnswer {
    /// The agent did it, each step as its receipt says.
    Done(Vec<Receipt>),
    /// No agent of the node is connected here.
    NotConnected,
    /// The connection ended before an answer came.
    Lost,
}
