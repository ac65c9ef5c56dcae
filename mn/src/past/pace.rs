//! How far the reading of a long history has come, said to whoever waits for it.

use std::time::Duration;

use common::id::Moment;

use crate::ground::Progress;

/// After how long it is said first: what is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is said then.
const EVERY: Duration = Duration::from_millis(250);

/// Says now and then how far a thread that may block has come.
#[derive(Debug)]
pub(super) struct Pace {
    progress: Progress,
    next: Moment,
}

impl Pace {
    /// From now on.
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress, next: runtime::clock::now() + PATIENCE }
    }

    /// So much of so much is done; gives whether anybody still waits for it.
    pub(super) fn at(&mut self, done: u64, total: u64) -> bool {
        let now = runtime::clock::now();
        if now >= self.next {
            self.next = now + EVERY;
            self.progress.at("reading the history", done, total);
        }
        !self.progress.is_gone()
    }
}
