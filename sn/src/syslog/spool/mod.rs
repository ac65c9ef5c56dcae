//! Log lines on their way to the management node: a bounded queue on disk.
//!
//! Lines are numbered from 1 upwards for as long as the folder lives. The queue is a row of
//! segment files ([`segment`]); what the management node has stored is released, and a segment
//! whose lines are all released is removed. When the queue is full, the oldest segment goes: its
//! lines are counted, logged, and a line of the service node's own says so in the stream.
//!
//! **Invariants**: a reader sees a line only after it is on disk, so that no number is ever given
//! to two lines, whatever is cut off when; the newest segment is never removed, because it knows
//! the next number; what was synced before a crash is there after it, and what was torn by the
//! crash is cut off.

mod segment;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::id::NodeName;
use common::wire::push::LogLine;
use runtime::disk;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tracing::error;

use self::segment::{Batch, Segment};

/// How much the queue may take of the disk, in bytes: about 500,000 usual lines.
pub const LIMIT: u64 = 64 << 20;

/// Why the spool cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The folder cannot be made or listed.
    #[error("cannot use the log spool in {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A segment cannot be written, synced, read or removed.
    #[error("cannot use the log spool's file {}", path.display())]
    Segment {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A segment was written by a newer version.
    #[error("{} was written by a newer version; update this program, or remove the file and lose its lines", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
}

/// The queue. One writer appends and syncs, one reader reads and releases; clones of an `Arc`.
///
/// All methods but [`Spool::notified`] and the getters use the disk: the writer calls them where
/// blocking is allowed; a read of some hundred lines comes from the page cache.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    own: NodeName,
    limit: u64,
    queue: Mutex<Queue>,
    grown: Notify,
}

#[derive(Debug)]
struct Queue {
    /// Oldest first; never empty.
    segments: VecDeque<Segment>,
    /// The number of the newest line that is on disk for certain.
    synced: u64,
    /// The management node has the lines up to this one.
    released: u64,
    /// Lines that were dropped since the start because the queue was full.
    dropped: u64,
    /// Where the last read ended, so that the next need not search.
    cursor: Option<Cursor>,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The line after which it stands.
    after: u64,
    /// The first line of its segment.
    segment: u64,
    /// In the segment's file.
    offset: u64,
}

impl Spool {
    /// Opens the spool in `folder`, making it where there is none. `own` is the service node's
    /// name, in which lines about the spool itself are written.
    ///
    /// # Errors
    /// When the folder or a segment cannot be used.
    pub fn open(folder: &Path, own: NodeName) -> Result<Self, SpoolError> {
        Self::with_limit(folder, own, LIMIT)
    }

    /// The same, with another limit in bytes.
    ///
    /// # Errors
    /// As [`Spool::open`].
    pub fn with_limit(folder: &Path, own: NodeName, limit: u64) -> Result<Self, SpoolError> {
        let fail = |source| SpoolError::Folder { folder: folder.to_owned(), source };
        disk::create_dir(folder, 0o700).map_err(fail)?;
        let mut firsts = Vec::new();
        for found in fs::read_dir(folder).map_err(fail)? {
            firsts.extend(segment::first_of(&found.map_err(fail)?.file_name()));
        }
        firsts.sort_unstable();
        let mut segments = VecDeque::new();
        for first in &firsts {
            segments.push_back(Segment::open(folder, *first)?);
        }
        if let Some(newest) = segments.back() {
            // What a process that was killed had not synced is found all the same, in the page
            // cache. It is shown from here on, so that it must be on disk.
            newest.sync()?;
        }
        if segments.back().is_none_or(Segment::is_damaged) {
            // What was cut off may hold lines that the management node has, so that their numbers
            // are not used again: more numbers are skipped than lines can have been there.
            let next = segments.back().map_or(1, Segment::first_unused);
            segments.push_back(Segment::create(folder, next)?);
        }
        let synced = segments.back().map_or(0, Segment::last);
        let queue = Queue { segments, synced, released: 0, dropped: 0, cursor: None };
        let (folder, queue) = (folder.to_owned(), Mutex::new(queue));
        Ok(Self { folder, own, limit, queue, grown: Notify::new() })
    }

    /// Appends a line, and returns its number. It can be read after the next [`Spool::sync`].
    ///
    /// # Errors
    /// When it could not be written; it has no number then.
    pub fn append(&self, node: &NodeName, line: &[u8]) -> Result<u64, SpoolError> {
        let mut queue = self.queue();
        let size = segment::size_of(node, line);
        if queue.newest()?.is_full(self.limit, size) {
            self.roll(&mut queue)?;
        }
        queue.newest()?.append(node, line)
    }

    /// Makes all appended lines durable, then visible to the reader.
    ///
    /// # Errors
    /// When the disk refused; the lines stay invisible.
    pub fn sync(&self) -> Result<(), SpoolError> {
        let (file, path, last) = {
            let mut queue = self.queue();
            let synced = queue.synced;
            let newest = queue.newest()?;
            if newest.last() == synced {
                return Ok(());
            }
            (newest.file(), newest.path().to_owned(), newest.last())
        };
        // Not under the lock: a slow disk must not hold up the reader.
        let outcome = file.sync_data().map_err(|source| SpoolError::Segment { path, source });
        let mut queue = self.queue();
        if outcome.is_err() {
            queue.newest()?.distrust();
            return outcome;
        }
        queue.synced = queue.synced.max(last);
        drop(queue);
        self.grown.notify_one();
        Ok(())
    }

    /// The lines after number `seq`, oldest first: at most `max_lines`, and no more than
    /// `max_bytes` of text, but one line at least where there is one. Numbers that are gone (the
    /// queue was full) are skipped.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn read_after(
        &self,
        seq: u64,
        max_lines: usize,
        max_bytes: usize,
    ) -> Result<Vec<(u64, LogLine)>, SpoolError> {
        let mut queue = self.queue();
        let mut batch = Batch::new(max_lines, max_bytes, queue.synced);
        let mut after = seq;
        while let Some(segment) = queue.segments.iter().find(|one| one.last() > after) {
            let known = queue.cursor.filter(|at| at.after == after && at.segment == segment.first());
            let offset = segment.read(after, known.map(|at| at.offset), &mut batch)?;
            let (segment, last) = (segment.first(), segment.last());
            if batch.is_full() || last >= queue.synced {
                let after = batch.lines.last().map_or(after, |(number, _)| *number);
                queue.cursor = Some(Cursor { after, segment, offset });
                break;
            }
            after = last;
        }
        Ok(batch.lines)
    }

    /// The management node has the lines up to number `through`: they may go.
    ///
    /// # Errors
    /// When a segment cannot be removed; the lines are released all the same.
    pub fn release(&self, through: u64) -> Result<(), SpoolError> {
        let mut queue = self.queue();
        queue.released = queue.released.max(through.min(queue.synced));
        while queue.segments.len() > 1 && queue.segments.front().is_some_and(|one| one.last() <= through) {
            if let Some(oldest) = queue.segments.pop_front() {
                oldest.remove()?;
            }
        }
        Ok(())
    }

    /// The number of the newest line that can be read; 0 before the first.
    pub fn last(&self) -> u64 {
        self.queue().synced
    }

    /// How many lines were dropped since the start because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.queue().dropped
    }

    /// Resolves when lines have become readable since the last time this was awaited. For one
    /// reader: it reads until nothing comes, then waits for this.
    pub fn notified(&self) -> Notified<'_> {
        self.grown.notified()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Each method leaves the queue sound at every point where it could panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a new segment, and makes room where the queue is full.
    fn roll(&self, queue: &mut Queue) -> Result<(), SpoolError> {
        let newest = queue.newest()?;
        newest.sync()?;
        let last = newest.last();
        let segment = Segment::create(&self.folder, last + 1)?;
        queue.segments.push_back(segment);
        queue.synced = queue.synced.max(last);
        let mut lost = None;
        while queue.segments.len() > 1 && queue.bytes() + segment::most(self.limit) > self.limit {
            let Some(oldest) = queue.segments.pop_front() else { break };
            let first = oldest.first().max(queue.released + 1);
            if first <= oldest.last() {
                let (from, _) = lost.unwrap_or((first, 0));
                lost = Some((from, oldest.last()));
            }
            oldest.remove()?;
        }
        if let Some((from, to)) = lost {
            let lines = to - from + 1;
            queue.dropped += lines;
            error!(lines, "log lines were dropped: the management node takes none, and the spool is full");
            let notice = format!(
                "<43>drover: {lines} log lines of this service node's nodes (numbers {from} to {to}) were dropped: \
                 the management node took none, and the spool is full; the nodes' own files here have them"
            );
            queue.newest()?.append(&self.own, notice.as_bytes())?;
        }
        Ok(())
    }
}

impl Queue {
    fn newest(&mut self) -> Result<&mut Segment, SpoolError> {
        // There always is one; see the field.
        self.segments.back_mut().ok_or_else(|| SpoolError::Folder {
            folder: PathBuf::new(),
            source: io::Error::other("the log spool has no segment; this is a bug"),
        })
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(Segment::bytes).sum()
    }
}

/// A file that several may hold.
type Shared = Arc<File>;

#[cfg(test)]
mod tests;
