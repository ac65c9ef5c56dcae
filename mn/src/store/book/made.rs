//! What became of one command, for who records it: the revisions that it made, or why it made none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::id::Revision;

/// How many revisions of one command are kept in mind: more than any command has steps, but for one
/// that runs for days.
const MOST: usize = 64;

/// The most that is kept of a reason, in characters.
const LONGEST: usize = 500;

/// The revisions of one command, as they are committed, and why it was refused. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Made(Arc<Mutex<Trail>>);

#[derive(Debug, Default)]
struct Trail {
    revisions: Vec<Revision>,
    why: String,
}

impl Made {
    /// Takes one in.
    pub(super) fn note(&self, revision: Revision) {
        let mut made = self.lock();
        if made.revisions.len() < MOST {
            made.revisions.push(revision);
        }
    }

    /// Takes in why it was refused, wholly or in part; the first reason is kept.
    pub(crate) fn refuse(&self, why: &str) {
        let mut made = self.lock();
        if made.why.is_empty() {
            made.why = why.chars().take(LONGEST).collect();
        }
    }

    /// The revisions so far, in their order.
    pub(crate) fn revisions(&self) -> Vec<Revision> {
        self.lock().revisions.clone()
    }

    /// Why it was refused; empty where it was not.
    pub(crate) fn why(&self) -> String {
        self.lock().why.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Trail> {
        // A list that was pushed to is whole whatever panicked beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_what_was_made_and_it_is_bounded() {
        let made = Made::default();
        (1..=1000).for_each(|number| made.clone().note(Revision::new(number)));
        assert_eq!(made.revisions().len(), MOST);
        assert_eq!(made.revisions()[0], Revision::new(1));
        made.clone().refuse(&"x".repeat(10 * LONGEST));
        made.refuse("later");
        assert_eq!(made.why(), "x".repeat(LONGEST));
    }
}
