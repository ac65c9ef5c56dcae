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
mod node;
mod servers;
mod touched;

use std::collections::{BTreeMap, BTreeSet};

use common::id::{Digest, NodeName, SnName};
use common::slice::{Entry, Key, Slice};

pub use self::base::services as services_of;
pub use self::boot::{Bootable, bootable, image_of, shell_files, state_of};
pub use self::node::{pool_of, role_of, script_hash, scripts_of};
pub use self::servers::{NoAddress, address_for, address_on, addresses_of, service_node_named};
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
    derived.slice
}

/// One service node's slice, with who needs what in it.
#[derive(Clone, Debug, Default)]
struct Derived {
    slice: Slice,
    needs: BTreeMap<NodeName, BTreeSet<Need>>,
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
        for node in nodes {
            self.node(model, sn, node);
        }
        self.base(model, sn, facts);
    }

    /// Derives one node anew; says whether the slice's needs have changed, so that what stands on
    /// them ([`Derived::base`]) is to be derived anew too.
    fn node(&mut self, model: &Model, sn: &SnName, name: &NodeName) -> bool {
        let wanted = match node::derive(model, sn, name) {
            Some((node, needs)) => {
                self.put(Entry::Node(Box::new(node)));
                needs
            }
            None => {
                self.slice.remove(&Key::Node(name.clone()));
                BTreeSet::new()
            }
        };
        let had = self.needs.remove(name).unwrap_or_default();
        let mut changed = false;
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
        if !wanted.is_empty() {
            self.needs.insert(name.clone(), wanted);
        }
        changed
    }

    /// Derives everything but the nodes.
    fn base(&mut self, model: &Model, sn: &SnName, facts: &Facts) {
        let entries = base::derive(model, sn, facts, self.counts.keys(), &self.slice);
        let wanted: BTreeSet<Key> = entries.iter().map(Entry::key).collect();
        let stale = |key: &Key| !matches!(key, Key::Node(_)) && !wanted.contains(key);
        let stale: Vec<Key> =
            self.slice.records().map(|(key, _)| key).filter(|key| stale(key)).cloned().collect();
        for key in stale {
            self.slice.remove(&key);
        }
        for entry in entries {
            self.put(entry);
        }
    }

    fn put(&mut self, entry: Entry) {
        // An entry beyond the bound of its size cannot be sent; the checks of a change refuse the
        // values that could make one, so it is left out here.
        let _ = self.slice.put(entry);
    }
}

/// The slices of all service nodes, kept while the model changes.
#[derive(Clone, Debug)]
pub struct Derivation {
    facts: Facts,
    by_sn: BTreeMap<SnName, Derived>,
}

impl Derivation {
    /// Derives everything.
    pub fn new(model: &Model, facts: Facts) -> Self {
        let mut derivation = Self { facts, by_sn: BTreeMap::new() };
        derivation.rebuild(model);
        derivation
    }

    fn rebuild(&mut self, model: &Model) {
        let mut members: BTreeMap<SnName, Vec<&NodeName>> =
            model.service_nodes().into_iter().map(|sn| (sn, Vec::new())).collect();
        for name in model.nodes() {
            for sn in node::holders_of(model, name) {
                members.entry(sn).or_default().push(name);
            }
        }
        self.by_sn.retain(|sn, _| members.contains_key(sn));
        for (sn, nodes) in members {
            let derived = self.by_sn.entry(sn.clone()).or_default();
            derived.rebuild(model, &sn, &self.facts, nodes);
        }
    }

    /// Follows a committed change; says whose slices differ now, service nodes that came or went
    /// included.
    pub fn follow(&mut self, before: &Model, after: &Model, edits: &[Edit]) -> BTreeSet<SnName> {
        let old = self.digests();
        match Touched::by(before, after, edits) {
            Touched::Nothing => return BTreeSet::new(),
            Touched::Everything => self.rebuild(after),
            Touched::Nodes(nodes) => self.follow_nodes(before, after, &nodes),
        }
        let new = self.digests();
        let all: BTreeSet<&SnName> = old.keys().chain(new.keys()).collect();
        all.into_iter().filter(|sn| old.get(*sn) != new.get(*sn)).cloned().collect()
    }

    fn follow_nodes(&mut self, before: &Model, after: &Model, nodes: &BTreeSet<NodeName>) {
        let mut shaken = BTreeSet::new();
        for name in nodes {
            let mut holders = node::holders_of(before, name);
            holders.extend(node::holders_of(after, name));
            for sn in holders {
                if self.by_sn.entry(sn.clone()).or_default().node(after, &sn, name) {
                    shaken.insert(sn);
                }
            }
        }
        for sn in shaken {
            if let Some(derived) = self.by_sn.get_mut(&sn) {
                derived.base(after, &sn, &self.facts);
            }
        }
    }

    fn digests(&self) -> BTreeMap<SnName, Digest> {
        self.slices().map(|(sn, slice)| (sn.clone(), slice.digest())).collect()
    }

    /// A service node's slice.
    pub fn slice(&self, sn: &SnName) -> Option<&Slice> {
        self.by_sn.get(sn).map(|derived| &derived.slice)
    }

    /// All slices.
    pub fn slices(&self) -> impl Iterator<Item = (&SnName, &Slice)> {
        self.by_sn.iter().map(|(sn, derived)| (sn, &derived.slice))
    }
}
