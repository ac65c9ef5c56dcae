//! sled, made durable (`docs/decisions/0010-sled-and-power-loss.md`).
//!
//! `flush()` alone lost everything in every power cut that was tried. The cure is here and nowhere
//! else: after each flush, `sync_data()` on a handle of our own of sled's `db` file. There is no
//! timed flush (`flush_every_ms`), which made stores that did not open again.
//!
//! What a batch replaces is garbage that sled frees while others read, a little at every 128th
//! read, and a batch counts as one. So each batch is followed by reads ([`Engine::apply`]), and a
//! cache that has grown is made to shrink ([`super::cool`]).

use std::fs::File;
use std::path::Path;

use common::id::{Digest, Revision};

use super::format::{self, Damage, Written};
use super::page::Page;
use super::{StoreError, key};

/// How much sled may keep in memory, in bytes. Rows live in the model; sled only needs its upper
/// levels and what a commit touches.
const CACHE: u64 = 2 << 20;

/// For how many keys of a batch one read follows. At every 128th, sled frees up to 512 things, and
/// a key leaves little more than one.
const KEYS_A_READ: usize = 2;

/// How much of the disk is left alone, in bytes: enough for sled to open the store again, which
/// writes a snapshot and may move segments of 512 KiB, and for an administrator to work with.
const RESERVE: u64 = 16 << 20;
/// How much the change of a row may take, in bytes: its part of the journal, and a leaf of sled's,
/// which is written anew now and then.
const ROW: u64 = 4 << 10;

/// An open sled store and the handle that makes it durable.
#[derive(Debug)]
pub(super) struct Engine {
    db: sled::Db,
    file: File,
}

impl Engine {
    /// Opens the sled store in `dir`, making an empty one where there is none.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("db");
        await_lock(dir)?;
        let config = sled::Config::new()
            .path(dir)
            .mode(sled::Mode::HighThroughput)
            .cache_capacity(CACHE)
            .flush_every_ms(None);
        let db = config.open().map_err(|source| StoreError::Sled { doing: "open the store", source })?;
        let file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|source| StoreError::Disk { doing: "open the store's db file", source })?;
        Ok(Self { db, file })
    }

    /// Closes the store and returns when sled's threads are done with its files.
    pub(super) fn close(self, dir: &Path) -> Result<(), StoreError> {
        drop(self);
        await_lock(dir)
    }

    /// Another handle for reading; reads never wait for a commit.
    pub(super) fn reader(&self) -> sled::Db {
        self.db.clone()
    }

    /// Writes a batch: all of it or nothing, and nothing for certain before [`Engine::sync`].
    pub(super) fn apply(&self, writes: Writes) -> Result<(), StoreError> {
        let Writes { batch, keys, .. } = writes;
        self.db.apply_batch(batch).map_err(|source| StoreError::Sled { doing: "write", source })?;
        (0..keys / KEYS_A_READ).try_for_each(|_| self.get(key::HEAD).map(drop))
    }

    /// Refuses where there is no room for the change of so many rows.
    pub(super) fn ensure_room(&self, rows: usize) -> Result<(), StoreError> {
        let need = RESERVE.saturating_add(ROW.saturating_mul(rows as u64));
        runtime::disk::ensure_room(&self.file, need).map_err(StoreError::NoRoom)
    }

    /// Returns when everything written is on the disk.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(|source| StoreError::Sled { doing: "flush", source })?;
        self.file.sync_data().map_err(|source| StoreError::Disk { doing: "sync the store's db file", source })
    }

    /// The value under `key`.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.db.get(key).map_err(|source| StoreError::Sled { doing: "read", source })
    }
}

/// The revision that removed a row, of what is left of it. What cannot be read is as good as
/// forgotten: no row depends on it.
pub(super) fn grave_of(value: &[u8]) -> Option<Revision> {
    format::unseal::<format::Grave>(value).ok().map(|(grave, _)| grave.0)
}

/// The revision that last touched a row, which may be gone; none where nothing did, or that is
/// forgotten.
pub(super) fn last_touch(db: &sled::Db, base: &[u8]) -> Result<Option<Revision>, StoreError> {
    let get = |key| db.get(key).map_err(|source| StoreError::Sled { doing: "read", source });
    match get(key::part(base, 0))? {
        Some(first) => Ok(format::touched_by(&first)),
        None => Ok(get(key::grave(base))?.and_then(|value| grave_of(&value))),
    }
}

/// Where the journal begins.
pub(super) fn base(db: &sled::Db) -> Result<format::Base, StoreError> {
    let value = db.get(key::BASE).map_err(|source| StoreError::Sled { doing: "read", source })?;
    let Some(value) = value else { return Ok(format::Base::WHOLE) };
    format::unseal(&value).map(|(base, _)| base).map_err(StoreError::DamagedHead)
}

/// Returns when nobody holds the lock of the store in `dir`.
fn await_lock(dir: &Path) -> Result<(), StoreError> {
    runtime::disk::await_unlocked(dir).map_err(|source| StoreError::Disk { doing: "lock the store", source })
}

/// The sealed bytes of what begins with `base`, put together from their parts.
pub(super) fn sealed(db: &sled::Db, base: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let read =
        |number| db.get(key::part(base, number)).map_err(|source| StoreError::Sled { doing: "read", source });
    let Some(first) = read(0)? else { return Ok(None) };
    let mut bytes = first.to_vec();
    for number in 1..format::parts_of(&first) {
        // An absent part leaves the bytes short, which unsealing reports.
        let Some(part) = read(number)? else { break };
        bytes.extend_from_slice(&part);
    }
    Ok(Some(bytes))
}

/// A group of writes that is atomic together.
#[derive(Debug, Default)]
pub(super) struct Writes {
    batch: sled::Batch,
    pub(super) bytes: usize,
    keys: usize,
}

impl Writes {
    /// Puts a short value as it is.
    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.bytes += key.len() + value.len();
        self.keys += 1;
        self.batch.insert(key, value);
    }

    /// Puts a short value sealed.
    pub(super) fn put_sealed<T: Written>(&mut self, key: &[u8], value: &T) {
        self.put(key, &format::seal(value));
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, key: &[u8]) {
        self.bytes += key.len();
        self.keys += 1;
        self.batch.remove(key);
    }
}

/// The parts of sealed bytes, with their numbers.
pub(super) fn parts(sealed: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    (0u32..).zip(sealed.chunks(key::MAX_VALUE))
}

/// Reads journal record `revision`; none where there is none.
pub(super) fn record(
    db: &sled::Db,
    revision: Revision,
) -> Result<Option<(format::Record, Digest)>, StoreError> {
    let Some(bytes) = sealed(db, &key::record(revision))? else { return Ok(None) };
    opened(revision, &bytes).map(Some)
}

/// A journal record without its edits; none where there is none.
pub(super) fn brief(db: &sled::Db, revision: Revision) -> Result<Option<format::Brief>, StoreError> {
    let Some(bytes) = sealed(db, &key::record(revision))? else { return Ok(None) };
    let damaged = |damage| StoreError::DamagedRecord { revision, damage };
    let (brief, _) = format::brief(&bytes).map_err(damaged)?;
    if brief.revision == revision { Ok(Some(brief)) } else { Err(damaged(Damage::Misplaced)) }
}

/// A journal record whose edits are to be looked up one by one; none where there is none.
pub(super) fn page(db: &sled::Db, revision: Revision) -> Result<Option<Page>, StoreError> {
    let Some(bytes) = sealed(db, &key::record(revision))? else { return Ok(None) };
    let damaged = |damage| StoreError::DamagedRecord { revision, damage };
    let page = Page::open(bytes).map_err(damaged)?;
    if page.brief().revision == revision { Ok(Some(page)) } else { Err(damaged(Damage::Misplaced)) }
}

/// The journal record of a revision, of its sealed bytes, and its digest.
pub(super) fn opened(revision: Revision, sealed: &[u8]) -> Result<(format::Record, Digest), StoreError> {
    let damaged = |damage| StoreError::DamagedRecord { revision, damage };
    let (written, digest) = format::unseal::<format::ReadRecord>(sealed).map_err(damaged)?;
    let record = format::Record::try_from(written).map_err(|_| damaged(Damage::Unreadable))?;
    if record.revision != revision {
        return Err(damaged(Damage::Misplaced));
    }
    Ok((record, digest))
}
