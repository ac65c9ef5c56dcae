//! The one writer, and the snapshots that everyone reads.
//!
//! A [`Book`] is the handle. [`Book::read`] gives the newest committed model and never waits.
//! [`Book::change`] hands a planner to the [`Writer`], which runs it on the newest model (so no plan
//! is ever stale), commits what has queued up as one group, publishes the model, and only then
//! answers: what was answered is on the disk, and whoever reads sees it.
//! Each change is a revision; what acts on the world alone (scripts that were run) may ask to be one.
//! A refused command is none and waits for no disk; [`Made`] tells why it was refused.

mod asked;
mod made;
mod upkeep;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use common::id::{Revision, SnName};
use mn_core::draft::{Change, Draft};
use mn_core::model::Model;
use mn_core::table::Edit;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

pub use self::asked::{BookError, By, Committed, Planned};
pub use self::made::Made;
use self::upkeep::Forget;
use super::{Commit, Cooling, Cursor, History, Issued, Loaded, Store, StoreError};

/// How many requests may wait for the writer. Each is a boxed planner of a few hundred bytes; who
/// comes later waits in `send`, which is the back-pressure.
const QUEUE: usize = 1024;

/// How many edits a group may gather before it is committed: a few megabytes.
const GROUP_EDITS: usize = 20_000;

/// After a group of so many edits the memory that it took is given back; a few megabytes.
const LARGE: usize = 5_000;

/// How often generations that wait for room on the disk are tried again.
const LOOK: Duration = Duration::from_secs(1);

/// What changes along with the edits of any transaction, whoever planned it: given the model with
/// the edits applied.
pub type Companions = fn(&Model, &[Edit]) -> Vec<Edit>;

type Finish = Box<dyn FnOnce(Result<Option<Revision>, BookError>) + Send>;
type Plan = Box<dyn FnOnce(&Model) -> (Option<Step>, Finish) + Send>;

/// What a plan wants committed.
#[derive(Debug)]
struct Step {
    commit: Commit,
    /// What its edits make of the model that was planned on, where that is known.
    after: Option<Model>,
}

enum Request {
    Change { plan: Plan },
    Issue { generations: BTreeMap<SnName, Issued>, done: oneshot::Sender<()> },
    Forget(Forget),
}

/// The handle of readers and of those who ask for changes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Book {
    model: Arc<ArcSwap<Model>>,
    requests: mpsc::Sender<Request>,
    revisions: watch::Receiver<Revision>,
    history: History,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Change { .. } => "Change",
            Self::Issue { .. } => "Issue",
            Self::Forget(_) => "Forget",
        })
    }
}

/// The writer: owns the store. [`Writer::run`] it under the supervisor.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    companions: Companions,
    model: Arc<ArcSwap<Model>>,
    requests: mpsc::Receiver<Request>,
    revisions: watch::Sender<Revision>,
    unissued: Unissued,
    /// All rows were read or a large group was committed, and the memory that it took is not given
    /// back yet.
    swollen: Option<Cooling>,
    /// The last time there was no room on the disk.
    full: bool,
}

/// The numbers that a store keeps beside the rows, as they were when it was opened.
#[derive(Debug, Default)]
pub struct Numbers {
    /// The generation of each service node's slice.
    pub generations: BTreeMap<SnName, Issued>,
    /// How far each service node's reports are stored.
    pub cursors: BTreeMap<SnName, Cursor>,
}

/// Opens the store in `dir`: the handle, the writer that is to be run, and the numbers. What
/// `companions` gives is part of each transaction.
///
/// # Errors
/// As [`Store::open`].
pub fn open(dir: &Path, companions: Companions) -> Result<(Book, Writer, Numbers), StoreError> {
    let (store, loaded) = Store::open(dir)?;
    let Loaded { tables, revision, generations, cursors } = loaded;
    let model = Arc::new(ArcSwap::from_pointee(Model::new(tables, revision)));
    let (sender, requests) = mpsc::channel(QUEUE);
    let (revisions, watching) = watch::channel(revision);
    let book =
        Book { model: Arc::clone(&model), requests: sender, revisions: watching, history: store.history() };
    let unissued = Unissued::default();
    let writer = Writer {
        store,
        companions,
        model,
        requests,
        revisions,
        unissued,
        swollen: Some(Cooling::default()),
        full: false,
    };
    Ok((book, writer, Numbers { generations, cursors }))
}

impl Book {
    /// The newest committed model. Never waits.
    pub fn read(&self) -> Arc<Model> {
        self.model.load_full()
    }

    /// Tells of every new revision, so that who waits for one never waits in vain.
    pub fn revisions(&self) -> watch::Receiver<Revision> {
        self.revisions.clone()
    }

    /// The journal.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Plans on the newest model and commits; returns when it is on the disk and published.
    ///
    /// # Errors
    /// When the daemon stops, the disk is full, or the planner panics. A refusal is a value of the
    /// planner.
    pub async fn change<T: Send + 'static>(
        &self,
        by: By,
        plan: impl FnOnce(&Model) -> Planned<T> + Send + 'static,
    ) -> Result<Committed<T>, BookError> {
        let (answer, answered) = oneshot::channel();
        let made = by.made.clone();
        let plan: Plan = Box::new(move |model| prepare(model, by, plan, answer));
        self.requests.send(Request::Change { plan }).await.map_err(|_| BookError::Stopped)?;
        let committed: Committed<T> = answered.await.map_err(|_| BookError::Stopped)??;
        committed.revision.into_iter().for_each(|revision| made.note(revision));
        Ok(committed)
    }

    /// Changes rows on behalf of the daemon itself; recorded where it changes something.
    ///
    /// # Errors
    /// As [`Book::change`].
    pub async fn edit<T: Send + 'static>(
        &self,
        by: By,
        edit: impl FnOnce(&mut Draft) -> T + Send + 'static,
    ) -> Result<Committed<T>, BookError> {
        self.change(by, |model| {
            let mut draft = Draft::new(model);
            let value = edit(&mut draft);
            Planned::new(Some(draft.finish()), value)
        })
        .await
    }

    /// Stores generations that are about to be pushed; on the disk when this returns, which on a
    /// full disk is when there is room.
    ///
    /// # Errors
    /// When the daemon stops.
    pub async fn issue(&self, generations: BTreeMap<SnName, Issued>) -> Result<(), BookError> {
        let (done, answered) = oneshot::channel();
        let request = Request::Issue { generations, done };
        self.requests.send(request).await.map_err(|_| BookError::Stopped)?;
        answered.await.map_err(|_| BookError::Stopped)
    }
}

/// Runs a planner on the writer's thread: what it wants committed, and what is to be done then.
fn prepare<T: Send + 'static>(
    model: &Model,
    by: By,
    plan: impl FnOnce(&Model) -> Planned<T>,
    answer: oneshot::Sender<Result<Committed<T>, BookError>>,
) -> (Option<Step>, Finish) {
    // Who has stopped waiting does not want the answer, so that it is dropped below.
    let Ok(planned) = catch_unwind(AssertUnwindSafe(|| plan(model))) else {
        error!(author = %by.author, words = ?by.words, "planning a change panicked: a bug of ours");
        return (None, Box::new(move |_| drop(answer.send(Err(BookError::Bug)))));
    };
    let Planned { change, note, record, cursor, value } = planned;
    let is_current = change.as_ref().is_some_and(|change| change.base() == model.revision());
    let parts = change.map(Change::into_parts).map(|(edits, after)| (edits, Some(after)));
    let (edits, after) = parts.unwrap_or_default();
    if edits.iter().any(|edit| edit.key.as_str().contains('\0')) {
        return (None, Box::new(move |_| drop(answer.send(Err(BookError::OddKey)))));
    }
    let makes_one = record || cursor.is_some() || !edits.is_empty();
    by.made.refuse(if makes_one { "" } else { &note });
    let step = makes_one.then(|| Step {
        commit: Commit {
            edits,
            author: by.author,
            at: runtime::clock::unix_seconds(),
            words: by.words,
            note,
            cursor,
        },
        after: after.filter(|_| is_current),
    });
    let finish = move |done: Result<Option<Revision>, BookError>| {
        drop(answer.send(done.map(|revision| Committed { revision, value })));
    };
    (step, Box::new(finish))
}

impl Writer {
    /// Serves requests until `stop`, on a thread that may block on the disk.
    ///
    /// # Errors
    /// When the disk refuses. Nothing can be promised then, so the daemon has to end.
    pub async fn run(self, stop: CancellationToken) -> Result<(), runtime::supervise::BoxError> {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || self.serve(&runtime, &stop)).await??;
        Ok(())
    }

    fn serve(mut self, runtime: &tokio::runtime::Handle, stop: &CancellationToken) -> Result<(), StoreError> {
        info!(revision = %self.store.revision(), "writer started");
        loop {
            // What waits for room is tried again by time alone: nobody says when there is room.
            // What is forgotten is taken out when nothing else is asked for; rows that are committed
            // are carried to their places then and after each group, so that they do not pile up.
            let look = self.patience();
            let next = runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => Some(None),
                    request = tokio::time::timeout(look, self.requests.recv()) => request.ok(),
                }
            });
            match next {
                Some(Some(first)) => self.turn(first)?,
                Some(None) => return self.settle(),
                None => {
                    self.issue()?;
                    self.sweep()?;
                    self.cool()?;
                }
            }
            self.carry()?;
        }
    }

    /// Commits one request and what has queued up behind it.
    fn turn(&mut self, first: Request) -> Result<(), StoreError> {
        let mut forgets = Vec::new();
        self.commit(first, &mut forgets)?;
        forgets.into_iter().try_for_each(|forget| self.forget(forget))
    }

    fn commit(&mut self, first: Request, forgets: &mut Vec<Forget>) -> Result<(), StoreError> {
        let started = runtime::clock::now();
        let mut group = Group::on(self.model.load().as_ref().clone());
        group.take(first, self.companions);
        while group.edits < GROUP_EDITS && group.requests < QUEUE {
            let Ok(request) = self.requests.try_recv() else { break };
            group.take(request, self.companions);
        }
        forgets.append(&mut group.forgets);
        group.commits.iter().for_each(|commit| group.model.tighten(&commit.edits));
        let planned = runtime::clock::now();
        match self.store.commit(&group.commits) {
            Ok(_) => self.note_room(),
            Err(StoreError::NoRoom(error)) => {
                self.note_full(&error);
                group.finishes.into_iter().for_each(|(finish, _)| finish(Err(BookError::NoRoom)));
                self.unissued.add(group.generations, group.issued);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.unissued.add(group.generations, group.issued);
        if !group.commits.is_empty() {
            let revision = group.model.revision();
            debug!(
                %revision,
                edits = group.edits,
                plan_ms = planned.since(started).as_millis(),
                elapsed_ms = runtime::clock::now().since(started).as_millis(),
                "group committed"
            );
            self.model.store(Arc::new(group.model));
            self.revisions.send_replace(revision);
        }
        group.finishes.into_iter().for_each(|(finish, revision)| finish(Ok(revision)));
        self.issue()?;
        if group.edits >= LARGE {
            self.swollen = Some(Cooling::default());
        }
        Ok(())
    }

    fn note_full(&mut self, error: &std::io::Error) {
        if !std::mem::replace(&mut self.full, true) {
            error!(%error, "refusing changes; free some space on the disk of the management node's folder");
        }
    }

    fn note_room(&mut self) {
        if std::mem::take(&mut self.full) {
            info!("there is room on the disk again; taking changes");
        }
    }

    /// Stores the generations that wait; where there is no room, they wait on.
    fn issue(&mut self) -> Result<(), StoreError> {
        if self.unissued.done.is_empty() {
            return Ok(());
        }
        match self.store.issue(&self.unissued.generations) {
            Ok(()) => {}
            Err(StoreError::NoRoom(error)) => {
                self.note_full(&error);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        for done in std::mem::take(&mut self.unissued).done {
            // The hub has stopped waiting only where the daemon ends.
            let _ = done.send(());
        }
        Ok(())
    }
}

/// Generations that are not on the disk yet, and who waits for them.
#[derive(Debug, Default)]
struct Unissued {
    generations: BTreeMap<SnName, Issued>,
    done: Vec<oneshot::Sender<()>>,
}

impl Unissued {
    fn add(&mut self, generations: BTreeMap<SnName, Issued>, done: Vec<oneshot::Sender<()>>) {
        self.generations.extend(generations);
        self.done.extend(done);
    }
}

/// What is committed together.
struct Group {
    model: Model,
    requests: usize,
    edits: usize,
    commits: Vec<Commit>,
    finishes: Vec<(Finish, Option<Revision>)>,
    generations: BTreeMap<SnName, Issued>,
    issued: Vec<oneshot::Sender<()>>,
    forgets: Vec<Forget>,
}

impl Group {
    fn on(model: Model) -> Self {
        Self {
            model,
            requests: 0,
            edits: 0,
            commits: Vec::new(),
            finishes: Vec::new(),
            generations: BTreeMap::new(),
            issued: Vec::new(),
            forgets: Vec::new(),
        }
    }

    fn take(&mut self, request: Request, companions: Companions) {
        self.requests += 1;
        match request {
            Request::Issue { generations, done } => {
                self.generations.extend(generations);
                self.issued.push(done);
            }
            Request::Forget(forget) => self.forgets.push(forget),
            Request::Change { plan } => {
                let (step, finish) = plan(&self.model);
                let revision = step.map(|Step { mut commit, after }| {
                    let revision = self.model.revision().next();
                    match after {
                        Some(after) => self.model = after.numbered(revision),
                        None => self.model.apply(&commit.edits, revision),
                    }
                    let more = companions(&self.model, &commit.edits);
                    if !more.is_empty() {
                        self.model.apply(&more, revision);
                        commit.edits.extend(more);
                    }
                    self.edits += commit.edits.len();
                    self.commits.push(commit);
                    revision
                });
                self.finishes.push((finish, revision));
            }
        }
    }
}

#[cfg(test)]
mod tests;
