//! One file of the spool: a mark with its version, then records.
//!
//! A record is its payload's length and CRC-32 (each 4 bytes, little-endian), then the payload: the
//! line's number (8 bytes), the length of the node's name (1 byte), the name, the line. The file's
//! name is the number of its first line, in 20 digits.
//!
//! **Invariant**: what is read is whole and was written here; reading ends before the first record
//! that is not.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::id::NodeName;
use common::wire::push::LogLine;
use runtime::disk;
use sn_proto::syslog::MAX_LINE;
use tracing::{error, warn};

use super::{Shared, SpoolError};

/// What a segment begins with; the digit is the version.
const MARK: &[u8; 16] = b"drover spool 1\n\0";
/// The part of [`MARK`] that all versions have.
const ANY_VERSION: &[u8] = b"drover spool ";
/// Length and checksum.
const HEAD: usize = 8;
/// A payload without name and line.
const FIXED: usize = 9;
/// The longest payload; a name has at most 200 bytes.
const MAX_PAYLOAD: usize = FIXED + 255 + MAX_LINE;

/// How large a segment may become, in bytes, in a spool with this limit.
pub(super) const fn most(limit: u64) -> u64 {
    limit / 16
}

/// The number of the first line of the segment with this file name; none when it is none of ours.
pub(super) fn first_of(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// One file of the spool.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: Shared,
    first: u64,
    /// One before `first` while there is no line.
    last: u64,
    /// How much of the file is sound.
    bytes: u64,
    /// How much was found after that when the file was opened.
    damaged: u64,
    /// Whether a sync of it has failed.
    distrusted: bool,
}

/// Lines that are being collected for a reader.
#[derive(Debug)]
pub(super) struct Batch {
    /// The lines so far, with their numbers.
    pub(super) lines: Vec<(u64, LogLine)>,
    most: usize,
    room: usize,
    through: u64,
    full: bool,
}

impl Batch {
    /// Of at most `lines` lines and `bytes` bytes of text, and of none after number `through`.
    pub(super) const fn new(lines: usize, bytes: usize, through: u64) -> Self {
        Self { lines: Vec::new(), most: lines, room: bytes, through, full: lines == 0 }
    }

    /// Whether it takes no more.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    fn take(&mut self, number: u64, line: LogLine) -> bool {
        let is_too_much = line.line.len() > self.room && !self.lines.is_empty();
        self.full |= is_too_much || number > self.through || self.lines.len() >= self.most;
        if !self.full {
            self.room = self.room.saturating_sub(line.line.len());
            self.lines.push((number, line));
        }
        !self.full
    }
}

impl Segment {
    /// Makes the segment that begins with line `first`, durably.
    pub(super) fn create(folder: &Path, first: u64) -> Result<Self, SpoolError> {
        let path = folder.join(format!("{first:020}.log"));
        let made = || {
            // A file of this name is the rest of an attempt on a full disk: it never had a line.
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all_at(MARK, 0)?;
            file.sync_all()?;
            disk::sync_dir(folder)?;
            Ok(file)
        };
        let file = made().map_err(|source| SpoolError::Segment { path: path.clone(), source })?;
        let bytes = MARK.len() as u64;
        Ok(Self {
            path,
            file: Arc::new(file),
            first,
            last: first.saturating_sub(1),
            bytes,
            damaged: 0,
            distrusted: false,
        })
    }

    /// Opens the segment that begins with line `first`, and finds where its sound part ends.
    pub(super) fn open(folder: &Path, first: u64) -> Result<Self, SpoolError> {
        let path = folder.join(format!("{first:020}.log"));
        let fail = |source| SpoolError::Segment { path: path.clone(), source };
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        let last = first.saturating_sub(1);
        let mut segment = Self {
            path: path.clone(),
            file: Arc::new(file),
            first,
            last,
            bytes: 0,
            damaged: 0,
            distrusted: false,
        };
        let mut mark = [0; MARK.len()];
        if segment.file.read_exact_at(&mut mark, 0).is_ok() {
            if mark == *MARK {
                segment.bytes = MARK.len() as u64;
                segment.find_end(length).map_err(fail)?;
            } else if mark.starts_with(ANY_VERSION) {
                return Err(SpoolError::Newer { path });
            }
        }
        segment.damaged = length.saturating_sub(segment.bytes);
        if segment.damaged > 0 {
            let (path, bytes) = (path.display(), segment.damaged);
            warn!(%path, bytes, "the end of a file of the log spool was torn by a crash, and is left out");
        }
        Ok(segment)
    }

    fn find_end(&mut self, length: u64) -> io::Result<()> {
        let mut records = Records::new(&self.file, self.bytes, length);
        while let Some(record) = records.next()? {
            // Numbers rise by one; anything else was not written by `append`.
            if record.number != self.last + 1 {
                break;
            }
            (self.last, self.bytes) = (record.number, record.end);
        }
        Ok(())
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> Shared {
        Arc::clone(&self.file)
    }

    /// Whether its end, or even its mark, was damaged when it was opened: nothing is appended then.
    pub(super) const fn is_damaged(&self) -> bool {
        self.damaged > 0 || self.bytes == 0
    }

    /// A number that no line of the damaged part can have had, and that names another file.
    pub(super) const fn first_unused(&self) -> u64 {
        self.last + 2 + self.damaged / (HEAD + FIXED) as u64
    }

    /// Whether a line is to go into the next segment.
    pub(super) const fn is_full(&self, limit: u64, line: u64) -> bool {
        self.last >= self.first && (self.distrusted || self.bytes + line > most(limit))
    }

    /// Takes no more lines: a sync has failed, and the kernel reports that once only (fsync(2)), so
    /// that a later success says nothing. The next segment's numbers are safe all the same.
    pub(super) const fn distrust(&mut self) {
        self.distrusted = true;
    }

    /// Writes a line behind the others.
    pub(super) fn append(&mut self, node: &NodeName, line: &[u8]) -> Result<u64, SpoolError> {
        let number = self.last + 1;
        let record = record(number, node, line);
        // After a failure the next line is written over what there is of this one.
        let written = self.file.write_all_at(&record, self.bytes);
        written.map_err(|source| SpoolError::Segment { path: self.path.clone(), source })?;
        (self.last, self.bytes) = (number, self.bytes + record.len() as u64);
        Ok(number)
    }

    pub(super) fn sync(&self) -> Result<(), SpoolError> {
        self.file.sync_data().map_err(|source| SpoolError::Segment { path: self.path.clone(), source })
    }

    /// Reads lines after number `after` into `batch`, from `offset` where that is known to be where
    /// they begin. Returns where the lines that the batch did not take begin.
    pub(super) fn read(&self, after: u64, offset: Option<u64>, batch: &mut Batch) -> Result<u64, SpoolError> {
        let mut at = offset.unwrap_or(MARK.len() as u64);
        let mut records = Records::new(&self.file, at, self.bytes);
        let fail = |source| SpoolError::Segment { path: self.path.clone(), source };
        while let Some(record) = records.next().map_err(fail)? {
            if record.number > after && !batch.take(record.number, record.line) {
                return Ok(at);
            }
            at = record.end;
        }
        if at < self.bytes {
            let (path, bytes) = (self.path.display(), self.bytes - at);
            error!(%path, bytes, "part of the log spool became unreadable and is lost; check the disk");
        }
        Ok(at)
    }

    pub(super) fn remove(self) -> Result<(), SpoolError> {
        // Not synced: a file that comes back after a power cut is released again.
        fs::remove_file(&self.path).map_err(|source| SpoolError::Segment { path: self.path, source })
    }
}

/// How much a line takes, in bytes.
pub(super) fn size_of(node: &NodeName, line: &[u8]) -> u64 {
    (HEAD + FIXED + node.as_str().len() + line.len().min(MAX_LINE)) as u64
}

fn record(number: u64, node: &NodeName, line: &[u8]) -> Vec<u8> {
    let name = node.as_str().as_bytes();
    let line = line.get(..MAX_LINE).unwrap_or(line);
    let mut payload = Vec::with_capacity(FIXED + name.len() + line.len());
    payload.extend_from_slice(&number.to_le_bytes());
    // A name has at most 200 bytes (`common::id`).
    payload.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    payload.extend_from_slice(name);
    payload.extend_from_slice(line);
    // Its parts are bounded far below 4 GiB.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut record = length.to_le_bytes().to_vec();
    record.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
    record.extend_from_slice(&payload);
    record
}

/// The sound records of a file from one offset to another.
struct Records<'a> {
    from: BufReader<At<'a>>,
    at: u64,
    end: u64,
}

struct Record {
    number: u64,
    line: LogLine,
    /// Where the next one begins.
    end: u64,
}

impl<'a> Records<'a> {
    fn new(file: &'a File, at: u64, end: u64) -> Self {
        Self { from: BufReader::with_capacity(64 * 1024, At { file, at }), at, end }
    }

    /// The next record; none at the end or before the first that is not sound.
    fn next(&mut self) -> io::Result<Option<Record>> {
        let left = self.end.saturating_sub(self.at);
        if left < (HEAD + FIXED) as u64 {
            return Ok(None);
        }
        let mut word = [0; 4];
        self.from.read_exact(&mut word)?;
        let length = u32::from_le_bytes(word) as usize;
        self.from.read_exact(&mut word)?;
        let checksum = u32::from_le_bytes(word);
        if !(FIXED..=MAX_PAYLOAD).contains(&length) || (HEAD + length) as u64 > left {
            return Ok(None);
        }
        let mut payload = vec![0; length];
        self.from.read_exact(&mut payload)?;
        if crc32fast::hash(&payload) != checksum {
            return Ok(None);
        }
        self.at += (HEAD + length) as u64;
        Ok(decode(&payload).map(|(number, line)| Record { number, line, end: self.at }))
    }
}

fn decode(payload: &[u8]) -> Option<(u64, LogLine)> {
    let (number, rest) = payload.split_first_chunk()?;
    let (name, rest) = rest.split_first()?;
    let (name, line) = rest.split_at_checked(usize::from(*name))?;
    let node = std::str::from_utf8(name).ok()?.parse().ok()?;
    Some((u64::from_le_bytes(*number), LogLine { node, line: line.to_vec() }))
}

/// A file from an offset on; several may read one file so.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
