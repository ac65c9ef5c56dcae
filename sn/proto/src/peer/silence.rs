//! Which nodes were lost to a higher epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::id::{Epoch, NodeName, SnName};
use common::slice::{Entry, Key, Node, Role, Slice};
use serde::{Deserialize, Serialize};

/// How many nodes with unsettled claims are remembered: the largest cluster of the design.
pub const MAX_HEARD: usize = 100_000;

/// A claim that is higher than what the slice says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The epoch.
    pub epoch: Epoch,
    /// Who claims to own the node since then.
    pub by: SnName,
}

/// The claims that the slice has not caught up with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    heard: BTreeMap<NodeName, Heard>,
}

impl Silence {
    /// What the disk remembers.
    pub fn restore(heard: impl IntoIterator<Item = (NodeName, Heard)>) -> Self {
        Self { heard: heard.into_iter().collect() }
    }

    /// All of them, in the order of the nodes' names.
    pub fn heard(&self) -> impl Iterator<Item = (&NodeName, &Heard)> {
        self.heard.iter()
    }

    /// Hears the claims of `by`; gives those that are news, to be put on disk before they are
    /// confirmed.
    ///
    /// A node that the slice does not have yet is remembered too: an old slice may still bring it.
    pub fn hear(&mut self, slice: &Slice, by: &SnName, own: &[(NodeName, Epoch)]) -> Vec<(NodeName, Heard)> {
        let mut news = Vec::new();
        for (name, epoch) in own {
            let known = self.heard.get(name).map_or(Epoch::ZERO, |heard| heard.epoch);
            let ours = node(slice, name).map_or(Epoch::ZERO, |node| node.epoch);
            if *epoch <= known.max(ours) || (known == Epoch::ZERO && self.heard.len() >= MAX_HEARD) {
                continue;
            }
            let heard = Heard { epoch: *epoch, by: by.clone() };
            self.heard.insert(name.clone(), heard.clone());
            news.push((name.clone(), heard));
        }
        news
    }

    /// Forgets what `slice` has caught up with; gives the names.
    pub fn settle(&mut self, slice: &Slice) -> Vec<NodeName> {
        let caught_up =
            |name: &NodeName, heard: &Heard| node(slice, name).is_some_and(|node| node.epoch >= heard.epoch);
        let gone: Vec<_> = self
            .heard
            .iter()
            .filter(|(name, heard)| caught_up(name, heard))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &gone {
            self.heard.remove(name);
        }
        gone
    }

    /// Whether this service node, which owns the node in its slice, must not answer as owner.
    pub fn silences(&self, node: &Node) -> bool {
        self.heard.get(&node.name).is_some_and(|heard| heard.epoch > node.epoch)
    }

    /// The slice as the services see it: the nodes that were lost are a backup's.
    pub fn effective(&self, slice: &Arc<Slice>) -> Arc<Slice> {
        if self.heard.is_empty() { Arc::clone(slice) } else { demote(slice, |node| self.silences(node)) }
    }

    /// The slice before anyone was asked: every node is a backup's.
    pub fn hushed(slice: &Arc<Slice>) -> Arc<Slice> {
        demote(slice, |_| true)
    }
}

/// The slice with `Role::Backup` for each owned node that `lost` names.
fn demote(slice: &Arc<Slice>, lost: impl Fn(&Node) -> bool) -> Arc<Slice> {
    let nodes: Vec<Node> =
        slice.nodes().filter(|node| node.role == Role::Owner && lost(node)).cloned().collect();
    if nodes.is_empty() {
        return Arc::clone(slice);
    }
    let mut silent = Slice::clone(slice);
    for mut node in nodes {
        node.role = Role::Backup;
        let key = Key::Node(node.name.clone());
        if silent.put(Entry::Node(Box::new(node))).is_err() {
            // It encoded before and is no longer now, so this cannot be; but silence is what matters.
            silent.remove(&key);
        }
    }
    Arc::new(silent)
}

/// What this service node tells `peer` of the nodes that the peer may serve too: those that it owns,
/// or holds for a move to it, and those that by its slice belong to a third. `claimed` is the slice
/// without what was lost.
///
/// A node that is held has the old owner's own epoch until that owner is released, so the claim
/// changes nothing before; from then on it has a higher one, and an old owner that the management
/// node cannot reach hears it from here before this service node begins to answer.
///
/// A backup speaks for an owner that is not there: an old owner that starts while the new one is
/// still down would otherwise have asked its pool and have heard nothing. It is not told of the nodes
/// that are its own by this slice, which may be the one that is behind; nor of what was lost here,
/// whose epoch is old.
pub fn claims(claimed: &Slice, peer: &SnName) -> Vec<(NodeName, Epoch)> {
    let me = match claimed.entry(&Key::Services) {
        Some(Entry::Services(services)) => Some(&services.sn),
        _ => None,
    };
    let told = |node: &&Node| match node.role {
        Role::Owner | Role::Held => true,
        Role::Backup => node.owner().is_some_and(|owner| owner.sn != *peer && Some(&owner.sn) != me),
    };
    let shared = |node: &&Node| node.pool.iter().any(|member| member.sn == *peer);
    let nodes = claimed.nodes().filter(told).filter(shared);
    nodes.map(|node| (node.name.clone(), node.epoch)).collect()
}

fn node<'a>(slice: &'a Slice, name: &NodeName) -> Option<&'a Node> {
    match slice.entry(&Key::Node(name.clone())) {
        Some(Entry::Node(node)) => Some(node),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::fixture;
    use common::slice::{PoolMember, Services};
    use proptest::prelude::*;

    fn sn(name: &str) -> SnName {
        name.parse().unwrap()
    }

    /// A slice of `sn1`.
    fn slice(nodes: &[(&str, Role, u64)]) -> Arc<Slice> {
        let mut slice = Slice::new();
        let services = Services {
            sn: sn("sn1"),
            dhcp: true,
            tftp: true,
            http: true,
            dns: true,
            ntp: true,
            syslog: true,
            nfs: true,
            dhcp_interfaces: vec![],
        };
        slice.put(Entry::Services(services)).unwrap();
        for (name, role, epoch) in nodes {
            let mut node = fixture::node(name);
            (node.role, node.epoch) = (*role, Epoch::new(*epoch));
            slice.put(Entry::Node(Box::new(node))).unwrap();
        }
        Arc::new(slice)
    }

    fn role(slice: &Slice, name: &str) -> Role {
        node(slice, &name.parse().unwrap()).unwrap().role
    }

    fn own(claims: &[(&str, u64)]) -> Vec<(NodeName, Epoch)> {
        claims.iter().map(|(name, epoch)| (name.parse().unwrap(), Epoch::new(*epoch))).collect()
    }

    #[test]
    fn a_higher_epoch_silences_until_the_slice_has_it() {
        let ours = slice(&[("n1", Role::Owner, 3), ("n2", Role::Owner, 3)]);
        let mut silence = Silence::default();
        let news = silence.hear(&ours, &sn("sn2"), &own(&[("n1", 4), ("n2", 3)]));
        assert_eq!(news, [("n1".parse().unwrap(), Heard { epoch: Epoch::new(4), by: sn("sn2") })]);
        let seen = silence.effective(&ours);
        assert_eq!((role(&seen, "n1"), role(&seen, "n2")), (Role::Backup, Role::Owner));
        assert_eq!(claims(&seen, &sn("sn2")), own(&[("n2", 3)]), "what was lost is not claimed");

        let later = slice(&[("n1", Role::Owner, 5)]);
        assert_eq!(silence.settle(&later), ["n1".parse().unwrap()]);
        assert_eq!(role(&silence.effective(&later), "n1"), Role::Owner);
    }

    #[test]
    fn an_old_slice_that_arrives_late_does_not_end_the_silence() {
        let mut silence = Silence::default();
        silence.hear(&Slice::new(), &sn("sn2"), &own(&[("n1", 5)]));
        let late = slice(&[("n1", Role::Owner, 4)]);
        assert!(silence.settle(&late).is_empty());
        assert_eq!(role(&silence.effective(&late), "n1"), Role::Backup);
    }

    #[test]
    fn nothing_a_peer_says_makes_us_answer() {
        let ours = slice(&[("n1", Role::Backup, 3), ("n2", Role::Held, 3)]);
        let mut silence = Silence::default();
        silence.hear(&ours, &sn("sn2"), &own(&[("n1", 9), ("n2", 9)]));
        let seen = silence.effective(&ours);
        assert_eq!((role(&seen, "n1"), role(&seen, "n2")), (Role::Backup, Role::Held));
    }

    #[test]
    fn the_target_of_a_move_silences_the_old_owner_when_it_is_released_and_not_before() {
        let old_owner = slice(&[("n1", Role::Owner, 3)]);
        let mut silence = Silence::default();
        for (epoch, want) in [(3, Role::Owner), (4, Role::Backup)] {
            let target = slice(&[("n1", Role::Held, epoch)]);
            silence.hear(&old_owner, &sn("sn2"), &claims(&target, &sn("sn1")));
            assert_eq!(role(&silence.effective(&old_owner), "n1"), want);
        }
    }

    #[test]
    fn only_members_of_the_pool_are_told() {
        let ours = slice(&[("n1", Role::Owner, 3)]);
        assert_eq!(claims(&ours, &sn("sn2")), own(&[("n1", 3)]));
        assert_eq!(claims(&ours, &sn("sn9")), []);
        assert_eq!(claims(&Silence::hushed(&ours), &sn("sn2")), []);
    }

    #[test]
    fn a_backup_speaks_for_an_owner_that_is_not_there_and_not_against_one() {
        let mut backup = Slice::clone(&slice(&[]));
        let mut node = fixture::node("n1");
        (node.role, node.epoch) = (Role::Backup, Epoch::new(4));
        node.pool.insert(0, PoolMember { sn: sn("sn3"), address: [10, 0, 0, 3].into() });
        backup.put(Entry::Node(Box::new(node))).unwrap();
        assert_eq!(claims(&backup, &sn("sn2")), own(&[("n1", 4)]), "it is sn3's");
        assert_eq!(claims(&backup, &sn("sn3")), [], "sn3 may know of an epoch that this slice does not");
    }

    proptest! {
        #[test]
        fn two_that_have_heard_each_other_never_both_own_a_node(
            left in prop::collection::vec(0u64..4, 3), right in prop::collection::vec(0u64..4, 3),
        ) {
            let names = ["n1", "n2", "n3"];
            let make = |epochs: &[u64]| {
                slice(&names.iter().zip(epochs).map(|(n, e)| (*n, Role::Owner, *e)).collect::<Vec<_>>())
            };
            let (a, b) = (make(&left), make(&right));
            let (mut hears_a, mut hears_b) = (Silence::default(), Silence::default());
            hears_b.hear(&a, &sn("sn2"), &claims(&b, &sn("sn1")));
            hears_a.hear(&b, &sn("sn1"), &claims(&a, &sn("sn2")));
            let (a, b) = (hears_b.effective(&a), hears_a.effective(&b));
            for (at, name) in names.iter().enumerate() {
                let both = role(&a, name) == Role::Owner && role(&b, name) == Role::Owner;
                // Equal epochs on both sides would be the management node's mistake.
                prop_assert!(!both || left[at] == right[at]);
                prop_assert!(role(&a, name) == Role::Owner || role(&b, name) == Role::Owner);
            }
        }
    }
}
