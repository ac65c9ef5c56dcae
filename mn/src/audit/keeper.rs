//! The one task that writes the log.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mn_core::audit::{Entry, Outcome};
use runtime::supervise::BoxError;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Request;
use super::crowd::Crowd;
use super::files::Files;

/// How long entries are gathered before they are written together.
pub(super) const GATHER: Duration = Duration::from_millis(100);

/// How many are written together at most.
const BATCH: usize = 1024;

/// How often the log is looked at where nothing comes.
const LOOK: Duration = Duration::from_secs(10);

/// After the stop: how long without a new entry it takes to end. The last commands end meanwhile.
const LINGER: Duration = Duration::from_millis(300);

/// How often the log is trimmed, in seconds.
const TRIM: u64 = 600;

/// Writes the log. [`Keeper::run`] it under the supervisor.
#[derive(Debug)]
pub struct Keeper {
    files: Files,
    requests: mpsc::Receiver<Request>,
    lost: Arc<AtomicU64>,
    crowd: Crowd,
    trimmed: u64,
    /// The last write failed.
    failing: bool,
}

impl Keeper {
    pub(super) fn new(files: Files, requests: mpsc::Receiver<Request>, lost: Arc<AtomicU64>) -> Self {
        Self {
            files,
            requests,
            lost,
            crowd: Crowd::new(runtime::clock::unix_seconds()),
            trimmed: 0,
            failing: false,
        }
    }

    /// Writes until `stop`, on a thread that may block on the disk.
    ///
    /// # Errors
    /// Never: a disk that refuses costs entries, which are counted, and not the daemon.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BoxError> {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || self.keep(&runtime, &stop)).await?;
        Ok(())
    }

    fn keep(mut self, runtime: &tokio::runtime::Handle, stop: &CancellationToken) {
        let mut batch = Vec::new();
        loop {
            let is_open = runtime.block_on(self.gather(&mut batch, stop));
            let (mut entries, mut barriers) = (Vec::new(), Vec::new());
            for request in batch.drain(..) {
                match request {
                    Request::Record(entry) => entries.push(*entry),
                    Request::Barrier(done) => barriers.push(done),
                    Request::Prune { what, done } => {
                        self.write(std::mem::take(&mut entries), false);
                        // Who asked may have gone.
                        let _ = done.send(self.files.prune(what));
                    }
                }
            }
            self.write(entries, !is_open);
            for done in barriers {
                let _ = done.send(());
            }
            if !is_open {
                return;
            }
        }
    }

    /// Waits for requests; says `false` when no more come.
    async fn gather(&mut self, batch: &mut Vec<Request>, stop: &CancellationToken) -> bool {
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => tokio::time::timeout(LINGER, self.requests.recv_many(batch, BATCH)).await.ok(),
            came = tokio::time::timeout(LOOK, self.requests.recv_many(batch, BATCH)) => Some(came.unwrap_or(1)),
        };
        if first.is_none_or(|count| count == 0) {
            return false;
        }
        let moment = tokio::time::sleep(GATHER);
        tokio::pin!(moment);
        while !batch.is_empty() && batch.len() < BATCH && !batch.iter().any(Request::is_awaited) {
            let room = BATCH - batch.len();
            tokio::select! {
                () = stop.cancelled() => break,
                () = &mut moment => break,
                more = self.requests.recv_many(batch, room) => if more == 0 { break },
            }
        }
        true
    }

    fn write(&mut self, entries: Vec<Entry>, is_last: bool) {
        let now = runtime::clock::unix_seconds();
        let mut kept: Vec<Entry> = entries.into_iter().filter(|entry| self.crowd.lets(entry)).collect();
        kept.extend(self.crowd.turn(now, is_last));
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            kept.push(lost_entry(now, lost));
        }
        if kept.is_empty() {
            return;
        }
        match self.files.append(&mut kept) {
            Ok(()) => self.note_written(&kept, now),
            Err(error) => self.note_failed(&error, &kept),
        }
    }

    fn note_written(&mut self, entries: &[Entry], now: u64) {
        if std::mem::take(&mut self.failing) {
            info!("the audit log is written again");
        }
        for entry in entries.iter().filter(|entry| entry.is_for_syslog()) {
            let Entry { user, host, command, nodes, outcome, .. } = entry;
            info!(who = user, from = host, command, nodes, outcome = outcome.text(), "command was given");
        }
        if now.saturating_sub(self.trimmed) >= TRIM {
            self.trimmed = now;
            if let Err(error) = self.files.trim(now) {
                warn!(%error, "the audit log was not trimmed");
            }
        }
    }

    fn note_failed(&mut self, error: &io::Error, entries: &[Entry]) {
        let lost: u64 = entries
            .iter()
            .map(|entry| if let Outcome::Lost(count) = entry.outcome { count } else { 1 })
            .sum();
        self.lost.fetch_add(lost, Ordering::Relaxed);
        if !std::mem::replace(&mut self.failing, true) {
            warn!(%error, "the audit log cannot be written; commands go on and are counted");
        }
    }
}

fn lost_entry(at: u64, count: u64) -> Entry {
    Entry {
        at,
        user: "mn".to_owned(),
        client: "other".to_owned(),
        command: "audit".to_owned(),
        words: vec!["audit".to_owned()],
        outcome: Outcome::Lost(count),
        ..Entry::default()
    }
}
