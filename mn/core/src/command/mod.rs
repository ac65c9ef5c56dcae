//! What an operator asks for, parsed: plain data, nothing looked up yet.
//!
//! These types travel from the command to the daemon as `postcard` inside [`Sent`], which is
//! versioned: variants and fields are only appended, and a daemon reads the version before its own.

mod define;
mod exchange;
mod make;
mod member;
mod nodes;
mod past;
mod query;
mod rows;
mod serve;
mod show;

use serde::{Deserialize, Serialize};

pub use self::define::{Define, Derivation, ListEdit, Rmdef};
pub use self::exchange::{Apply, ApplyFormat, Clash, Export, Import, Source};
pub use self::make::{DhcpTask, Makedhcp, Makedns, Makehosts, Makenetworks};
pub use self::member::{Operator, TokenCreate};
pub use self::nodes::{Nodech, Noderm, Nodestat};
pub use self::past::{Diff, Explain, Forget, History, Span, Undo, When};
pub use self::query::Query;
pub use self::rows::{Assignment, Given, How, Prune, RestoreDb, Tabch, TabchAction, Tabprune, Tabrestore};
pub use self::serve::{Nodeset, Snmove, Updatenode};
pub use self::show::{
    DumpDb, Form, Gettab, Lsdef, Lsmn, Lsslice, Names, Nodels, Noderange, Tabdump, Tabgrep, What,
};

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
    /// Planned on the newest model and committed in one step; see [`crate::plan()`].
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
