//! The revisions that one command made, for who records the command.

use std::sync::{Arc, Mutex, PoisonError};

use common::id::Revision;

/// How many revisions of one command are kept in mind: more than any command has steps, but for one
/// that runs for days.
const MOST: usize = 64;

/// The revisions of one command, as they are committed. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Made(Arc<Mutex<Vec<Revision>>>);

impl Made {
    /// Takes one in.
    pub(super) fn note(&self, revision: Revision) {
        // A list that was pushed to is whole whatever panicked beside it.
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() < MOST {
            made.push(revision);
        }
    }

    /// Those so far, in their order.
    pub(crate) fn revisions(&self) -> Vec<Revision> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
    }
}
