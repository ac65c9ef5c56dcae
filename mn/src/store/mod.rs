//! The authoritative store: every row, the journal of every change, and the numbers that must not
//! go back. One small interface over sled; the same interface is meant to run on etcd later.
//!
//! | file | what |
//! |---|---|
//! | [`engine`] | sled, and the one extra `sync_data` that makes it durable |
//! | [`key`] | where things stand in the one tree |
//! | [`mod@format`] | how things are written: versions, checksums, parts |
//! | [`load`] | opening: the rows and the newest records are verified, a commit that was cut short is finished |
//! | [`rows`] | reading all rows, on several threads |
//! | [`commit`] | writing a group of transactions |
//! | [`lookup`] | looking up the rows that a group touches |
//! | [`pending`] | rows that are committed and do not stand in their places yet |
//! | [`carry`] | carrying them there, behind the answers |
//! | [`cool`] | making sled's cache shrink, once much was read or written |
//! | [`history`] | reading the journal, beside the writer |
//! | [`page`] | a record whose edits are looked up one by one |
//! | [`prune`] | forgetting the start of the journal |
//! | [`states`] | a few earlier states, for who walks through them |
//! | [`book`] | the one writer task, and the snapshots that everyone reads |
//!
//! **Invariants**
//! - What [`Store::commit`] has returned is on the disk; the caller answers only then.
//! - A group of transactions is wholly there or not at all after any cut.
//! - A store that opens is whole: each journal record holds the digest of the one before, the last
//!   is named by the head, and so is the digest of the set of all rows. Anything else is reported
//!   with the revision or the row, and not opened; of a long journal the older part is checked after
//!   the opening, and damage there is reported and costs no more than that part of the history.
//! - After an error of a write or a sync nothing is known about the disk, so [`Store`] refuses to
//!   go on; the daemon ends and opens it anew. A full disk is seen before anything is written, and
//!   is no such error.

pub mod book;
mod carry;
mod commit;
mod cool;
mod engine;
mod format;
mod history;
mod key;
mod load;
mod lookup;
mod page;
mod pending;
mod prune;
mod rows;
mod states;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use common::id::{Digest, Revision, SnName};
use common::slice::Sum;
use mn_core::table::{Edit, RowKey, TableId, Tables};

pub use self::cool::Cooling;
use self::engine::{Engine, Writes};
use self::format::{Base, FORMAT, Head};
pub use self::format::{Brief, Cursor, Damage, Issued, Record};
pub use self::history::{History, Touch, Walk};
use self::pending::Pending;
pub(crate) use self::states::IDLE;
pub use self::states::States;

/// The store of a management node. One owner: the writer.
#[derive(Debug)]
pub struct Store {
    engine: Engine,
    head: Head,
    /// Where the journal begins.
    base: Base,
    /// Rows up to the head's revision that do not stand in their places yet.
    pending: Pending,
    /// Something that is forgotten is still to be taken out.
    unswept: bool,
    /// The set of all rows, whose digest is in the head.
    rows: Sum,
    /// A write has failed: what is on the disk is not known.
    broken: bool,
}

/// What a store holds when it is opened, except the journal.
#[derive(Debug, Default)]
pub struct Loaded {
    /// All rows.
    pub tables: Tables,
    /// The last revision.
    pub revision: Revision,
    /// The generation of each service node's slice.
    pub generations: BTreeMap<SnName, Issued>,
    /// How far each service node's reports are stored.
    pub cursors: BTreeMap<SnName, Cursor>,
}

/// One transaction that is to be committed.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// The rows it changes; a later edit of the same row wins.
    pub edits: Vec<Edit>,
    /// Who.
    pub author: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The command as typed.
    pub words: Vec<String>,
    /// What became of it, where that is not plain.
    pub note: String,
    /// How far a service node's reports are stored with it.
    pub cursor: Option<(SnName, Cursor)>,
}

/// Why a store cannot be made, opened or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is one already.
    #[error("there is a store in {0} already")]
    Exists(PathBuf),
    /// There is none.
    #[error("there is no store in {0}; `mn init` makes one")]
    Absent(PathBuf),
    /// Written by a newer program.
    #[error("the store has format {found}, and this program knows formats up to {FORMAT}: use a newer one")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// A key that cannot be written.
    #[error("the key {key:?} of table {table} holds a NUL, which no key may")]
    OddKey {
        /// The table.
        table: TableId,
        /// The key.
        key: RowKey,
    },
    /// The head is gone or damaged.
    #[error("the store is damaged: its head: {0}; restore it from a backup")]
    DamagedHead(Damage),
    /// A journal record is gone or damaged.
    #[error(
        "the store is damaged: the journal record of revision {revision}: {damage}; restore from a backup"
    )]
    DamagedRecord {
        /// Which.
        revision: Revision,
        /// How.
        damage: Damage,
    },
    /// A row is damaged.
    #[error("the store is damaged: {what}: {damage}; restore it from a backup")]
    DamagedRow {
        /// The table and the row, or what else it is.
        what: String,
        /// How.
        damage: Damage,
    },
    /// Each row is whole, and together they are not what the head names.
    #[error(
        "the store is damaged: its rows are not those of revision {0}: a row is missing or too much; \
         restore it from a backup"
    )]
    DamagedSet(Revision),
    /// There is too little room on the disk. Nothing was written, and the store goes on.
    #[error(transparent)]
    NoRoom(io::Error),
    /// An earlier write failed.
    #[error("an earlier write of the store failed, so it takes no more until it is opened anew")]
    Broken,
    /// sled refused.
    #[error("cannot {doing} (sled)")]
    Sled {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: sled::Error,
    },
    /// The file system refused.
    #[error("cannot {doing}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// Whether the disk is full, and more room would help.
    pub fn is_full(&self) -> bool {
        match self {
            Self::NoRoom(source)
            | Self::Disk { source, .. }
            | Self::Sled { source: sled::Error::Io(source), .. } => {
                source.kind() == io::ErrorKind::StorageFull
            }
            _ => false,
        }
    }
}

impl Store {
    /// Makes a store in `dir`, which must not exist, with one transaction in it.
    ///
    /// It is made beside and renamed, so that a `dir` that exists is a whole store.
    ///
    /// # Errors
    /// When there is something in `dir` already, or the disk refuses.
    pub fn create(dir: &Path, first: &Commit) -> Result<Revision, StoreError> {
        if dir.exists() {
            return Err(StoreError::Exists(dir.to_owned()));
        }
        let made = dir.with_extension("new");
        let disk = |doing| move |source| StoreError::Disk { doing, source };
        if made.exists() {
            std::fs::remove_dir_all(&made).map_err(disk("remove what an earlier attempt left"))?;
        }
        runtime::disk::create_dir(&made, 0o700).map_err(disk("make the store's folder"))?;
        let head = Head {
            revision: Revision::ZERO,
            applied: Revision::ZERO,
            chain: Digest::from_bytes([0; 32]),
            rows: Sum::default().digest(),
        };
        let engine = Engine::open(&made)?;
        let mut store = Self {
            engine,
            head,
            base: Base::WHOLE,
            pending: Pending::default(),
            unswept: false,
            rows: Sum::default(),
            broken: false,
        };
        let mut writes = Writes::default();
        writes.put(key::FORMAT, &FORMAT.to_be_bytes());
        writes.put_sealed(key::HEAD, &store.head);
        store.engine.apply(writes)?;
        let revisions = store.commit(std::slice::from_ref(first))?;
        store.engine.close(&made)?;
        runtime::disk::sync_new_store(&made).map_err(disk("sync the new store"))?;
        std::fs::rename(&made, dir).map_err(disk("rename the new store"))?;
        let parent = dir.parent().unwrap_or(dir);
        runtime::disk::sync_dir(parent).map_err(disk("sync the folder of the new store"))?;
        Ok(revisions.last().copied().unwrap_or_default())
    }

    /// Opens the store in `dir` and reads all of it, verified.
    ///
    /// # Errors
    /// When there is none, when a newer program wrote it, or when anything in it is damaged.
    pub fn open(dir: &Path) -> Result<(Self, Loaded), StoreError> {
        load::open(dir)
    }

    /// Closes the store. Dropping it is enough for a process that ends.
    ///
    /// # Errors
    /// When another process has it open too, which sled does not allow.
    pub fn close(self, dir: &Path) -> Result<(), StoreError> {
        self.engine.close(dir)
    }

    /// The last revision.
    pub const fn revision(&self) -> Revision {
        self.head.revision
    }

    /// Reads the journal, beside the writer.
    pub fn history(&self) -> History {
        History::new(self.engine.reader(), self.pending.clone())
    }

    /// Stores the generations that are about to be pushed; on the disk when this returns.
    ///
    /// # Errors
    /// When there is no room, or the disk refuses; the store takes no more then.
    pub fn issue(&mut self, generations: &BTreeMap<SnName, Issued>) -> Result<(), StoreError> {
        self.engine.ensure_room(generations.len())?;
        let mut writes = Writes::default();
        for (sn, issued) in generations {
            writes.put_sealed(&key::generation(sn), issued);
        }
        self.guarded(|store| {
            store.engine.apply(writes)?;
            store.engine.sync()
        })
    }

    /// Does what writes, and refuses to go on once that failed.
    fn guarded<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.broken {
            return Err(StoreError::Broken);
        }
        self.broken = true;
        let done = act(self)?;
        self.broken = false;
        Ok(done)
    }
}

#[cfg(test)]
mod tests;
