//! What became of planning a command.

use common::report::Refusal;

use crate::draft::Change;
use crate::talk::{Line, Talk};

/// What became of planning a command: a change to commit, if there is one, and what to say
/// *after* it is committed.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is to be committed; none where nothing changes (a dry run, refusals, no difference).
    pub change: Option<Change>,
    /// What to say.
    pub lines: Vec<Line>,
    /// The exit status.
    pub status: u8,
}

impl Outcome {
    /// A whole command refused, in the shape of `common::report`.
    pub fn refused(command: &str, refusals: &[Refusal]) -> Self {
        let lines = refusals.iter().map(|refusal| Line::Err(refusal.render(command))).collect();
        Self { change: None, lines, status: 1 }
    }
}

impl Talk<'_> {
    /// The outcome: what was said, with this change.
    pub fn finish(self, change: Option<Change>) -> Outcome {
        let (lines, status) = self.into_parts();
        Outcome { change, lines, status }
    }
}
