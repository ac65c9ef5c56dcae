//! The slice of this service node: on disk ([`store`]), checked and switched to ([`keeper`]), and as
//! the services see it ([`views`]). What may be applied is decided in `sn_proto::inbox`, who is
//! silent in `sn_proto::peer`.
//!
//! **Invariants**
//! - Nothing is served that is not on disk; a slice is on disk whole or not at all.
//! - All services switch together, to views that were all built before.

pub mod keeper;
pub mod reports;
pub mod store;
pub mod views;

use std::sync::Arc;

use common::id::{Digest, NodeName};
use common::slice::{Entry, Key, Node, Role, Slice, Stamp, Sum};

/// What is served now.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Which slice; none before the first.
    pub stamp: Option<Stamp>,
    /// The slice as the management node made it.
    pub slice: Arc<Slice>,
    /// The same without what was lost to a higher epoch, which is a backup's here: what it claims
    /// towards its pool.
    pub claimed: Arc<Slice>,
    /// The slice as the services see it: what it claims, once the pool was asked.
    pub effective: Arc<Slice>,
    /// Of the entries that every agent is told something of, so that an edited node costs the work
    /// of one agent.
    pub names: Digest,
}

impl Serving {
    /// The slice with this stamp, of which `claimed` is claimed and `effective` shown.
    pub fn new(stamp: Option<Stamp>, slice: Arc<Slice>, claimed: Arc<Slice>, effective: Arc<Slice>) -> Self {
        let mut sum = Sum::default();
        for (key, record) in slice.records() {
            if matches!(key, Key::Site | Key::Host(_)) {
                sum.add(&Digest::of(record.bytes()));
            }
        }
        Self { stamp, slice, claimed, effective, names: sum.digest() }
    }

    /// The node as the management node made it.
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        match self.slice.entry(&Key::Node(name.clone())) {
            Some(Entry::Node(node)) => Some(node),
            _ => None,
        }
    }

    /// How many nodes it answers for as owner.
    pub fn owned(&self) -> usize {
        count_owned(&self.effective)
    }

    /// How many nodes its slice gives it and a higher epoch took away.
    pub fn silenced(&self) -> usize {
        let owned = count_owned(&self.slice);
        owned.saturating_sub(count_owned(&self.claimed))
    }
}

fn count_owned(slice: &Slice) -> usize {
    slice.nodes().filter(|node| node.role == Role::Owner).count()
}
