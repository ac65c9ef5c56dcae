//! The audit log: every command that was given, reads too, allowed or refused, with who, from where,
//! when, the words and the outcome. Changes stand in the journal besides, with their rows.
//!
//! | file | what |
//! |---|---|
//! | [`files`] | segments of checked lines in `DIR/audit/` |
//! | [`keeper`] | the one task that writes them |
//! | [`crowd`] | refused commands of one caller: the first of each minute, then their number |
//!
//! **Invariants**
//! - Nobody waits for the disk: [`Audit::record`] puts an entry into a bounded queue. The keeper
//!   writes and syncs what has come at most every [`keeper::GATHER`]; so a kill or a power cut loses
//!   that much and what one sync takes, and the commands that had not ended. An orderly stop loses
//!   nothing.
//! - Where the disk does not keep up or is full, entries are dropped and counted, and the count is
//!   an entry of its own.
//! - The log is bounded by [`Limits`]. Who is refused over and over fills it no faster than twenty
//!   entries a minute.

mod crowd;
mod files;
mod keeper;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::id::Revision;
use common::report::Refusal;
use mn_core::audit::{Entry, Outcome};
use mn_core::model::Model;
use mn_core::table::schema::AUDITLOG;
use tokio::sync::{mpsc, oneshot};

pub(crate) use self::files::Back;
pub use self::files::Limits;
use self::files::Reader;
pub use self::keeper::Keeper;

/// How many entries may wait for the keeper: a few megabytes, and seconds of the busiest daemon.
const QUEUE: usize = 16_384;

/// How long who reads waits for what was recorded a moment ago to be written.
const BARRIER_LIMIT: Duration = Duration::from_secs(2);

/// What is to go from the log. What goes is always the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prune {
    /// All of it.
    All,
    /// So many entries.
    Oldest(u64),
    /// Those with a lower number than this.
    Below(u64),
    /// So many in a hundred.
    Percent(u8),
    /// Those that are older than this moment, in seconds since 1970.
    Before(u64),
}

/// The handle of the log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Audit {
    requests: mpsc::Sender<Request>,
    lost: Arc<AtomicU64>,
    reader: Reader,
}

#[derive(Debug)]
enum Request {
    Record(Box<Entry>),
    /// Answered once everything before it is written.
    Barrier(oneshot::Sender<()>),
    Prune {
        what: Prune,
        done: oneshot::Sender<io::Result<Vec<Entry>>>,
    },
}

impl Request {
    /// Whether somebody waits for it.
    const fn is_awaited(&self) -> bool {
        !matches!(self, Self::Record(_))
    }
}

/// Opens the log in `dir`, which is made if it is missing: the handle, and the keeper that is to be
/// run.
///
/// # Errors
/// When the disk refuses.
pub fn open(dir: &Path, limits: Limits) -> io::Result<(Audit, Keeper)> {
    let files = files::Files::open(dir, limits)?;
    let (requests, came) = mpsc::channel(QUEUE);
    let lost = Arc::new(AtomicU64::new(0));
    let reader = Reader::new(dir);
    let keeper = Keeper::new(files, came, Arc::clone(&lost));
    Ok((Audit { requests, lost, reader }, keeper))
}

/// Where the log is.
pub(crate) fn dir(home: &Path) -> PathBuf {
    home.join("audit")
}

impl Audit {
    /// Records an entry. Never waits.
    pub fn record(&self, entry: Entry) {
        if self.requests.try_send(Request::Record(Box::new(entry))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records somebody who was refused before he could give a command.
    pub(crate) fn refused(&self, model: &Model, user: &str, from: &str, why: &str) {
        self.record(Entry { outcome: Outcome::Denied(why.to_owned()), ..stranger(model, user, from) });
    }

    /// Records that somebody has become an operator.
    pub(crate) fn joined(&self, model: &Model, user: &str, from: &str) {
        let command = "login".to_owned();
        self.record(Entry { command, outcome: Outcome::Ended(0), ..stranger(model, user, from) });
    }

    /// The entries that are wanted, oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) async fn chosen(&self, is_wanted: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>, Refusal> {
        let entries = self.newest(usize::MAX).await;
        let entries = entries
            .map_err(|error| Refusal::new("the audit log cannot be read").because(error.to_string()))?;
        Ok(entries.into_iter().filter(|entry| is_wanted(entry)).collect())
    }

    /// The newest entries, at most so many, oldest first; those recorded before this call among them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn newest(&self, most: usize) -> io::Result<Vec<Entry>> {
        self.written().await;
        let reader = self.reader.clone();
        tokio::task::spawn_blocking(move || reader.newest(most)).await.map_err(io::Error::other)?
    }

    /// The entries one by one, newest first, those recorded before this call among them; a segment
    /// is read when it is come to, so on a thread that may block.
    pub(crate) async fn back(&self) -> Back {
        self.written().await;
        self.reader.back()
    }

    /// Waits until what was recorded so far is written. A disk that hangs keeps back the newest
    /// entries, not the answer.
    async fn written(&self) {
        let (done, written) = oneshot::channel();
        if self.requests.send(Request::Barrier(done)).await.is_ok() {
            let _ = tokio::time::timeout(BARRIER_LIMIT, written).await;
        }
    }

    /// Takes entries out of the log; gives them, oldest first.
    ///
    /// # Errors
    /// When the disk refuses, or the daemon stops.
    pub async fn prune(&self, what: Prune) -> io::Result<Vec<Entry>> {
        let stopping = || io::Error::other("the daemon is stopping");
        let (done, pruned) = oneshot::channel();
        self.requests.send(Request::Prune { what, done }).await.map_err(|_| stopping())?;
        pruned.await.map_err(|_| stopping())?
    }
}

/// What a command has left behind so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left {
    /// The newest revision there is.
    pub(crate) seen: Revision,
    /// Those that it made.
    pub(crate) made: Vec<Revision>,
    /// Why it was refused, wholly or in part.
    pub(crate) why: String,
}

/// Gives what a command has left behind so far.
type Trail = Box<dyn Fn() -> Left + Send>;

/// An entry whose outcome is still to come; recorded when it is dropped, too.
pub(crate) struct Pending {
    audit: Audit,
    entry: Option<Entry>,
    trail: Trail,
}

impl Pending {
    /// `trail` is asked at the end.
    pub(crate) fn new(audit: &Audit, entry: Entry, trail: impl Fn() -> Left + Send + 'static) -> Self {
        Self { audit: audit.clone(), entry: Some(entry), trail: Box::new(trail) }
    }

    /// Records it with what became of it.
    pub(crate) fn end(mut self, outcome: Outcome) {
        self.record(outcome);
    }

    fn record(&mut self, outcome: Outcome) {
        if let Some(entry) = self.entry.take() {
            let left = (self.trail)();
            let made = left.made.iter().map(|revision| revision.value()).collect();
            self.audit.record(Entry { outcome, seen: left.seen.value(), made, why: left.why, ..entry });
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.record(Outcome::CutOff);
    }
}

/// What is known of somebody who did not get as far as giving a command.
fn stranger(model: &Model, user: &str, from: &str) -> Entry {
    Entry {
        at: runtime::clock::unix_seconds(),
        user: user.to_owned(),
        host: from.to_owned(),
        client: "link".to_owned(),
        command: "connect".to_owned(),
        seen: model.revision().value(),
        quiet: mn_core::audit::is_quiet(model),
        ..Entry::default()
    }
}

/// A model with entries of the audit log in it, as rows of xCAT's table.
pub(crate) fn lay_in(model: &Model, entries: &[Entry]) -> Model {
    model.with_log(AUDITLOG, entries.iter().map(|entry| entry.row(&time)))
}

/// A moment as xCAT writes it into the `auditlog` table, in the host's time.
pub(crate) fn time(seconds: u64) -> String {
    let second = i64::try_from(seconds).unwrap_or(0);
    let shown = jiff::Timestamp::from_second(second)
        .map(|time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string());
    shown.unwrap_or_default()
}

#[cfg(test)]
mod tests;
