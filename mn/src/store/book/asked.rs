//! A change as it is asked for, and what became of it: who asks, what his planner wants committed, and
//! what he is told.

use common::id::{Revision, SnName};
use mn_core::draft::Change;

use super::super::Cursor;
use super::Made;

/// Who asks for a change, and with which words.
#[derive(Clone, Debug, Default)]
pub struct By {
    /// `root`, a user's name, or `mn` for the daemon itself.
    pub author: String,
    /// The command as typed; for the daemon itself what it was doing.
    pub words: Vec<String>,
    /// What has become of it: the revisions.
    pub made: Made,
}

impl By {
    /// The daemon itself, doing this.
    pub fn daemon(doing: &str) -> Self {
        Self { author: "mn".to_owned(), words: vec![doing.to_owned()], made: Made::default() }
    }
}

/// What a planner hands to the writer.
#[derive(Debug)]
pub struct Planned<T> {
    /// What to commit.
    pub change: Option<Change>,
    /// For the record: the reason of a refusal, the name of a step.
    pub note: String,
    /// Make a revision of it even where it changes nothing.
    pub record: bool,
    /// How far a service node's reports are stored with it.
    pub cursor: Option<(SnName, Cursor)>,
    /// For the asker, once the rest is on the disk.
    pub value: T,
}

impl<T> Planned<T> {
    /// A change without more, recorded where it changes something.
    pub const fn new(change: Option<Change>, value: T) -> Self {
        Self { change, note: String::new(), record: false, cursor: None, value }
    }
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed<T> {
    /// Its revision; none where nothing was recorded.
    pub revision: Option<Revision>,
    /// What the planner said.
    pub value: T,
}

/// Why a change was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The daemon stops, or the store failed. The change may or may not be on the disk; the history
    /// tells when the daemon is back.
    #[error("the management node is stopping; whether this was done shows in its history")]
    Stopped,
    /// The planner panicked. Nothing was changed.
    #[error("planning this failed by a bug of ours, and nothing was changed; the log has more")]
    Bug,
    /// There is too little room on the disk. Nothing was changed.
    #[error("the management node's disk is full, and nothing was changed")]
    NoRoom,
    /// A key holds a NUL, which ends a key on the disk. Nothing was changed.
    #[error("a name in this change holds a NUL character, and nothing was changed")]
    OddKey,
}
