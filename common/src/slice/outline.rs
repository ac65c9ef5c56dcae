//! What a slice holds, without the contents.
//!
//! The management node keeps one for each service node. It can derive any entry anew from its model
//! when a push needs it, so that it need not keep some kilobytes for each node of the cluster, twice
//! over where a node has a backup.

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use super::digest::Sum;
use super::entry;
use super::{Encoded, Entry, EntryError, Key, Role, Slice};
use crate::id::Digest;

/// The keys of a slice, each with the digest of its entry. Cloning costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    lines: OrdMap<Key, Line>,
    sum: Sum,
}

/// What is kept of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    hash: Digest,
    /// What the service node is to the node, where it is one.
    role: Option<Role>,
}

impl Line {
    fn of(entry: &Entry, bytes: &[u8]) -> Self {
        let role = match entry {
            Entry::Node(node) => Some(node.role),
            _ => None,
        };
        Self { hash: Digest::of(bytes), role }
    }
}

impl Outline {
    /// Takes an entry in, in place of what was under its key.
    ///
    /// # Errors
    /// As [`Slice::put`]; nothing is changed then.
    pub fn put(&mut self, entry: &Entry) -> Result<(), EntryError> {
        let line = Line::of(entry, &entry::encode(entry)?);
        self.sum.add(&line.hash);
        if let Some(old) = self.lines.insert(entry.key(), line) {
            self.sum.remove(&old.hash);
        }
        Ok(())
    }

    /// Takes an entry out; says whether it was there.
    pub fn remove(&mut self, key: &Key) -> bool {
        let old = self.lines.remove(key);
        if let Some(old) = &old {
            self.sum.remove(&old.hash);
        }
        old.is_some()
    }

    /// Lays the same lines out in as little memory as they need: put in one after the other, they
    /// leave every leaf half empty.
    pub fn tighten(&mut self) {
        let [even, odd] = [0, 1].map(|first| self.lines.iter().skip(first).step_by(2));
        self.lines = even.chain(odd).map(|(key, line)| (key.clone(), *line)).collect();
    }

    /// The digest of all entries: that of a slice that holds them.
    pub fn digest(&self) -> Digest {
        self.sum.digest()
    }

    /// Whether there is an entry under this key.
    pub fn contains(&self, key: &Key) -> bool {
        self.lines.contains_key(key)
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.lines.keys()
    }

    /// What the service node is to each of its nodes.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        self.lines.values().filter_map(|line| line.role)
    }

    /// What has to be said to make `newer` of this.
    pub fn changed_to(&self, newer: &Self) -> Changed {
        let mut changed = Changed::default();
        for item in self.lines.diff(&newer.lines) {
            match item {
                DiffItem::Add(key, _) | DiffItem::Update { new: (key, _), .. } => {
                    changed.put.push(key.clone());
                }
                DiffItem::Remove(key, _) => changed.delete.push(key.clone()),
            }
        }
        changed
    }
}

impl From<&Slice> for Outline {
    fn from(slice: &Slice) -> Self {
        let mut outline = Self::default();
        for (key, record) in slice.records() {
            let line = Line::of(record.entry(), record.bytes());
            outline.sum.add(&line.hash);
            outline.lines.insert(key.clone(), line);
        }
        outline
    }
}

/// Which entries a push is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Entries that are new or changed.
    pub put: Vec<Key>,
    /// Keys that are gone.
    pub delete: Vec<Key>,
}

impl Changed {
    /// Whether nothing is.
    pub const fn is_empty(&self) -> bool {
        self.put.is_empty() && self.delete.is_empty()
    }
}

impl Encoded {
    /// An entry as it is sent.
    ///
    /// # Errors
    /// When it is too long to be.
    pub fn of(entry: &Entry) -> Result<Self, EntryError> {
        Ok(Self { key: entry.key(), bytes: entry::encode(entry)?.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slice::Host;

    fn host(name: &str, last: u8) -> Entry {
        let addresses = vec![std::net::Ipv4Addr::new(10, 0, 0, last).into()];
        Entry::Host(Host { name: name.to_owned(), aliases: Vec::new(), addresses })
    }

    #[test]
    fn an_outline_has_the_digest_of_its_slice_whatever_led_there() {
        let mut slice = Slice::new();
        let mut outline = Outline::default();
        for entry in [host("a", 1), host("b", 2), host("a", 3)] {
            outline.put(&entry).unwrap();
            slice.put(entry).unwrap();
        }
        assert_eq!(outline.digest(), slice.digest());
        assert_eq!(outline, Outline::from(&slice));
        let mut tight = outline.clone();
        tight.tighten();
        assert_eq!(outline, tight);
        assert!(outline.remove(&Key::Host("b".to_owned())) && slice.remove(&Key::Host("b".to_owned())));
        assert_eq!(outline.digest(), slice.digest());
    }

    #[test]
    fn what_changed_is_what_differs() {
        let [mut old, mut new] = [Outline::default(), Outline::default()];
        for entry in [host("a", 1), host("b", 2)] {
            old.put(&entry).unwrap();
        }
        for entry in [host("b", 3), host("c", 4)] {
            new.put(&entry).unwrap();
        }
        let key = |name: &str| Key::Host(name.to_owned());
        let want = Changed { put: vec![key("b"), key("c")], delete: vec![key("a")] };
        assert_eq!(old.changed_to(&new), want);
        assert!(new.changed_to(&new).is_empty());
    }
}
