//! Tasks that belong to someone: a [`Supervisor`] for the parts of a daemon, whose end is the
//! daemon's, and a [`Nursery`] for the many small ones, such as connections.
//!
//! **Invariant**: no task ends or panics unnoticed, and none outlives the daemon's stop by more
//! than [`GRACE`].

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Any error of a task.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long tasks may take to end after they were asked to.
pub const GRACE: Duration = Duration::from_secs(5);

/// Why a daemon ended that nobody had asked to.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// A part ended with an error.
    #[error("{task} failed")]
    Failed {
        /// Its name.
        task: &'static str,
        /// Its error.
        #[source]
        source: BoxError,
    },
    /// A part ended, which it should not.
    #[error("{task} ended by itself")]
    Ended {
        /// Its name.
        task: &'static str,
    },
    /// A part panicked: a bug of ours.
    #[error("{task} panicked: {message} (this is a bug)")]
    Panicked {
        /// Its name.
        task: &'static str,
        /// What it said.
        message: String,
    },
}

/// The parts of one daemon and the token that stops them all.
///
/// Make it, [`spawn`](Self::spawn) the parts with children of [`stop_token`](Self::stop_token), then
/// [`run`](Self::run).
#[derive(Debug, Default)]
pub struct Supervisor {
    tasks: JoinSet<Result<(), BoxError>>,
    names: HashMap<Id, &'static str>,
    stop: CancellationToken,
}

impl Supervisor {
    /// One without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the daemon stops. A part ends with `Ok` soon after.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a part.
    pub fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Runs until `stop` returns or a part ends, then stops all parts and waits for them, at most
    /// [`GRACE`].
    ///
    /// # Errors
    /// The first part that failed, ended or panicked, whether before or after the stop.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), SuperviseError> {
        let mut outcome = tokio::select! {
            () = stop => Ok(()),
            ended = Self::next_end(&mut self.tasks, &self.names) => match ended {
                // With no parts at all there is nothing to wait for but the stop.
                None => Ok(()),
                Some((task, Ok(()))) => Err(SuperviseError::Ended { task }),
                Some((_, Err(error))) => Err(error),
            },
        };
        self.stop.cancel();
        let drained = tokio::time::timeout(GRACE, async {
            while let Some((_, ended)) = Self::next_end(&mut self.tasks, &self.names).await {
                if outcome.is_ok() {
                    outcome = ended;
                }
            }
        });
        if drained.await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "cut off tasks that did not stop in time");
            self.tasks.shutdown().await;
        }
        outcome
    }

    async fn next_end(
        tasks: &mut JoinSet<Result<(), BoxError>>,
        names: &HashMap<Id, &'static str>,
    ) -> Option<(&'static str, Result<(), SuperviseError>)> {
        let name_of = |id| names.get(&id).copied().unwrap_or("a task");
        Some(match tasks.join_next_with_id().await? {
            Ok((id, Ok(()))) => (name_of(id), Ok(())),
            Ok((id, Err(source))) => {
                let task = name_of(id);
                (task, Err(SuperviseError::Failed { task, source }))
            }
            Err(error) => {
                let task = name_of(error.id());
                (task, Err(SuperviseError::Panicked { task, message: panic_text(error) }))
            }
        })
    }
}

fn panic_text(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => payload_text(payload.as_ref()),
        Err(_) => "it was cut off".to_owned(),
    }
}

fn payload_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}

/// Many small tasks of one kind, such as connections: named, bounded in number, cut off when the
/// daemon stops. Clones share everything.
#[derive(Clone, Debug)]
pub struct Nursery {
    name: &'static str,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Nursery {
    /// A nursery for at most `limit` tasks at a time, cut off when `stop` is cancelled.
    pub fn new(name: &'static str, limit: usize, stop: CancellationToken) -> Self {
        let room = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self { name, room, tasks: TaskTracker::new(), stop }
    }

    /// Starts a task; says `false`, and drops it, when the nursery is full or stopped. A task that
    /// panics is logged and harms no other.
    #[must_use]
    pub fn try_spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        if self.stop.is_cancelled() {
            return false;
        }
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else { return false };
        let (name, stop) = (self.name, self.stop.clone());
        self.tasks.spawn(async move {
            let _room = room;
            let _watch = PanicWatch(name);
            stop.run_until_cancelled_owned(task).await;
        });
        true
    }

    /// How many tasks run now.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether none runs now.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Cancelled when the nursery is.
    pub const fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Returns when no task runs any more, at most [`GRACE`] after the call. Call it after the stop.
    pub async fn drained(&self) {
        self.tasks.close();
        if tokio::time::timeout(GRACE, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                tasks = self.tasks.len(),
                name = self.name,
                "left tasks that did not stop in time"
            );
        }
    }
}

/// Says so when it is dropped by a panic.
struct PanicWatch(&'static str);

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.0, "a task panicked; this is a bug");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn never() {
        std::future::pending().await
    }

    #[tokio::test]
    async fn a_part_that_fails_stops_the_others_and_is_named() {
        let mut supervisor = Supervisor::new();
        let stop = supervisor.stop_token();
        supervisor.spawn("steady", async move {
            stop.cancelled().await;
            Ok(())
        });
        supervisor.spawn("weak", async { Err("no luck".into()) });
        let error = supervisor.run(never()).await.unwrap_err();
        assert_eq!(common::report::chain(&error), "weak failed: no luck");
    }

    #[tokio::test]
    async fn a_part_that_panics_or_just_ends_is_named() {
        let mut supervisor = Supervisor::new();
        supervisor.spawn("jumpy", async { panic!("boo") });
        let error = supervisor.run(never()).await.unwrap_err().to_string();
        assert!(error.starts_with("jumpy panicked: boo"), "{error}");

        let mut supervisor = Supervisor::new();
        supervisor.spawn("lazy", async { Ok(()) });
        let error = supervisor.run(never()).await.unwrap_err().to_string();
        assert_eq!(error, "lazy ended by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_does_not_stop_is_cut_off() {
        let mut supervisor = Supervisor::new();
        supervisor.spawn("deaf", async {
            never().await;
            Ok(())
        });
        supervisor.run(async {}).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_nursery_takes_no_more_and_a_panic_frees_its_place() {
        let stop = CancellationToken::new();
        let nursery = Nursery::new("test", 1, stop.clone());
        assert!(nursery.try_spawn(async { panic!("expected by this test") }));
        assert!(!nursery.try_spawn(async {}));
        while !nursery.is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(nursery.try_spawn(never()));
        stop.cancel();
        nursery.drained().await;
        assert!(nursery.is_empty() && !nursery.try_spawn(async {}));
    }
}
