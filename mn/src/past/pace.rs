//! How far the reading of a long history has come, said to whoever waits for it.

use std::time::Duration;

use common::id::Moment;
use tokio::runtime::Handle;

use crate::ground::Replies;

/// After how long it is said first: what is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is said then.
const EVERY: Duration = Duration::from_millis(250);

/// Says how far a thread that may block has come.
#[derive(Debug)]
pub(super) struct Pace {
    runtime: Handle,
    replies: Replies,
    next: Moment,
}

impl Pace {
    /// From now on; to be made on the runtime.
    pub(super) fn new(replies: &Replies) -> Self {
        let next = runtime::clock::now() + PATIENCE;
        Self { runtime: Handle::current(), replies: replies.clone(), next }
    }

    /// So much of so much is done.
    pub(super) fn at(&mut self, done: u64, total: u64) {
        let now = runtime::clock::now();
        if now < self.next {
            return;
        }
        self.next = now + EVERY;
        // Who has gone needs no word.
        let _ = self.runtime.block_on(self.replies.progress("reading the history", done, total));
    }
}
