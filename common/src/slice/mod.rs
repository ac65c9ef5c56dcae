//! A slice: everything that one service node needs for the nodes it may serve, and nothing of
//! anyone else's (`ARCHITECTURE.md`, "The life of a change").
//!
//! A slice is a map of small entries, each with a [`Key`]. Both sides hash each entry's *encoded
//! bytes*, so that a service node can check a slice whose entries carry fields that it does not
//! know yet. The slice's digest is kept incrementally ([`digest::Sum`]), so one changed node costs
//! the work of one node.
//!
//! **Invariants**: an entry always stands under its own key; equal contents have equal digests,
//! whatever the order of the edits that led there.

mod digest;
mod entry;
mod node;
mod outline;

use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use serde::{Deserialize, Serialize};

pub use self::digest::Sum;
pub use self::entry::{
    Entry, Export, File, FilePath, FilePathError, Host, Image, Key, Net, Network, Peer, Services, Site,
};
pub use self::node::{Boot, Interface, JoinSecret, Netboot, Node, PoolMember, Role, Script, Servers};
pub use self::outline::{Changed, Outline};
use crate::id::{Digest, Generation, SnName};

/// The longest encoded entry, in bytes. The largest real one is a node with some dozens of
/// interfaces and scripts, a few kilobytes.
pub const MAX_ENTRY: usize = 64 * 1024;

/// An entry as it is sent and stored: its key and its bytes, which the digest covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoded {
    /// Where it stands in the slice.
    pub key: Key,
    /// A `postcard` of the versioned entry, at most [`MAX_ENTRY`] bytes.
    pub bytes: Arc<[u8]>,
}

/// One entry of a [`Slice`]: decoded, with the bytes it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    entry: Entry,
    bytes: Arc<[u8]>,
    hash: Digest,
}

impl Record {
    /// The entry.
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The bytes that are sent, stored and hashed.
    pub const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }
}

/// Why bytes are not an entry of a slice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Longer than [`MAX_ENTRY`].
    #[error("entry {key:?} has {len} bytes, more than {MAX_ENTRY}")]
    TooLong {
        /// Its key.
        key: Key,
        /// Its length, in bytes.
        len: usize,
    },
    /// The bytes do not decode.
    #[error("entry {key:?} cannot be read (a newer format, or damaged)")]
    Unreadable {
        /// Its key.
        key: Key,
    },
    /// The entry names another key than the one it is sent under.
    #[error("entry {key:?} stands under a foreign key")]
    ForeignKey {
        /// The key it was sent under.
        key: Key,
    },
}

/// What one service node holds or shall hold.
///
/// Cloning costs nothing (persistent map), and [`Slice::delta_to`] costs what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    records: OrdMap<Key, Arc<Record>>,
    sum: Sum,
}

impl Slice {
    /// The slice that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an entry under its key, in place of what was there.
    ///
    /// # Errors
    /// When the entry encodes to more than [`MAX_ENTRY`] bytes; the slice is unchanged then.
    pub fn put(&mut self, entry: Entry) -> Result<(), EntryError> {
        let bytes = entry::encode(&entry)?;
        self.put_record(Record { hash: Digest::of(&bytes), entry, bytes: bytes.into() });
        Ok(())
    }

    /// Puts an entry that arrived as bytes.
    ///
    /// # Errors
    /// When the bytes are too long, do not decode, or belong under another key.
    pub fn put_encoded(&mut self, encoded: Encoded) -> Result<(), EntryError> {
        let Encoded { key, bytes } = encoded;
        let entry = entry::decode(&key, &bytes)?;
        if entry.key() != key {
            return Err(EntryError::ForeignKey { key });
        }
        self.put_record(Record { hash: Digest::of(&bytes), entry, bytes });
        Ok(())
    }

    fn put_record(&mut self, record: Record) {
        let key = record.entry.key();
        self.sum.add(&record.hash);
        if let Some(old) = self.records.insert(key, Arc::new(record)) {
            self.sum.remove(&old.hash);
        }
    }

    /// Takes an entry out; says whether it was there.
    pub fn remove(&mut self, key: &Key) -> bool {
        let old = self.records.remove(key);
        if let Some(old) = &old {
            self.sum.remove(&old.hash);
        }
        old.is_some()
    }

    /// The digest of all entries. Costs nothing: it is kept with every edit.
    pub fn digest(&self) -> Digest {
        self.sum.digest()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The entry under `key`.
    pub fn entry(&self, key: &Key) -> Option<&Entry> {
        self.records.get(key).map(|record| record.entry())
    }

    /// All records in the order of their keys.
    pub fn records(&self) -> impl Iterator<Item = (&Key, &Record)> {
        self.records.iter().map(|(key, record)| (key, record.as_ref()))
    }

    /// All entries in the order of their keys.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.records.values().map(|record| record.entry())
    }

    /// The nodes of the slice, in the order of their names.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.entries().filter_map(|entry| match entry {
            Entry::Node(node) => Some(node.as_ref()),
            _ => None,
        })
    }

    /// The site entry, where there is one.
    pub fn site(&self) -> Option<&Site> {
        match self.entry(&Key::Site) {
            Some(Entry::Site(site)) => Some(site),
            _ => None,
        }
    }

    /// The networks of the slice, in the order of their names.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        self.entries().filter_map(|entry| match entry {
            Entry::Network(network) => Some(network),
            _ => None,
        })
    }

    /// What turns this slice into `newer`.
    ///
    /// ```
    /// use common::slice::{Entry, Peer, Slice};
    ///
    /// let (mut ours, mut newer) = (Slice::new(), Slice::new());
    /// newer.put(Entry::Peer(Peer { sn: "sn2".parse()?, addresses: Vec::new() }))?;
    /// let delta = ours.delta_to(&newer);
    /// ours.apply(delta)?;
    /// assert_eq!(ours.digest(), newer.digest());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delta_to(&self, newer: &Self) -> Delta {
        let mut delta = Delta::default();
        for item in self.records.diff(&newer.records) {
            match item {
                DiffItem::Add(key, record) | DiffItem::Update { new: (key, record), .. } => {
                    delta.put.push(Encoded { key: key.clone(), bytes: Arc::clone(&record.bytes) });
                }
                DiffItem::Remove(key, _) => delta.delete.push(key.clone()),
            }
        }
        delta
    }

    /// Applies a delta. The caller compares the digest afterwards.
    ///
    /// # Errors
    /// As [`Slice::put_encoded`]; the slice may then be changed in part, so work on a copy.
    pub fn apply(&mut self, delta: Delta) -> Result<(), EntryError> {
        for key in &delta.delete {
            self.remove(key);
        }
        delta.put.into_iter().try_for_each(|encoded| self.put_encoded(encoded))
    }
}

/// Entries to put and keys to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// Entries that are new or changed.
    pub put: Vec<Encoded>,
    /// Keys that are gone.
    pub delete: Vec<Key>,
}

impl Delta {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.delete.is_empty()
    }
}

/// Which state of which service node's slice: what is signed, pushed and acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Whose slice.
    pub sn: SnName,
    /// Its number.
    pub generation: Generation,
    /// Of its entries.
    pub digest: Digest,
}

impl Stamp {
    /// The bytes that the management node signs, so that a service node that starts alone can
    /// trust what is on its disk.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"drover slice 1\0".to_vec();
        bytes.extend_from_slice(self.sn.as_str().as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&self.generation.value().to_be_bytes());
        bytes.extend_from_slice(self.digest.as_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests;
