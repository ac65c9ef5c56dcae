//! What an operator asks for, parsed: plain data, nothing looked up yet.
//!
//! These types travel from the command to the daemon as `postcard` inside [`Sent`], which is
//! versioned: variants and fields are only appended, and a daemon reads the version before its own.

mod make;
mod nodes;

use serde::{Deserialize, Serialize};

pub use self::make::{DhcpTask, Makedhcp, Makedns, Makehosts, Makenetworks};
pub use self::nodes::{Nodech, Noderm, Nodestat};
use super::rows::{RestoreDb, Tabch, Tabprune, Tabrestore};
use crate::exchange::{Apply, Import};
use crate::past::{Span, When};
use crate::query::{Lsmn, Query};

/// A command on its way to the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sent {
    /// The first version.
    V1(Asked),
}

impl Sent {
    /// What is asked for, in today's form.
    pub fn into_asked(self) -> Asked {
        match self {
            Self::V1(asked) => asked,
        }
    }
}

/// The three ways in which a command is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// Planned on the newest model and committed in one step; see [`super::plan`].
    Change(Command),
    /// Answered from a snapshot; see [`crate::query::answer`].
    Query(Query),
    /// The same as of an earlier state (`--at`).
    Past(When, Query),
    /// Carried out in several steps by the daemon, which also waits for service nodes and agents.
    Operate(Operation),
}

/// A command that is one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes definitions.
    Mkdef(Define),
    /// Changes definitions, and makes those that are not there.
    Chdef(Define),
    /// Removes definitions.
    Rmdef(Rmdef),
    /// Says what the next boot of nodes gets.
    Nodeset(Nodeset),
    /// Adds nodes, by the columns of tables.
    Nodeadd(Nodech),
    /// Changes columns of nodes.
    Nodech(Nodech),
    /// Changes columns of groups, and unsets them for their members.
    Nodegrpch(Nodech),
    /// Removes nodes.
    Noderm(Noderm),
    /// Makes objects what a file says.
    Apply(Apply),
    /// Restores the tables of a folder.
    RestoreDb(RestoreDb),
    /// Sets columns of rows, or removes rows.
    Tabch(Tabch),
    /// Removes rows of logs.
    Tabprune(Tabprune),
    /// Restores a table.
    Tabrestore(Tabrestore),
    /// Takes in what another system knew.
    Import(Import),
}

/// A command of several steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Shows the management node.
    Lsmn(Lsmn),
    /// Verifies what DHCP answers nodes with.
    Makedhcp(Makedhcp),
    /// Verifies which names DNS answers.
    Makedns(Makedns),
    /// Keeps the management node's hosts file.
    Makehosts(Makehosts),
    /// Puts the networks of this machine and of the service nodes into the table.
    Makenetworks(Makenetworks),
    /// Forgets the start of the history.
    Forget(Forget),
    /// Asks nodes which of their services answer.
    Nodestat(Nodestat),
    /// Moves nodes to another service node.
    Snmove(Snmove),
    /// Runs scripts on nodes and brings files to them.
    Updatenode(Updatenode),
    /// Makes a token with which a service node or an operator joins.
    TokenCreate(TokenCreate),
    /// Shows operators, or lets one go.
    Operator(Operator),
    /// Takes revisions back.
    Undo(Undo),
}

/// The arguments of `mn token create`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCreate {
    /// The service node, or the operator.
    pub name: String,
    /// `--address`: where it finds the management node (`IP:PORT`, or an address alone); empty for
    /// the site's master.
    pub addresses: Vec<String>,
    /// `--define`: define the node and its `servicenode` row where they are missing.
    pub define: bool,
    /// `--operator`: it is for an operator on another machine.
    pub operator: bool,
}

/// The arguments of `mn operator`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// `rm NAME`: the one who is to go; none shows them all.
    pub remove: Option<String>,
}

/// The arguments of `history --prune`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forget {
    /// How to do it; only `dry_run` means something here.
    pub mode: Mode,
    /// The first revision that is kept, or the oldest time.
    pub before: When,
}

/// The arguments of `undo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// How to make the change; it is always atomic.
    pub mode: Mode,
    /// From the first revision to the last, both taken back.
    pub span: Span,
    /// Only the first, where the last is not named.
    pub is_one: bool,
}

/// How a change is to be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Say what would change, and change nothing.
    pub dry_run: bool,
    /// Change all objects or none; otherwise each object is whole or untouched.
    pub atomic: bool,
    /// Do not wait for the service nodes to have applied it.
    pub no_wait: bool,
}

/// A noderange as typed, with the files that it names (`^file`), read where the operator is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The text.
    pub text: String,
    /// Name as typed, and content.
    pub files: Vec<(String, String)>,
    /// What stands before a bare number, and behind it, where the operator's environment says so.
    pub prefix: Option<String>,
    /// See `prefix`.
    pub suffix: Option<String>,
    /// The most nodes that it may mean; more are refused, so that a slip of the hand stays small.
    pub max_nodes: Option<u64>,
}

impl Range {
    /// A noderange that names no files.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The content of a file that the text names.
    pub fn file(&self, name: &str) -> Option<String> {
        self.files.iter().find(|(known, _)| known == name).map(|(_, content)| content.clone())
    }
}

/// The arguments of `mkdef` and `chdef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Define {
    /// How to make the change.
    pub mode: Mode,
    /// `-t`: object types; empty means node.
    pub types: Vec<String>,
    /// `-o` or the operand: a noderange for nodes, else names.
    pub objects: Option<Range>,
    /// `attr=value` words, in order.
    pub attributes: Vec<(String, String)>,
    /// `-f`: replace what is there.
    pub force: bool,
    /// `-d`: a dynamic group.
    pub dynamic: bool,
    /// `-w`: the selection of a group's members.
    pub select: Vec<String>,
    /// `-p` or `-m`.
    pub list: ListEdit,
    /// `-n`: the new name.
    pub rename: Option<String>,
    /// `--template`: the template or object whose attributes are taken as defaults.
    pub template: Option<String>,
    /// `-z`: the stanza text.
    pub stanza: Option<String>,
    /// `-V`.
    pub verbose: bool,
    /// `-u`: fill in what follows from an image's profile, method, system and architecture.
    pub derive: Option<Derivation>,
}

/// What the operator's host says of itself and of its files, for `-u`: the management node cannot
/// look for itself while it plans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derivation {
    /// Its operating system as `osvers` says it (`alma9.4`); empty where it is not known.
    pub osvers: String,
    /// Its architecture as `osarch` says it.
    pub osarch: String,
    /// The files in which xCAT looks for package lists and templates: absolute paths, one a line.
    pub files: String,
}

/// What happens to an attribute that has a value already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListEdit {
    /// It is replaced.
    #[default]
    Replace,
    /// `-p`: the items are added at the end of the list.
    Add,
    /// `-m`: the items are taken from the list.
    Remove,
}

/// The arguments of `rmdef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rmdef {
    /// How to make the change.
    pub mode: Mode,
    /// `-t`: object types; empty means node.
    pub types: Vec<String>,
    /// `-o` or the operand.
    pub objects: Option<Range>,
    /// `-a`: everything.
    pub all: bool,
    /// `-f`: yes, really.
    pub force: bool,
    /// `-V`.
    pub verbose: bool,
}

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
