//! Somebody who sees that an input does not come to an end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Kind;

/// When an input is given up, by the clock of a machine that may be busy. A second is what it may take.
const GIVEN_UP: Duration = Duration::from_secs(240);

/// What is being read now.
type Now = Arc<Mutex<Option<(Kind, u64, Instant)>>>;

/// The one who sees it, on a thread of its own until this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    now: Now,
}

impl Watch {
    pub(super) fn start() -> Self {
        let now = Now::default();
        let seen = Arc::downgrade(&now);
        std::thread::spawn(move || {
            while let Some(now) = seen.upgrade() {
                let begun = *now.lock().unwrap_or_else(PoisonError::into_inner);
                drop(now);
                if let Some((kind, number, start)) = begun
                    && start.elapsed() > GIVEN_UP
                {
                    let name = kind.name();
                    eprintln!("generated: --kind {name} --number {number} --count 1 does not come to an end");
                    // The thread that reads it cannot be stopped.
                    std::process::exit(1);
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        Self { now }
    }

    pub(super) fn begin(&self, kind: Kind, number: u64) {
        self.set(Some((kind, number, Instant::now())));
    }

    pub(super) fn end(&self) {
        self.set(None);
    }

    fn set(&self, now: Option<(Kind, u64, Instant)>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}
