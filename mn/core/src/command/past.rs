//! The arguments of the commands about the history.

use serde::{Deserialize, Serialize};

use super::{Mode, Range};

/// A point of the history, as an operator names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// The state that this revision left.
    Revision(u64),
    /// The state at this time, in seconds since 1970.
    Time(u64),
}

/// `A..B`; an end that is not named is the oldest or the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Where it begins.
    pub from: Option<When>,
    /// Where it ends.
    pub to: Option<When>,
}

/// The arguments of `history`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// One revision, with what it changed.
    pub one: Option<u64>,
    /// The revisions from the first to the last; all where there is none.
    pub span: Span,
    /// Those that touched one of these objects: a noderange, or names of others.
    pub objects: Option<Range>,
    /// Those that touched one of these tables.
    pub tables: Vec<String>,
    /// Those of one of these authors.
    pub authors: Vec<String>,
    /// Those of one of these commands.
    pub commands: Vec<String>,
    /// At most so many; the newest.
    pub count: Option<u64>,
    /// The oldest first.
    pub reverse: bool,
    /// Every command, reads and refused ones too, and what the daemon wrote of its own accord.
    pub all: bool,
    /// The time zone of whoever asks, by its name; empty for the daemon's.
    pub zone: String,
    /// Those that were refused, or did not end well; reads too.
    pub refused: bool,
    /// Those that came from one of these machines.
    pub from: Vec<String>,
    /// Of one revision: how much of what it changed, and not each value.
    pub stat: bool,
}

impl History {
    /// Whether it is about commands that made no revision, too.
    pub const fn is_about_commands(&self) -> bool {
        self.all || self.refused
    }
}

/// The arguments of `diff`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// From which state to which.
    pub span: Span,
    /// Of these objects alone: a noderange, or names of others.
    pub objects: Option<Range>,
    /// Of these tables alone.
    pub tables: Vec<String>,
    /// Also what the daemon keeps for itself.
    pub all: bool,
    /// How much of each table and column differs, and not each value.
    pub stat: bool,
}

/// The arguments of `explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explain {
    /// `-t`: the type of the objects; empty means node.
    pub kind: String,
    /// Which: a noderange for nodes, else names.
    pub objects: Range,
    /// These attributes alone; empty means all.
    pub attributes: Vec<String>,
    /// The time zone of whoever asks, by its name; empty for the daemon's.
    pub zone: String,
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
    /// With a dry run: how much would change, and not each value.
    pub stat: bool,
}
