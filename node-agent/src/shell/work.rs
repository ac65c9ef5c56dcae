//! What is done to the node, in tasks: the steps of a desired state, its scripts, and operators'
//! runs.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use common::id::NodeName;
use common::report::chain;
use common::slice::Script;
use common::wire::agent::Desired;
use common::wire::work::{Receipt, Run, StepOutcome, Work};
use runtime::supervise::Nursery;
use tokio::sync::mpsc;

use crate::apply::script::{self, Context};
use crate::apply::{Host, sync};
use crate::content::Cache;
use crate::core::Event;
use crate::link::Note;
use crate::state::State;

/// How long a script of a desired state may take. Installing packages takes minutes.
const SCRIPT_LIMIT: Duration = Duration::from_secs(30 * 60);

/// The longest time that a run may ask for.
const MOST_RUN_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Does things to the node.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    node: NodeName,
    host: Arc<Host>,
    state: State,
    cache: Cache,
    notes: mpsc::Sender<Note>,
}

impl Worker {
    pub(super) fn new(
        node: NodeName,
        host: Arc<Host>,
        (state, cache): (State, Cache),
        notes: mpsc::Sender<Note>,
    ) -> Self {
        Self { node, host, state, cache, notes }
    }

    pub(super) fn apply(&self, tasks: &Nursery, desired: Box<Desired>) -> Option<Event> {
        let digest = desired.digest();
        let host = Arc::clone(&self.host);
        let work = async move { Event::Applied(digest, apply(host, desired).await) };
        if self.spawn(tasks, work) { None } else { Some(Event::Applied(digest, vec![no_room("state")])) }
    }

    pub(super) fn run_scripts(
        &self,
        tasks: &Nursery,
        desired: Box<Desired>,
        places: Vec<usize>,
    ) -> Option<Event> {
        let worker = self.clone();
        let work = async move {
            let scripts: Vec<Script> =
                places.iter().filter_map(|place| desired.scripts.get(*place)).cloned().collect();
            let receipts = worker.scripts(&scripts, Some(&desired), SCRIPT_LIMIT).await;
            let hashes: Vec<_> = desired.scripts.iter().map(|script| script.hash).collect();
            worker.cache.prune(&hashes);
            Event::ScriptsRan(receipts)
        };
        if self.spawn(tasks, work) { None } else { Some(Event::ScriptsRan(Vec::new())) }
    }

    pub(super) fn work(
        &self,
        tasks: &Nursery,
        run: Box<Run>,
        desired: Option<Box<Desired>>,
    ) -> Option<Event> {
        let number = run.run;
        let worker = self.clone();
        let work = async move {
            worker.begin(number).await;
            Event::Worked(number, worker.do_work(run.work, desired).await)
        };
        if self.spawn(tasks, work) { None } else { Some(Event::Worked(number, vec![no_room("run")])) }
    }

    /// Writes down that a run begins: were it begun again after a restart, its scripts would run twice.
    /// Where that cannot be written it is begun all the same: it may be what makes room on the disk.
    async fn begin(&self, run: u64) {
        let state = self.state.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || state.begin(run)).await {
            tracing::warn!(run, error = chain(&error), "could not note that a run begins");
        }
    }

    /// First the files, then the state, then the scripts, which may rely on both.
    async fn do_work(&self, work: Work, desired: Option<Box<Desired>>) -> Vec<Receipt> {
        let Work { sync: files, scripts, settle, timeout_seconds } = work;
        let mut receipts = Vec::new();
        for file in &files {
            receipts.push(sync::bring(&self.host, &self.cache, file).await);
        }
        if settle && let Some(desired) = desired.clone() {
            receipts.extend(apply(Arc::clone(&self.host), desired).await);
        }
        let limit = Duration::from_secs(timeout_seconds.into()).min(MOST_RUN_LIMIT);
        let limit = if limit.is_zero() { SCRIPT_LIMIT } else { limit };
        receipts.extend(self.scripts(&scripts, desired.as_deref(), limit).await);
        receipts
    }

    async fn scripts(&self, scripts: &[Script], desired: Option<&Desired>, limit: Duration) -> Vec<Receipt> {
        let context = Context { node: &self.node, root: self.host.root().dir(), desired };
        let mut receipts = Vec::new();
        for one in scripts {
            receipts.push(script::run(&self.cache, one, context, limit).await);
        }
        receipts
    }

    fn spawn(&self, tasks: &Nursery, work: impl Future<Output = Event> + Send + 'static) -> bool {
        let notes = self.notes.clone();
        tasks.try_spawn(async move {
            let event = work.await;
            // The shell is gone only when the program stops.
            let _ = notes.send(Note::Core(event)).await;
        })
    }
}

/// The steps sync files and wait for daemons: on a thread where they may.
async fn apply(host: Arc<Host>, desired: Box<Desired>) -> Vec<Receipt> {
    let done = tokio::task::spawn_blocking(move || host.apply(&desired)).await;
    done.unwrap_or_else(|error| {
        let outcome = StepOutcome::Failed { reason: error.to_string(), status: None };
        vec![Receipt { step: "state".to_owned(), outcome }]
    })
}

fn no_room(step: &str) -> Receipt {
    let outcome = StepOutcome::Failed { reason: "too much is being done at once".to_owned(), status: None };
    Receipt { step: step.to_owned(), outcome }
}
