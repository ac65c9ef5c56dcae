//! Somebody who sees that an input does not come to an end.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::Kind;

/// When an input is given up, by the clock of a machine that may be busy. A second is what it may take.
const GIVEN_UP: Duration = Duration::from_secs(240);

/// What is being read now; none between two inputs.
type Now = Option<(Kind, u64)>;

/// The one who sees it, on a thread of its own until this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    now: SyncSender<Now>,
}

impl Watch {
    pub(super) fn start() -> Self {
        let (now, told) = sync_channel(1);
        std::thread::spawn(move || watch(&told));
        Self { now }
    }

    pub(super) fn begin(&self, kind: Kind, number: u64) {
        self.tell(Some((kind, number)));
    }

    pub(super) fn end(&self) {
        self.tell(None);
    }

    fn tell(&self, now: Now) {
        // The other end is there as long as this one.
        let _ = self.now.send(now);
    }
}

fn watch(told: &Receiver<Now>) {
    let mut now: Now = None;
    loop {
        let next = match now {
            Some(_) => told.recv_timeout(GIVEN_UP),
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        now = match (next, now) {
            (Ok(next), _) => next,
            (Err(RecvTimeoutError::Timeout), Some((kind, number))) => {
                let name = kind.name();
                eprintln!("generated: --kind {name} --number {number} --count 1 does not come to an end");
                // The thread that reads it cannot be stopped.
                std::process::exit(1);
            }
            _ => return,
        };
    }
}
