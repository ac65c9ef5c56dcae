//! What a service node keeps across restarts: its slice with the management node's signature, the
//! claims it has heard, and the reports that are not delivered yet. One sled store, one tree.
//!
//! | key | value |
//! |---|---|
//! | `f` | format version |
//! | `s` | stamp and signature |
//! | `e` key part | an entry of the slice, as it was sent |
//! | `h` node | a claim of a peer |
//! | `m` | name of the series, and through which report all are delivered |
//! | `r` number part | a report |
//!
//! sled's `flush` alone does not survive a power cut: [`Store::commit`] syncs the file behind it
//! too, and a new store is synced whole at once. A batch is on disk entirely or not at all.
//!
//! **Invariants**
//! - Values are at most [`PART`] bytes, so that sled never moves a leaf into a file of its own.
//! - A store whose slice does not match its signed stamp is never half-read: it is named, set
//!   aside, and the management node sends the whole again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use common::id::{NodeName, SnName};
use common::slice::{Encoded, Key, Slice, Stamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sn_proto::inbox::Held;
use sn_proto::peer::Heard;

/// The format that this program writes. It reads this one and those before it.
pub const FORMAT: u32 = 1;

/// The longest value. A leaf of sled holds up to 17 of them and stays far below the 128 KiB from
/// which sled writes a page into a file of its own, which no power cut was tried on.
pub const PART: usize = 4096;

/// How much of the disk is left alone, in bytes: sled takes no more after a write that found no
/// room, and opening it writes a snapshot.
const RESERVE: u64 = 16 << 20;

/// Why the store is of no use.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer program wrote it.
    #[error(
        "{dir} has format {found}, and this program knows up to {FORMAT}; install the newer Drover again"
    )]
    Newer {
        /// Where it is.
        dir: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It is damaged, or not ours.
    #[error("{dir} is damaged: {what}")]
    Damaged {
        /// Where it is.
        dir: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// It cannot be read or written.
    #[error("the store cannot be read or written")]
    Sled(#[from] sled::Error),
    /// A file of it cannot be opened, synced or renamed.
    #[error("the files of the store cannot be synced")]
    Io(#[from] io::Error),
    /// There is too little room on the disk; nothing was written.
    #[error("nothing was written")]
    NoRoom(#[source] io::Error),
}

/// What was on disk.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The slice, verified.
    pub held: Option<Held>,
    /// The claims that the slice had not caught up with.
    pub heard: Vec<(NodeName, Heard)>,
}

/// Whose store it is, and what proves a slice.
pub struct Owner<'a> {
    /// This service node.
    pub sn: &'a SnName,
    /// Whether the management node signed a stamp.
    pub verify: &'a dyn Fn(&Stamp, &[u8]) -> bool,
}

/// The store.
#[derive(Debug)]
pub struct Store {
    db: sled::Db,
    file: File,
}

/// The stamp record. Variants are only appended; so it is for all records here.
#[derive(Serialize, Deserialize)]
enum StampRecord {
    V1 { stamp: Stamp, signature: Vec<u8> },
}

#[derive(Serialize, Deserialize)]
enum HeardRecord {
    V1(Heard),
}

impl Store {
    /// Opens the store in `dir`; makes it where there is none. A damaged one is set aside.
    ///
    /// # Errors
    /// When it is of a newer format, or the disk does not do its part.
    pub fn open(dir: &Path, owner: &Owner<'_>) -> Result<(Self, Loaded), StoreError> {
        match Self::try_open(dir, owner) {
            Err(StoreError::Damaged { what, .. }) => {
                let aside = set_aside(dir)?;
                tracing::error!(
                    store = %dir.display(), aside = %aside.display(), error = what,
                    "set a damaged store aside; asking the management node for the whole slice, \
                     reports that were not delivered are lost"
                );
                Self::try_open(dir, owner)
            }
            other => other,
        }
    }

    fn try_open(dir: &Path, owner: &Owner<'_>) -> Result<(Self, Loaded), StoreError> {
        let damaged = |what: String| StoreError::Damaged { dir: dir.to_owned(), what };
        // sled panics on some kinds of damage. It holds nothing of ours that could be left broken.
        let is_full = |error: &StoreError| matches!(error, StoreError::Sled(sled::Error::Io(error)) if error.kind() == io::ErrorKind::StorageFull);
        let opened = std::panic::catch_unwind(|| runtime::disk::open_store(dir, || open_sled(dir), is_full));
        let (db, new) =
            opened.map_err(|_| damaged("sled cannot read it".to_owned()))?.map_err(|error| match error {
                StoreError::Sled(sled::Error::Corruption { .. } | sled::Error::Unsupported(_)) => {
                    damaged(error.to_string())
                }
                other => other,
            })?;
        if new {
            db.insert(b"f", &FORMAT.to_be_bytes())?;
            db.flush()?;
            runtime::disk::sync_new_store(dir)?;
        }
        let store = Self { db, file: File::open(dir.join("db"))? };
        let format =
            store.db.get(b"f")?.and_then(|bytes| Some(u32::from_be_bytes(bytes.as_ref().try_into().ok()?)));
        match format {
            Some(found) if found > FORMAT => return Err(StoreError::Newer { dir: dir.to_owned(), found }),
            Some(_) => {}
            None => return Err(damaged("it does not say its format".to_owned())),
        }
        let loaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.load(owner)));
        let loaded = loaded.unwrap_or_else(|_| Err("sled cannot read it".to_owned())).map_err(damaged)?;
        Ok((store, loaded))
    }

    /// The text says what is damaged.
    fn load(&self, owner: &Owner<'_>) -> Result<Loaded, String> {
        let mut loaded = Loaded { held: self.load_slice(owner)?, heard: Vec::new() };
        for item in self.db.scan_prefix(b"h") {
            let (key, value) = item.map_err(|error| error.to_string())?;
            let name = key.get(1..).and_then(|name| std::str::from_utf8(name).ok());
            let name = name.and_then(|name| name.parse().ok()).ok_or("a claim has no node")?;
            let HeardRecord::V1(heard) = unseal(&value).ok_or("a claim cannot be read")?;
            loaded.heard.push((name, heard));
        }
        Ok(loaded)
    }

    fn load_slice(&self, owner: &Owner<'_>) -> Result<Option<Held>, String> {
        let Some(record) = self.db.get(b"s").map_err(|error| error.to_string())? else { return Ok(None) };
        let StampRecord::V1 { stamp, signature } = unseal(&record).ok_or("the stamp cannot be read")?;
        let mut slice = Slice::new();
        for (key, bytes) in self.entries()? {
            slice.put_encoded(Encoded { key, bytes: bytes.into() }).map_err(|error| error.to_string())?;
        }
        if stamp.sn != *owner.sn {
            return Err(format!("it holds the slice of {}, and this is {}", stamp.sn, owner.sn));
        }
        if slice.digest() != stamp.digest {
            return Err(format!("generation {} does not have the digest of its stamp", stamp.generation));
        }
        if !(owner.verify)(&stamp, &signature) {
            return Err(format!("generation {} is not signed by this cluster", stamp.generation));
        }
        Ok(Some(Held { stamp, signature, slice: slice.into() }))
    }

    fn entries(&self) -> Result<Vec<(Key, Vec<u8>)>, String> {
        let mut entries: Vec<(Key, Vec<u8>)> = Vec::new();
        for item in self.db.scan_prefix(b"e") {
            let (key, value) = item.map_err(|error| error.to_string())?;
            let (key, part) = entry_key(&key).ok_or("a key cannot be read")?;
            match entries.last_mut() {
                // Parts of one entry stand side by side, in order.
                Some((last, bytes)) if part > 0 && *last == key => bytes.extend_from_slice(&value),
                _ => entries.push((key, value.to_vec())),
            }
        }
        Ok(entries)
    }

    /// Puts a slice on disk in place of `old`, in one batch. `old` is what is known to be there;
    /// none when that is not known, such as after a write that failed.
    ///
    /// # Errors
    /// When the disk does not do its part; then either of the two is there.
    pub fn put_slice(&self, old: Option<&Slice>, new: &Held) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        let empty = Slice::new();
        let base = old.unwrap_or(&empty);
        if old.is_none() {
            for key in self.db.scan_prefix(b"e").keys() {
                batch.remove(key?);
            }
        }
        let delta = base.delta_to(&new.slice);
        // A leaf of sled's is written anew with each entry of it.
        self.ensure_room(2 * delta.put.iter().map(|one| one.bytes.len() as u64).sum::<u64>())?;
        let lengths: BTreeMap<&Key, usize> =
            base.records().map(|(key, one)| (key, one.bytes().len())).collect();
        for key in &delta.delete {
            remove_parts(&mut batch, key, 0, lengths.get(key).copied().unwrap_or(0));
        }
        for Encoded { key, bytes } in &delta.put {
            let mut parts = 0;
            for part in bytes.chunks(PART) {
                batch.insert(part_key(key, parts), part);
                parts += 1;
            }
            remove_parts(&mut batch, key, parts, lengths.get(key).copied().unwrap_or(0));
        }
        let record = StampRecord::V1 { stamp: new.stamp.clone(), signature: new.signature.clone() };
        batch.insert(b"s", seal(&record));
        self.commit(batch)
    }

    /// Remembers claims of peers.
    ///
    /// # Errors
    /// When the disk does not do its part.
    pub fn put_heard(&self, heard: &[(NodeName, Heard)]) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for (name, heard) in heard {
            batch.insert(heard_key(name), seal(&HeardRecord::V1(heard.clone())));
        }
        self.commit(batch)
    }

    /// Forgets claims. Not synced: what comes back after a power cut is forgotten again.
    ///
    /// # Errors
    /// When the disk does not do its part.
    pub fn forget_heard(&self, names: &[NodeName]) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        names.iter().for_each(|name| batch.remove(heard_key(name)));
        self.apply_unsynced(batch)
    }

    /// Writes a batch that may be forgotten by a power cut.
    pub(super) fn apply_unsynced(&self, batch: sled::Batch) -> Result<(), StoreError> {
        self.ensure_room(0)?;
        Ok(self.db.apply_batch(batch)?)
    }

    /// Writes a batch so that a power cut leaves all of it or nothing, and after this call all.
    pub(super) fn commit(&self, batch: sled::Batch) -> Result<(), StoreError> {
        self.ensure_room(0)?;
        self.db.apply_batch(batch)?;
        self.db.flush()?;
        // `flush` writes the log without an fsync that covers it.
        Ok(self.file.sync_data()?)
    }

    /// Refuses where there is no room for so many bytes more.
    fn ensure_room(&self, bytes: u64) -> Result<(), StoreError> {
        runtime::disk::ensure_room(&self.file, RESERVE.saturating_add(bytes)).map_err(StoreError::NoRoom)
    }

    /// The tree, for the reports beside the slice.
    pub(super) const fn db(&self) -> &sled::Db {
        &self.db
    }
}

fn open_sled(dir: &Path) -> Result<(sled::Db, bool), StoreError> {
    runtime::disk::create_dir(dir, 0o700)?;
    let db = sled::Config::new()
        .path(dir)
        .mode(sled::Mode::HighThroughput)
        // With a timer of sled's own, seven of 25 power cuts left a store that did not open.
        .flush_every_ms(None)
        // A slice is in memory already; sled need not hold it twice.
        .cache_capacity(8 << 20)
        .open()?;
    // A crash between sled's creation and the first flush leaves a store without anything in it.
    let new = db.is_empty();
    Ok((db, new))
}

fn set_aside(dir: &Path) -> Result<PathBuf, StoreError> {
    let stem = format!("damaged-{}", runtime::clock::unix_seconds());
    let free = |n: &u32| {
        let aside = dir.with_extension(if *n == 0 { stem.clone() } else { format!("{stem}-{n}") });
        (!aside.exists()).then_some(aside)
    };
    let aside = (0..1000).find_map(|n| free(&n)).unwrap_or_else(|| dir.with_extension(&stem));
    std::fs::rename(dir, &aside)?;
    if let Some(parent) = dir.parent() {
        runtime::disk::sync_dir(parent)?;
    }
    Ok(aside)
}

fn heard_key(name: &NodeName) -> Vec<u8> {
    [b"h", name.as_str().as_bytes()].concat()
}

fn part_key(key: &Key, part: u16) -> Vec<u8> {
    // Plain data always encodes. No encoded key is the beginning of another, so parts never mix.
    let mut bytes = postcard::to_extend(key, vec![b'e']).unwrap_or_default();
    bytes.extend_from_slice(&part.to_be_bytes());
    bytes
}

fn entry_key(bytes: &[u8]) -> Option<(Key, u16)> {
    let (key, part) = postcard::take_from_bytes(bytes.get(1..)?).ok()?;
    Some((key, u16::from_be_bytes(part.try_into().ok()?)))
}

fn remove_parts(batch: &mut sled::Batch, key: &Key, from: u16, len: usize) {
    // An entry has at most 64 KiB, so 16 parts.
    let parts = u16::try_from(len.div_ceil(PART)).unwrap_or(u16::MAX);
    (from..parts).for_each(|part| batch.remove(part_key(key, part)));
}

/// A record with its checksum in front.
pub(super) fn seal<T: Serialize>(record: &T) -> Vec<u8> {
    let bytes = postcard::to_extend(record, vec![0; 4]).unwrap_or_default();
    let mut bytes = bytes;
    let sum = crc32fast::hash(bytes.get(4..).unwrap_or_default());
    if let Some(head) = bytes.get_mut(..4) {
        head.copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// The record, where its checksum holds.
pub(super) fn unseal<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (sum, body) = bytes.split_first_chunk::<4>()?;
    (crc32fast::hash(body) == u32::from_be_bytes(*sum)).then_some(())?;
    postcard::from_bytes(body).ok()
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
