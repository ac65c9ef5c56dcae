//! The arguments of the commands that show what is defined.

use serde::{Deserialize, Serialize};

use super::Range;

/// The arguments of `lsdef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lsdef {
    /// `-t`: object types; empty means node.
    pub types: Vec<String>,
    /// `-o` or the operand: a noderange for nodes, else names.
    pub objects: Option<Range>,
    /// `-a`: every type.
    pub all: bool,
    /// `-l`: long.
    pub long: bool,
    /// `-s`: short.
    pub short: bool,
    /// `-c`: `name: attr=value` lines.
    pub compress: bool,
    /// `-i`: these attributes alone.
    pub attributes: Option<Vec<String>>,
    /// `-w`: selections, all of which must hold.
    pub select: Vec<String>,
    /// `-z`: as a stanza file.
    pub stanza: bool,
    /// `-S`: hidden nodes too.
    pub hidden: bool,
    /// `--nics`: the interface attributes alone.
    pub nics: bool,
    /// `--osimage`: with the attributes of the node's image.
    pub osimage: bool,
    /// `-V`: with table, key and column.
    pub verbose: bool,
    /// `--template`: these templates in the place of objects; all of them where none is named.
    pub template: Option<Vec<String>>,
}

/// The arguments of `nodels`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodels {
    /// Which nodes; none means all.
    pub nodes: Option<Range>,
    /// Columns, tables and criteria, as typed.
    pub words: Vec<String>,
    /// `-b`: say where an inherited value comes from.
    pub blame: bool,
    /// `-H`: always name the column.
    pub header: bool,
    /// `-S`: hidden nodes too.
    pub hidden: bool,
}

/// The arguments of `tabdump`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tabdump {
    /// The table; none means the names of all.
    pub table: Option<String>,
    /// `-d`: what tables or columns mean.
    pub describe: bool,
    /// `-w`: selections of rows, all of which must hold.
    pub select: Vec<String>,
    /// `-n`: the last rows of a log table.
    pub last: Option<u64>,
    /// `--own`: without a table, the names of Drover's own tables instead of xCAT's.
    pub own: bool,
}

/// The arguments of `lsslice`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lsslice {
    /// Which service nodes; empty means all.
    pub service_nodes: Vec<String>,
}

/// The arguments of `dumpxCATdb`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpDb {
    /// `-a`: the logs too.
    pub all: bool,
    /// `--full`: Drover's own tables too, secrets included.
    pub full: bool,
    /// The tables to leave out, where the caller's environment says; else the site does
    /// (`skiptables`).
    pub skip: Option<String>,
}

/// The arguments of `gettab`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gettab {
    /// `column=value`: which row is meant. An empty value means a column that is not set.
    pub keys: Vec<(String, String)>,
    /// `table.column`: what to show.
    pub columns: Vec<(String, String)>,
    /// `-H`: always name the column.
    pub header: bool,
}

/// The arguments of `lsmn` and `lsxcatd`. Nothing to be shown means the overview.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lsmn {
    /// `-v`: its version.
    pub version: bool,
    /// `-t`: what kind of node it is.
    pub kind: bool,
    /// `-d`: what it keeps its tables in.
    pub database: bool,
    /// Whether it is asked as `lsxcatd`, by scripts that know four words for an engine.
    pub xcats: bool,
}

impl Lsmn {
    /// Whether something is named that is to be shown.
    pub const fn is_for_something(self) -> bool {
        self.version || self.kind || self.database
    }
}

/// Which names are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Of what.
    pub what: What,
    /// How they begin.
    pub prefix: String,
}

/// What has names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// Nodes, and groups that have members: the words of a noderange.
    Nodes,
    /// Objects of a type.
    Objects(String),
    /// Service nodes.
    ServiceNodes,
    /// Revisions, the newest first, with the commands that made them. Answered by the daemon, which
    /// has the journal.
    Revisions,
}

/// The arguments of `noderange` and `gennr`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noderange {
    /// The text.
    pub nodes: Range,
    /// Whether the nodes need not exist.
    pub no_verify: bool,
    /// How they are shown.
    pub form: Form,
}

/// How the names are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// One a line.
    #[default]
    Lines,
    /// As a short noderange.
    Folded,
    /// How many there are.
    Count,
}

/// The arguments of `tabgrep`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tabgrep {
    /// Which nodes.
    pub nodes: Range,
}
