//! The outlines of all slices, kept while the model changes.
//!
//! Of a service node that has never joined nothing is kept: it is no machine yet, nobody can be given
//! its slice, and a site is often defined long before its service nodes are installed. The commit that
//! makes it a member is a change as any other, and its slice is derived then, of the nodes that name it.

use std::collections::{BTreeMap, BTreeSet};

use common::id::{Digest, SnName};
use common::slice::{Changed, Delta, Outline};

use super::kept::Kept;
use super::touched::{These, Touched};
use super::{Derived, Facts, holdings};
use crate::model::Model;
use crate::table::Edit;

/// The outlines of the slices of all service nodes that have joined, kept while the model changes.
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
        self.by_sn = holdings::holders(model).into_iter().map(|sn| (sn, Derived::default())).collect();
        if self.by_sn.is_empty() {
            return;
        }
        let kept = Kept::new(model);
        for name in model.nodes() {
            for sn in kept.holders_of(name) {
                if let Some(derived) = self.by_sn.get_mut(&sn) {
                    derived.node(&kept, &sn, name);
                }
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
        if self.by_sn.is_empty() && !holdings::has_members(after) {
            return BTreeSet::new();
        }
        match Touched::by(before, after, edits) {
            Touched::Everything => {
                let old = self.digests();
                self.rebuild(after);
                let new = self.digests();
                let all: BTreeSet<&SnName> = old.keys().chain(new.keys()).collect();
                all.into_iter().filter(|sn| old.get(*sn) != new.get(*sn)).cloned().collect()
            }
            Touched::These(these) => self.follow_these(before, after, &these),
        }
    }

    /// Where many nodes came, what they left half empty is laid out anew.
    fn follow_these(&mut self, before: &Model, after: &Model, these: &These) -> BTreeSet<SnName> {
        /// How many touched nodes are worth it.
        const WORTH: usize = 2_000;
        let mut old: BTreeMap<SnName, Option<Digest>> = BTreeMap::new();
        let mut shaken = BTreeSet::new();
        let (was, is) = (Kept::new(before), Kept::new(after));
        for name in &these.nodes {
            let mut holders = was.holders_of(name);
            holders.extend(is.holders_of(name));
            for sn in holders {
                let Some(derived) = self.by_sn.get_mut(&sn) else { continue };
                if !old.contains_key(&sn) {
                    old.insert(sn.clone(), Some(derived.outline.digest()));
                }
                if derived.node(&is, &sn, name) {
                    shaken.insert(sn);
                }
            }
        }
        if !these.names.is_empty() {
            for (sn, derived) in &mut self.by_sn {
                let digest = derived.outline.digest();
                if derived.rename(&is, sn, &self.facts, |name| these.is_renamed(name)) {
                    shaken.remove(sn);
                    old.entry(sn.clone()).or_insert(Some(digest));
                }
            }
        }
        for sn in shaken {
            if let Some(derived) = self.by_sn.get_mut(&sn) {
                derived.base(after, &sn, &self.facts);
            }
        }
        if these.nodes.len() >= WORTH {
            for sn in old.keys() {
                self.by_sn.get_mut(sn).into_iter().for_each(Derived::tighten);
            }
        }
        for sn in &these.members {
            old.entry(sn.clone()).or_insert_with(|| self.outline(sn).map(Outline::digest));
            self.admit(after, sn);
        }
        let differs = |sn: &SnName, old: Option<Digest>| self.outline(sn).map(Outline::digest) != old;
        old.into_iter().filter(|(sn, old)| differs(sn, *old)).map(|(sn, _)| sn).collect()
    }

    /// Sees whether a service node has joined or left.
    fn admit(&mut self, model: &Model, sn: &SnName) {
        match (self.by_sn.contains_key(sn), holdings::is_holder(model, sn)) {
            (false, true) => {
                let mut derived = Derived::default();
                derived.rebuild(model, sn, &self.facts, &holdings::of(model, sn));
                derived.tighten();
                self.by_sn.insert(sn.clone(), derived);
            }
            (true, false) => {
                self.by_sn.remove(sn);
            }
            _ => {}
        }
    }

    pub(super) fn digests(&self) -> BTreeMap<SnName, Digest> {
        self.outlines().map(|(sn, outline)| (sn.clone(), outline.digest())).collect()
    }

    /// The outline of a service node's slice; none where it has never joined.
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
