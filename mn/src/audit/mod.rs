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
//!   that much and what one sync takes. An orderly stop loses nothing.
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

use mn_core::audit::{Entry, Outcome};
use mn_core::model::Model;
use tokio::sync::{mpsc, oneshot};

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
        self.record(Entry {
            at: runtime::clock::unix_seconds(),
            user: user.to_owned(),
            host: from.to_owned(),
            client: "link".to_owned(),
            command: "connect".to_owned(),
            outcome: Outcome::Denied(why.to_owned()),
            quiet: mn_core::audit::is_quiet(model),
            ..Entry::default()
        });
    }

    /// The newest entries, at most so many, oldest first; those recorded before this call among them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn newest(&self, most: usize) -> io::Result<Vec<Entry>> {
        let (done, written) = oneshot::channel();
        if self.requests.send(Request::Barrier(done)).await.is_ok() {
            // A disk that hangs keeps back the newest entries, not the answer.
            let _ = tokio::time::timeout(BARRIER_LIMIT, written).await;
        }
        let reader = self.reader.clone();
        tokio::task::spawn_blocking(move || reader.newest(most)).await.map_err(io::Error::other)?
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

/// An entry whose outcome is still to come; recorded when it is dropped, too.
#[derive(Debug)]
pub(crate) struct Pending {
    audit: Audit,
    entry: Option<Entry>,
}

impl Pending {
    pub(crate) fn new(audit: &Audit, entry: Entry) -> Self {
        Self { audit: audit.clone(), entry: Some(entry) }
    }

    /// Records it with what became of it.
    pub(crate) fn end(mut self, outcome: Outcome) {
        if let Some(entry) = self.entry.take() {
            self.audit.record(Entry { outcome, ..entry });
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.audit.record(Entry { outcome: Outcome::CutOff, ..entry });
        }
    }
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
