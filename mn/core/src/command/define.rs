//! The arguments of the commands that define objects.

use serde::{Deserialize, Serialize};

use super::{Mode, Range};

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
