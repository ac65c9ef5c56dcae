//! The reports of nodes, kept on disk until the management node has stored them.
//!
//! Reports are appended in groups: those that arrive while one group is written go with the next,
//! so that a boot storm costs a few syncs and not one each.
//!
//! **Bound**: [`MOST`] reports. Beyond that the oldest are dropped, and an error says how many.

use std::sync::Arc;
use std::time::Duration;

use common::wire::push::Report;
use runtime::supervise::BoxError;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::store::{PART, Store, StoreError, seal, unseal};

/// The most reports that are kept: more than a hundred for each of a thousand nodes, which is a
/// week of a rack that reboots daily, at some hundred bytes each.
pub const MOST: u64 = 200_000;

/// Reports that wait for their group: a boot storm of a thousand nodes fits, and beyond that the
/// agents' connections wait.
const QUEUE: usize = 1024;

/// How long a disk that refused is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// The most bytes of reports in one message, below the limit of a frame.
const MESSAGE: usize = 512 << 10;

/// Where the spool stands.
#[derive(Serialize, Deserialize)]
enum Meta {
    V1 { series: u64, delivered: u64 },
}

#[derive(Deserialize)]
enum Stored {
    V1(Report),
}

/// The same, for writing.
#[derive(Serialize)]
enum StoredRef<'a> {
    V1(&'a Report),
}

/// The reports that are not delivered yet. Clones share them.
#[derive(Clone, Debug)]
pub struct Reports {
    store: Arc<Store>,
    queue: mpsc::Sender<Report>,
    state: watch::Sender<State>,
}

/// Numbers of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The name of the series.
    pub series: u64,
    /// Through which report all are delivered.
    pub delivered: u64,
    /// The number of the newest.
    pub newest: u64,
}

/// Writes what was appended. Run it beside the rest; see [`Writer::run`].
#[derive(Debug)]
pub struct Writer {
    reports: Reports,
    queue: mpsc::Receiver<Report>,
}

impl Reports {
    /// The spool in `store`. `fresh` names a series that was never used, for a new store.
    ///
    /// # Errors
    /// When the disk does not do its part.
    pub fn open(store: Arc<Store>, fresh: u64) -> Result<(Self, Writer), StoreError> {
        let meta = store.db().get(b"m")?.and_then(|bytes| unseal(&bytes));
        let last = store.db().scan_prefix(b"r").keys().next_back().transpose()?;
        let last = last.and_then(|key| number(&key)).unwrap_or(0);
        let state = match meta {
            Some(Meta::V1 { series, delivered }) => State { series, delivered, newest: last.max(delivered) },
            None => State { series: fresh, delivered: 0, newest: last },
        };
        let (queue, receiver) = mpsc::channel(QUEUE);
        let reports = Self { store, queue, state: watch::Sender::new(state) };
        if meta.is_none() {
            let mut batch = sled::Batch::default();
            batch.insert(b"m", seal(&Meta::V1 { series: state.series, delivered: 0 }));
            reports.store.commit(batch)?;
        }
        Ok((reports.clone(), Writer { reports, queue: receiver }))
    }

    /// Appends a report. It is on disk soon after; see [`Reports::changes`].
    pub async fn append(&self, report: Report) {
        if self.queue.send(report).await.is_err() {
            tracing::debug!("a report came while stopping");
        }
    }

    /// The numbers now.
    pub fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Says when reports have been added or delivered.
    pub fn changes(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The reports after number `after`, as many as one message takes, with the last one's number.
    ///
    /// # Errors
    /// When the disk does not do its part.
    pub fn read_after(&self, after: u64) -> Result<(u64, Vec<Report>), StoreError> {
        let (mut through, mut reports, mut bytes) = (after, Vec::new(), 0);
        let from = key(after.saturating_add(1), 0);
        let mut whole: Vec<u8> = Vec::new();
        let mut rows = self.store.db().range(from..b"s".to_vec()).peekable();
        while let Some(row) = rows.next() {
            let (row_key, part) = row?;
            whole.extend_from_slice(&part);
            let Some(this) = number(&row_key) else { continue };
            let more = rows.peek().and_then(|next| next.as_ref().ok()).and_then(|(next, _)| number(next));
            if more == Some(this) {
                continue;
            }
            bytes += whole.len();
            if !reports.is_empty() && bytes > MESSAGE {
                break;
            }
            through = this;
            match unseal(&whole) {
                Some(Stored::V1(report)) => reports.push(report),
                None => tracing::error!(report = this, "dropped a report that is damaged on disk"),
            }
            whole.clear();
            if reports.len() >= common::wire::MAX_LIST {
                break;
            }
        }
        Ok((through, reports))
    }

    /// Drops the reports up to `through`, which the management node has stored.
    ///
    /// # Errors
    /// When the disk does not do its part.
    pub fn release(&self, through: u64) -> Result<(), StoreError> {
        let state = self.state();
        let through = through.min(state.newest);
        if through <= state.delivered {
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        for row in self.store.db().range(b"r".to_vec()..key(through.saturating_add(1), 0)).keys() {
            batch.remove(row?);
        }
        batch.insert(b"m", seal(&Meta::V1 { series: state.series, delivered: through }));
        // Not synced: a report that comes back after a power cut is sent once more and not stored
        // twice. So it is with one that a full disk does not let go.
        match self.store.apply_unsynced(batch) {
            Err(StoreError::NoRoom(error)) => tracing::debug!(%error, "kept reports that are delivered"),
            done => done?,
        }
        self.state.send_modify(|state| state.delivered = state.delivered.max(through));
        Ok(())
    }

    /// Begins another series, because the management node has numbers of this one that were lost
    /// here. What is not delivered keeps its place.
    ///
    /// # Errors
    /// When the disk does not do its part.
    pub fn renew(&self, series: u64) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        batch.insert(b"m", seal(&Meta::V1 { series, delivered: self.state().delivered }));
        self.store.commit(batch)?;
        self.state.send_modify(|state| state.series = series);
        Ok(())
    }

    fn append_all(&self, group: &[Report]) -> Result<(), StoreError> {
        let mut newest = self.state().newest;
        let mut batch = sled::Batch::default();
        for report in group {
            newest += 1;
            for (part, bytes) in seal(&StoredRef::V1(report)).chunks(PART).enumerate() {
                // A report came in one frame of 1 MiB, so it has at most some 260 parts.
                batch.insert(key(newest, u16::try_from(part).unwrap_or(u16::MAX)), bytes);
            }
        }
        self.store.commit(batch)?;
        self.state.send_modify(|state| state.newest = newest);
        let delivered = self.state().delivered;
        if newest.saturating_sub(delivered) > MOST {
            let through = newest - MOST;
            tracing::error!(
                dropped = through - delivered,
                "dropped the oldest reports; the management node is away too long"
            );
            self.release(through)?;
        }
        Ok(())
    }
}

impl Writer {
    /// Writes until stopped; then what has come so far. A disk that refuses is asked again: the
    /// services live on meanwhile, and the agents' reports wait.
    ///
    /// # Errors
    /// When it panicked.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), BoxError> {
        loop {
            let mut group = Vec::new();
            tokio::select! {
                biased;
                taken = self.queue.recv_many(&mut group, QUEUE) => if taken == 0 { return Ok(()) },
                () = stop.cancelled() => return Ok(()),
            }
            let group: Arc<[Report]> = group.into();
            loop {
                let (reports, group) = (self.reports.clone(), Arc::clone(&group));
                let written = tokio::task::spawn_blocking(move || reports.append_all(&group)).await?;
                let Err(error) = written else { break };
                tracing::error!(
                    error = common::report::chain(&error),
                    "could not keep reports; trying again"
                );
                if stop.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
                    return Ok(());
                }
            }
        }
    }
}

fn key(number: u64, part: u16) -> Vec<u8> {
    let mut bytes = vec![b'r'];
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&part.to_be_bytes());
    bytes
}

fn number(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?))
}
