//! What each service node shall hold, derived from the model.
//!
//! [`slice()`] is the definition: a pure function, the same model gives the same bytes. [`Derivation`]
//! gives the same slices while the model changes, at the cost of what was touched: one edited node
//! costs the derivation of one node, whatever the cluster's size. A property test holds the two
//! equal.
//!
//! A node that names a service node in its pool brings what it needs along: its network, its image,
//! the names it knows, the other members of its pool. Nothing of anyone else's is in a slice.

mod base;
mod boot;
mod kept;
mod node;
mod servers;
mod touched;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::id::{Digest, NodeName, SnName};
use common::slice::{Changed, Delta, Encoded, Entry, Key, Outline, Slice};

pub use self::base::services as services_of;
use self::kept::Kept;
pub use self::node::role_of;
pub use self::touched::Touched;
use crate::model::Model;
use crate::table::Edit;

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
        let (wanted, is_there) = match node::derive(kept, sn, name) {
            Some((node, needs)) => {
                self.put(&Entry::Node(Box::new(node)));
                (needs, true)
            }
            None => {
                self.outline.remove(&Key::Node(name.clone()));
                (BTreeSet::new(), false)
            }
        };
        let mut changed = is_named && was_there != is_there;
        let had = self.needs.get(name).cloned().unwrap_or_default();
        if *had == wanted {
            return changed;
        }
        for need in wanted.difference(&had) {
            let count = self.counts.entry(need.clone()).or_insert(0);
            *count += 1;
            changed |= *count == 1;
        }
        for need in had.difference(&wanted) {
            let count = self.counts.entry(need.clone()).or_insert(1);
            *count -= 1;
            if *count == 0 {
                self.counts.remove(need);
                changed = true;
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
                let derived = node::derive(&kept, sn, name);
                derived.map(|(node, _)| Entry::Node(Box::new(node)))
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

/// The outlines of the slices of all service nodes, kept while the model changes.
#[derive(Clone, Debug)]
pub struct Derivation {
    facts: Facts,
    by_sn: BTreeMap<SnName, Derived>,
}

impl Derivation {
    /// Of a model in which there is nothing.
    pub const fn empty(facts: Facts) -> Self {
        Self { facts, by_sn: BTreeMap::new() }
    }

    /// Derives everything.
    pub fn new(model: &Model, facts: Facts) -> Self {
        let mut derivation = Self::empty(facts);
        derivation.rebuild(model);
        derivation
    }

    fn rebuild(&mut self, model: &Model) {
        self.by_sn = model.service_nodes().into_iter().map(|sn| (sn, Derived::default())).collect();
        let kept = Kept::new(model);
        for name in model.nodes() {
            for sn in kept.holders_of(name) {
                self.by_sn.entry(sn.clone()).or_default().node(&kept, &sn, name);
            }
        }
        for (sn, derived) in &mut self.by_sn {
            derived.base(model, sn, &self.facts);
            derived.tighten();
        }
    }

    /// Follows a committed change; says whose slices differ now, service nodes that came or went
    /// included.
    pub fn follow(&mut self, before: &Model, after: &Model, edits: &[Edit]) -> BTreeSet<SnName> {
        match Touched::by(before, after, edits) {
            Touched::Nothing => BTreeSet::new(),
            Touched::Everything => {
                let old = self.digests();
                self.rebuild(after);
                let new = self.digests();
                let all: BTreeSet<&SnName> = old.keys().chain(new.keys()).collect();
                all.into_iter().filter(|sn| old.get(*sn) != new.get(*sn)).cloned().collect()
            }
            Touched::Nodes(nodes) => self.follow_nodes(before, after, &nodes),
        }
    }

    /// Where many nodes came, what they left half empty is laid out anew.
    fn follow_nodes(
        &mut self,
        before: &Model,
        after: &Model,
        nodes: &BTreeSet<NodeName>,
    ) -> BTreeSet<SnName> {
        /// How many touched nodes are worth it.
        const WORTH: usize = 2_000;
        let mut old: BTreeMap<SnName, Option<Digest>> = BTreeMap::new();
        let mut shaken = BTreeSet::new();
        let (was, is) = (Kept::new(before), Kept::new(after));
        for name in nodes {
            let mut holders = was.holders_of(name);
            holders.extend(is.holders_of(name));
            for sn in holders {
                if !old.contains_key(&sn) {
                    old.insert(sn.clone(), self.outline(&sn).map(Outline::digest));
                }
                if self.by_sn.entry(sn.clone()).or_default().node(&is, &sn, name) {
                    shaken.insert(sn);
                }
            }
        }
        for sn in shaken {
            if let Some(derived) = self.by_sn.get_mut(&sn) {
                derived.base(after, &sn, &self.facts);
            }
        }
        if nodes.len() >= WORTH {
            for sn in old.keys() {
                self.by_sn.get_mut(sn).into_iter().for_each(Derived::tighten);
            }
        }
        let differs = |sn: &SnName, old: Option<Digest>| self.outline(sn).map(Outline::digest) != old;
        old.into_iter().filter(|(sn, old)| differs(sn, *old)).map(|(sn, _)| sn).collect()
    }

    fn digests(&self) -> BTreeMap<SnName, Digest> {
        self.outlines().map(|(sn, outline)| (sn.clone(), outline.digest())).collect()
    }

    /// The outline of a service node's slice.
    pub fn outline(&self, sn: &SnName) -> Option<&Outline> {
        self.by_sn.get(sn).map(|derived| &derived.outline)
    }

    /// All outlines.
    pub fn outlines(&self) -> impl Iterator<Item = (&SnName, &Outline)> {
        self.by_sn.iter().map(|(sn, derived)| (sn, &derived.outline))
    }

    /// The contents of entries of a service node's slice. `model` is the one that was followed last.
    pub fn filled(&self, model: &Model, sn: &SnName, changed: &Changed) -> Delta {
        let derived = self.by_sn.get(sn);
        derived.map_or_else(Delta::default, |derived| derived.filled(model, sn, &self.facts, changed))
    }
}
