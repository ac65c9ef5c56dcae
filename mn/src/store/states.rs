//! A few earlier states, kept for whoever walks through the past: each is made backwards from a later
//! one, which costs what was changed between.
//!
//! What is kept is bounded: [`KEPT`] states, those alone that were dear to make, and only as long as
//! somebody asks for them ([`IDLE`]). A state shares with the newest what was not changed since.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::id::{Moment, Revision};
use mn_core::model::Model;
use mn_core::table::Edit;

/// How many states are kept: the two ends of what is looked at. At most each is as large as the model.
const KEPT: usize = 2;

/// How long a state is kept that nobody asks for.
pub(crate) const IDLE: Duration = Duration::from_secs(60);

/// A state that was made of fewer edits than this is made again in milliseconds.
const DEAR: usize = 10_000;

/// The kept states. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct States(Arc<Mutex<Vec<State>>>);

#[derive(Debug)]
struct State {
    model: Arc<Model>,
    used: Moment,
}

impl States {
    /// The model as it was at `revision`; `now` is the newest. `between` gives what was changed from
    /// one revision to a later one.
    ///
    /// # Errors
    /// That of `between`.
    pub(crate) fn at<E>(
        &self,
        now: &Arc<Model>,
        revision: Revision,
        between: impl FnOnce(Revision, Revision) -> Result<Vec<Edit>, E>,
    ) -> Result<Arc<Model>, E> {
        let from = self.nearest(now, revision);
        if from.revision() == revision {
            return Ok(from);
        }
        let since = between(revision, from.revision())?;
        let back: Vec<Edit> = since.iter().map(Edit::inverse).collect();
        let mut model = from.as_ref().clone();
        model.apply(&back, revision);
        let model = Arc::new(model);
        if back.len() >= DEAR {
            self.keep(Arc::clone(&model));
        }
        Ok(model)
    }

    /// The earliest state that is known and not earlier than `revision`.
    fn nearest(&self, now: &Arc<Model>, revision: Revision) -> Arc<Model> {
        let mut states = self.states();
        let fitting =
            states.iter_mut().filter(|state| (revision..=now.revision()).contains(&state.model.revision()));
        match fitting.min_by_key(|state| state.model.revision()) {
            Some(state) => {
                if state.model.revision() == revision {
                    state.used = runtime::clock::now();
                }
                Arc::clone(&state.model)
            }
            None => Arc::clone(now),
        }
    }

    fn keep(&self, model: Arc<Model>) {
        let mut states = self.states();
        // Two who asked at once have made it twice.
        states.retain(|state| state.model.revision() != model.revision());
        if states.len() >= KEPT
            && let Some(oldest) = (0..states.len()).min_by_key(|at| states.get(*at).map(|state| state.used))
        {
            states.swap_remove(oldest);
        }
        states.push(State { model, used: runtime::clock::now() });
    }

    /// Lets go of those that nobody has asked for.
    pub(crate) fn forget(&self) {
        let now = runtime::clock::now();
        let mut states = self.states();
        let before = states.len();
        states.retain(|state| now.since(state.used) < IDLE);
        let is_less = states.len() < before;
        drop(states);
        if is_less {
            sys::give_back_memory();
        }
    }

    /// The list is whole after every line that changes it, so a panic elsewhere does no harm.
    fn states(&self) -> MutexGuard<'_, Vec<State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use mn_core::table::{Row, RowKey, TableId, Tables};

    use super::*;

    /// A model at revision 9 with `count` rows, of which each revision has set a cell of all.
    fn check(count: usize, asked: &[u64], read: &[(u64, u64)]) {
        let table = TableId::named("hosts").unwrap();
        let row = |at: usize, revision: u64| {
            let node = format!("n{at}");
            let row = Row::new().with("node", &node).with("comments", &revision.to_string());
            (RowKey::one(&node), row)
        };
        let mut now = Model::new(Tables::new(), Revision::new(8));
        let edit = |at, from: Option<u64>, to| Edit {
            table,
            key: row(at, to).0,
            before: from.map(|from| row(at, from).1),
            after: Some(row(at, to).1),
        };
        let newest: Vec<Edit> = (0..count).map(|at| edit(at, None, 9)).collect();
        now.apply(&newest, Revision::new(9));
        let (now, states, done) = (Arc::new(now), States::default(), RefCell::new(Vec::new()));
        for revision in asked {
            let then = states.at(&now, Revision::new(*revision), |from, to| {
                done.borrow_mut().push((from.value(), to.value()));
                Ok::<_, ()>((0..count).map(|at| edit(at, Some(from.value()), to.value())).collect())
            });
            let then = then.unwrap();
            let cell = then.tables().row(table, "n0").and_then(|row| row.cell("comments").map(str::to_owned));
            assert_eq!((then.revision(), cell), (Revision::new(*revision), Some(revision.to_string())));
            assert!(states.states().len() <= KEPT);
        }
        assert_eq!(*done.borrow(), read);
    }

    #[test]
    fn a_dear_state_is_made_once_and_earlier_ones_of_it() {
        check(DEAR, &[9, 5, 5, 3, 5, 3], &[(5, 9), (3, 5)]);
    }

    #[test]
    fn the_one_that_was_asked_for_last_is_kept() {
        check(DEAR, &[5, 3, 5, 1, 5, 3], &[(5, 9), (3, 5), (1, 3), (3, 5)]);
    }

    #[test]
    fn a_cheap_state_is_not_kept() {
        check(10, &[5, 5], &[(5, 9), (5, 9)]);
    }
}
