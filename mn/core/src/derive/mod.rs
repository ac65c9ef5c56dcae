//! What each service node shall hold, derived from the model.
//!
//! [`slice()`] is the definition: a pure function, the same model gives the same bytes. [`Derivation`]
//! gives the same slices while the model changes, at the cost of what was touched: one edited node
//! costs the derivation of one node, whatever the cluster's size, and nothing for a service node that
//! has never joined. A property test holds the two equal.
//!
//! A node that names a service node in its pool brings what it needs along: its network, its image,
//! the names it knows, the other members of its pool. Nothing of anyone else's is in a slice.

mod base;
mod boot;
mod derivation;
mod holdings;
mod kept;
mod node;
mod servers;
mod touched;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::id::{NodeName, SnName};
use common::slice::{Changed, Delta, Encoded, Entry, Key, Outline, Role, Slice};

pub use self::base::services as services_of;
pub use self::derivation::Derivation;
use self::kept::Kept;
pub use self::node::role_of;
use crate::model::Model;

#[cfg(test)]
mod tests;

/// What a slice says that is in no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The SHA-256 fingerprint of the authority.
    pub authority: [u8; 32],
}

/// Something that stands in a slice because a node needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// A network by its name.
    Network(String),
    /// An image, with its files.
    Image(String),
    /// A name that is not a node of the slice.
    Host(String),
    /// Another member of a pool.
    Peer(SnName),
    /// The addresses of a name, in entries of nodes.
    Server(String),
}

impl Need {
    /// Whether it has an entry of its own.
    const fn is_entry(&self) -> bool {
        !matches!(self, Self::Server(_))
    }

    /// The name whose addresses are needed, where that is what is.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Host(name) | Self::Server(name) => Some(name),
            _ => None,
        }
    }
}

/// What one service node shall hold.
///
/// # Errors
/// Nothing is refused here: what cannot be derived (a node without an address of its service node)
/// is left out, and `model::check` says so when it is defined.
pub fn slice(model: &Model, sn: &SnName, facts: &Facts) -> Slice {
    let mut derived = Derived::default();
    derived.rebuild(model, sn, facts, model.nodes());
    let all = Outline::default().changed_to(&derived.outline);
    let mut slice = Slice::new();
    // What the outline holds is no longer than an entry may be.
    let _ = slice.apply(derived.filled(model, sn, facts, &all));
    slice
}

/// What a service node is to each of the nodes of its slice, without deriving the slice.
pub fn roles(model: &Model, sn: &SnName) -> Vec<Role> {
    let kept = Kept::new(model);
    let entries = holdings::of(model, sn).into_iter().map(|name| node::derive(&kept, sn, &name));
    entries.filter_map(|(node, _)| Some(node?.role)).collect()
}

/// The outline of one service node's slice, with who needs what in it.
#[derive(Clone, Debug, Default)]
struct Derived {
    outline: Outline,
    /// Most nodes of a rack need the same, which is kept once.
    needs: BTreeMap<NodeName, Arc<BTreeSet<Need>>>,
    /// How many nodes need the same.
    sets: BTreeMap<Arc<BTreeSet<Need>>, usize>,
    counts: BTreeMap<Need, usize>,
}

impl Derived {
    fn rebuild<'a>(
        &mut self,
        model: &Model,
        sn: &SnName,
        facts: &Facts,
        nodes: impl IntoIterator<Item = &'a NodeName>,
    ) {
        *self = Self::default();
        let kept = Kept::new(model);
        for node in nodes {
            self.node(&kept, sn, node);
        }
        self.base(model, sn, facts);
    }

    /// Derives one node anew; says whether the slice's needs have changed, so that what stands on
    /// them ([`Derived::base`]) is to be derived anew too.
    fn node(&mut self, kept: &Kept<'_>, sn: &SnName, name: &NodeName) -> bool {
        // A name that is needed has an entry where no node of the slice is called so.
        let is_named = self.counts.contains_key(&Need::Host(name.to_string()));
        let was_there = is_named && self.outline.contains(&Key::Node(name.clone()));
        let (node, wanted) = node::derive(kept, sn, name);
        let is_there = node.is_some();
        match node {
            Some(node) => self.put(&Entry::Node(Box::new(node))),
            None => {
                self.outline.remove(&Key::Node(name.clone()));
            }
        }
        let mut changed = is_named && was_there != is_there;
        let had = self.needs.get(name).cloned().unwrap_or_default();
        if *had == wanted {
            return changed;
        }
        for need in wanted.difference(&had) {
            let count = self.counts.entry(need.clone()).or_insert(0);
            *count += 1;
            changed |= *count == 1 && need.is_entry();
        }
        for need in had.difference(&wanted) {
            let count = self.counts.entry(need.clone()).or_insert(1);
            *count -= 1;
            if *count == 0 {
                self.counts.remove(need);
                changed |= need.is_entry();
            }
        }
        self.need(name, &had, wanted);
        changed
    }

    /// Remembers what a node needs, in place of what it needed.
    fn need(&mut self, name: &NodeName, had: &Arc<BTreeSet<Need>>, wanted: BTreeSet<Need>) {
        if let Some(count) = self.sets.get_mut(had) {
            *count -= 1;
            if *count == 0 {
                self.sets.remove(had);
            }
        }
        if wanted.is_empty() {
            self.needs.remove(name);
            return;
        }
        let known = self.sets.get_key_value(&wanted).map(|(known, _)| Arc::clone(known));
        let wanted = known.unwrap_or_else(|| Arc::new(wanted));
        *self.sets.entry(Arc::clone(&wanted)).or_insert(0) += 1;
        self.needs.insert(name.clone(), wanted);
    }

    /// Lays out what was put in one after the other in as little memory as it needs.
    fn tighten(&mut self) {
        self.outline.tighten();
        self.needs = std::mem::take(&mut self.needs).into_iter().collect();
    }

    /// Derives anew what stands on the addresses of names that `is_renamed` knows.
    fn rename(
        &mut self,
        kept: &Kept<'_>,
        sn: &SnName,
        facts: &Facts,
        is_renamed: impl Fn(&str) -> bool,
    ) -> bool {
        let is_hit = |need: &&Need| need.name().is_some_and(&is_renamed);
        let hits: Vec<Need> = self.counts.keys().filter(is_hit).cloned().collect();
        if hits.is_empty() {
            return false;
        }
        let needing = self.needs.iter().filter(|(_, needs)| hits.iter().any(|hit| needs.contains(hit)));
        let nodes: Vec<NodeName> = needing.map(|(name, _)| name.clone()).collect();
        for name in &nodes {
            self.node(kept, sn, name);
        }
        self.base(kept.model, sn, facts);
        true
    }

    /// Derives everything but the nodes.
    fn base(&mut self, model: &Model, sn: &SnName, facts: &Facts) {
        let entries = base::derive(model, sn, facts, self.counts.keys(), &self.outline);
        let wanted: BTreeSet<Key> = entries.iter().map(Entry::key).collect();
        let stale = |key: &&Key| !matches!(key, Key::Node(_)) && !wanted.contains(*key);
        let stale: Vec<Key> = self.outline.keys().filter(stale).cloned().collect();
        for key in stale {
            self.outline.remove(&key);
        }
        for entry in &entries {
            self.put(entry);
        }
    }

    fn put(&mut self, entry: &Entry) {
        // An entry beyond the bound of its size cannot be sent; the checks of a change refuse the
        // values that could make one, so it is left out here.
        let _ = self.outline.put(entry);
    }

    /// The contents of some entries, derived anew from the model that the outline is of.
    fn filled(&self, model: &Model, sn: &SnName, facts: &Facts, changed: &Changed) -> Delta {
        let mut others: BTreeMap<Key, Entry> = BTreeMap::new();
        if changed.put.iter().any(|key| !matches!(key, Key::Node(_))) {
            let entries = base::derive(model, sn, facts, self.counts.keys(), &self.outline);
            others.extend(entries.into_iter().map(|entry| (entry.key(), entry)));
        }
        let kept = Kept::new(model);
        let mut entry = |key: &Key| match key {
            Key::Node(name) => {
                let (node, _) = node::derive(&kept, sn, name);
                node.map(|node| Entry::Node(Box::new(node)))
            }
            key => others.remove(key),
        };
        let entries = changed.put.iter().filter_map(&mut entry);
        Delta {
            put: entries.filter_map(|entry| Encoded::of(&entry).ok()).collect(),
            delete: changed.delete.clone(),
        }
    }
}
