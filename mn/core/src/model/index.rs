//! What is found without looking at every node.
//!
//! An index holds what is *effective*: a group's row is in it once for each member. So an edit of a
//! group's row touches its members, and an edit of a node's row touches one; each is taken out as
//! the model was before and put in as it is after.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Bound;
use std::sync::Arc;

use common::id::{MacAddr, NodeName};
use imbl::{OrdMap, OrdSet};

use super::Model;
use super::inherited::Turned;
use crate::table::schema::{HOSTS, MAC, NICS, NODELIST, NODERES, SERVICENODE};
use crate::table::{Edit, Row, TableId, Tables, dense_set};

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    /// Rows of `nodelist` that count and whose key is a name.
    pub(super) nodes: OrdSet<NodeName>,
    /// Who is in a group; a group without members is not there.
    pub(super) groups: OrdMap<Arc<str>, OrdSet<NodeName>>,
    /// Service nodes.
    pub(super) service: OrdSet<NodeName>,
    macs: Pairs<MacAddr>,
    ips: Pairs<Ipv4Addr>,
    /// Digests of names of interfaces that are not the node's own. Two names may have one digest, so
    /// what is found is asked whether it is called so.
    aliases: Pairs<u64>,
    /// Service nodes, with the nodes that have them in their pool.
    pools: OrdMap<Arc<str>, OrdSet<NodeName>>,
}

/// Keys with their nodes, several a key. No node is none: that is where the nodes of a key begin.
type Pairs<K> = OrdSet<(K, Option<NodeName>)>;

/// The nodes of a key.
fn nodes_of<K: Ord + Clone>(pairs: &Pairs<K>, key: K) -> impl Iterator<Item = &NodeName> {
    let from = (key.clone(), None);
    let range = pairs.range((Bound::Included(from), Bound::Unbounded));
    range.take_while(move |(known, _)| *known == key).filter_map(|(_, node)| node.as_ref())
}

/// The parts of the index, each of columns of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Macs,
    Addresses,
    Pools,
    Service,
}

impl Part {
    const ALL: [Self; 4] = [Self::Macs, Self::Addresses, Self::Pools, Self::Service];

    const fn table_of(self) -> &'static [TableId] {
        match self {
            Self::Macs => &[MAC],
            Self::Addresses => &[HOSTS, NICS],
            Self::Pools => &[NODERES],
            Self::Service => &[SERVICENODE],
        }
    }

    /// Whether an edit of one of its tables concerns it: of a row with twenty columns, few are
    /// looked for here, and a group's row would be looked at for each of its members.
    fn is_concerned(self, edit: &Edit) -> bool {
        let columns: &[&str] = match self {
            Self::Macs => &["mac"],
            Self::Addresses if edit.table == HOSTS => &["ip", "hostnames", "otherinterfaces"],
            Self::Addresses => &["nicips", "nichostnamesuffixes", "nichostnameprefixes", "nicaliases"],
            Self::Pools => &["servicenode"],
            // Whether any of its columns says something.
            Self::Service => return true,
        };
        let live = |row| Option::as_ref(row).filter(|row: &&Row| row.is_live());
        let (before, after) = (live(&edit.before), live(&edit.after));
        let differs =
            |column: &&str| before.and_then(|row| row.cell(column)) != after.and_then(|row| row.cell(column));
        columns.iter().any(differs)
    }
}

/// What an index holds that edits may make untrue, looked up before they are carried out.
#[derive(Debug, Default)]
pub(super) struct Stale(BTreeMap<(Part, NodeName), Found>);

impl Stale {
    /// What `model`, on which the edits are still to be carried out, says of the nodes that they
    /// touch. A group's row counts for its members; who joins it in the same edits is there for its
    /// own row of `nodelist`.
    pub(super) fn of(model: &Model, edits: &[Edit]) -> Self {
        let mut stale = Self::default();
        for edit in edits {
            let Some(name) = edit.key.parts().next() else { continue };
            let inherits = edit.table == NODELIST && changes_inheritance(edit);
            for part in Part::ALL {
                if inherits {
                    stale.look(part, name, model);
                } else if part.table_of().contains(&edit.table) && part.is_concerned(edit) {
                    stale.look(part, name, model);
                    for member in model.index.members(name) {
                        stale.look(part, member.as_str(), model);
                    }
                }
            }
        }
        stale
    }

    fn look(&mut self, part: Part, name: &str, model: &Model) {
        let known = model.index.nodes.get(name);
        let Some(node) = known.cloned().or_else(|| name.parse().ok()) else { return };
        let is_known = known.is_some();
        let place = self.0.entry((part, node));
        place.or_insert_with_key(|(part, node)| {
            let mut found = Found::default();
            if is_known {
                found.look(*part, node, model);
            }
            found
        });
    }
}

impl Index {
    /// The nodes and groups of these tables, without what is to be found of each node.
    pub(super) fn listed(tables: &Tables) -> Self {
        let rows = tables.rows(NODELIST).filter(|(_, row)| row.is_live());
        let listed: Vec<(NodeName, &Row)> = rows.filter_map(|(key, row)| Some((key.node()?, row))).collect();
        let mut groups: BTreeMap<&str, Vec<NodeName>> = BTreeMap::new();
        for (node, row) in &listed {
            for group in super::split(row.cell("groups").unwrap_or_default()) {
                groups.entry(group).or_default().push(node.clone());
            }
        }
        Self {
            nodes: dense_set(listed.into_iter().map(|(node, _)| node).collect()),
            groups: groups.into_iter().map(|(group, nodes)| (Arc::from(group), dense_set(nodes))).collect(),
            ..Self::default()
        }
    }

    /// Finds everything of the nodes that are listed.
    pub(super) fn fill(&mut self, model: &Model) {
        let nodes: Vec<NodeName> = self.nodes.iter().cloned().collect();
        let found = Found::of(model, &nodes);
        let mut pools: BTreeMap<Arc<str>, Vec<NodeName>> = BTreeMap::new();
        for (sn, node) in found.pools {
            pools.entry(sn).or_default().push(node);
        }
        self.service = dense_set(found.service);
        self.macs = dense_set(found.macs.into_iter().map(|(key, node)| (key, Some(node))).collect());
        self.ips = dense_set(found.ips.into_iter().map(|(key, node)| (key, Some(node))).collect());
        self.aliases = dense_set(found.aliases.into_iter().map(|(key, node)| (key, Some(node))).collect());
        self.pools = pools.into_iter().map(|(sn, nodes)| (sn, dense_set(nodes))).collect();
    }

    /// Follows edits in what nodes and groups there are; gives the groups that came and went.
    pub(super) fn list(&mut self, edits: &[Edit]) -> Turned {
        let mut turned = Turned::default();
        for edit in edits.iter().filter(|edit| edit.table == NODELIST) {
            self.list_one(edit, &mut turned);
        }
        turned
    }

    /// Follows edits in what is found of nodes. [`Index::list`] went before, `stale` is of the model
    /// as it was before the edits, and `after` has no index of its own yet.
    pub(super) fn update(&mut self, stale: Stale, after: &Model) {
        for ((part, node), old) in stale.0 {
            let mut new = Found::default();
            if let Some(node) = self.nodes.get(&node) {
                new.look(part, node, after);
            }
            if old != new {
                self.take(old);
                self.put(new);
            }
        }
    }

    /// Lays it out anew, as [`Model::tighten`].
    pub(super) fn tighten(&mut self) {
        fn tight<T: Ord + Clone>(set: &mut OrdSet<T>) {
            *set = dense_set(set.iter().cloned().collect());
        }
        tight(&mut self.nodes);
        tight(&mut self.macs);
        tight(&mut self.ips);
        tight(&mut self.aliases);
        for sets in [&mut self.groups, &mut self.pools] {
            let keys: Vec<Arc<str>> = sets.keys().cloned().collect();
            for key in keys {
                sets.get_mut(&key).into_iter().for_each(tight);
            }
        }
    }

    pub(super) fn members(&self, group: &str) -> impl Iterator<Item = &NodeName> {
        self.groups.get(group).into_iter().flatten()
    }

    pub(super) fn with_mac(&self, mac: MacAddr) -> impl Iterator<Item = &NodeName> {
        nodes_of(&self.macs, mac)
    }

    pub(super) fn with_ip(&self, address: Ipv4Addr) -> impl Iterator<Item = &NodeName> {
        nodes_of(&self.ips, address)
    }

    pub(super) fn with_alias(&self, name: &str) -> impl Iterator<Item = &NodeName> {
        nodes_of(&self.aliases, digest(name))
    }

    pub(super) fn pools(&self) -> impl Iterator<Item = &str> {
        self.pools.keys().map(AsRef::as_ref)
    }

    pub(super) fn served_by(&self, sn: &str) -> impl Iterator<Item = &NodeName> {
        self.pools.get(sn).into_iter().flatten()
    }

    /// Follows one row of `nodelist`.
    fn list_one(&mut self, edit: &Edit, turned: &mut Turned) {
        let (key, before, after) = (edit.key.as_str(), edit.before.as_ref(), edit.after.as_ref());
        let groups = |row: Option<&Row>| -> BTreeSet<Arc<str>> {
            let text = row.filter(|row| row.is_live()).and_then(|row| row.cell("groups"));
            super::split(text.unwrap_or_default()).map(Arc::from).collect()
        };
        let Some(node) = self.nodes.get(key).cloned().or_else(|| edit.key.node()) else { return };
        let (old, new) = (groups(before), groups(after));
        for group in old.difference(&new) {
            if forget(&mut self.groups, group, &node) {
                turned.note(group, true);
            }
        }
        for group in new.difference(&old) {
            let members = self.groups.entry(Arc::clone(group)).or_default();
            if members.is_empty() {
                turned.note(group, false);
            }
            members.insert(node.clone());
        }
        if after.is_some_and(Row::is_live) {
            self.nodes.insert(node);
        } else {
            self.nodes.remove(&node);
        }
    }

    fn put(&mut self, found: Found) {
        self.macs.extend(found.macs.into_iter().map(|(mac, node)| (mac, Some(node))));
        self.ips.extend(found.ips.into_iter().map(|(ip, node)| (ip, Some(node))));
        self.aliases.extend(found.aliases.into_iter().map(|(alias, node)| (alias, Some(node))));
        self.service.extend(found.service);
        for (sn, node) in found.pools {
            self.pools.entry(sn).or_default().insert(node);
        }
    }

    fn take(&mut self, found: Found) {
        for (mac, node) in found.macs {
            self.macs.remove(&(mac, Some(node)));
        }
        for (ip, node) in found.ips {
            self.ips.remove(&(ip, Some(node)));
        }
        for (alias, node) in found.aliases {
            self.aliases.remove(&(alias, Some(node)));
        }
        for node in found.service {
            self.service.remove(&node);
        }
        for (sn, node) in found.pools {
            forget(&mut self.pools, &sn, &node);
        }
    }
}

/// What the index holds of nodes.
#[derive(Debug, Default, PartialEq)]
struct Found {
    macs: Vec<(MacAddr, NodeName)>,
    ips: Vec<(Ipv4Addr, NodeName)>,
    aliases: Vec<(u64, NodeName)>,
    pools: Vec<(Arc<str>, NodeName)>,
    service: Vec<NodeName>,
}

impl Found {
    /// What an index holds of these nodes. Most of a start, so that many nodes are shared out among
    /// threads.
    fn of(model: &Model, nodes: &[NodeName]) -> Self {
        /// How many threads there are, and the nodes for which one is worth its start.
        const THREADS: usize = 4;
        const WORTH: usize = 5_000;
        let look = |nodes: &[NodeName]| {
            let mut found = Self::default();
            for node in nodes {
                Part::ALL.into_iter().for_each(|part| found.look(part, node, model));
            }
            found
        };
        if nodes.len() <= WORTH {
            return look(nodes);
        }
        let look = &look;
        std::thread::scope(|scope| {
            let shares = nodes.chunks(nodes.len().div_ceil(THREADS).max(WORTH));
            let threads: Vec<_> = shares.map(|share| scope.spawn(move || look(share))).collect();
            let mut found = Self::default();
            for thread in threads {
                // It panics only where this one would.
                found.join(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            found
        })
    }

    fn join(&mut self, other: Self) {
        self.macs.extend(other.macs);
        self.ips.extend(other.ips);
        self.aliases.extend(other.aliases);
        self.pools.extend(other.pools);
        self.service.extend(other.service);
    }

    /// Adds what a part of the index holds of a node.
    fn look(&mut self, part: Part, node: &NodeName, model: &Model) {
        let name = node.as_str();
        match part {
            Part::Macs => {
                let answered = model.macs(name).into_iter().filter(|entry| !entry.noip);
                self.macs.extend(answered.map(|entry| (entry.mac, node.clone())));
            }
            Part::Pools => {
                let named = model.cell(NODERES, name, "servicenode").unwrap_or_default();
                self.pools.extend(super::split(&named).map(|sn| (Arc::from(sn), node.clone())));
            }
            Part::Service => self.service.extend(is_service_node(model, node).then(|| node.clone())),
            Part::Addresses => {
                for address in model.addresses(name) {
                    self.ips.push((address.ip, node.clone()));
                    let names = std::iter::once(&address.name).chain(&address.aliases);
                    let others = names.filter(|other| *other != name);
                    self.aliases.extend(others.map(|other| (digest(other), node.clone())));
                }
            }
        }
    }
}

/// A short stand-in for a name, the same on every machine.
fn digest(name: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(name.as_bytes()).as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Takes a node out of a set, and an empty set out of its map; says whether it did the latter.
fn forget(sets: &mut OrdMap<Arc<str>, OrdSet<NodeName>>, key: &Arc<str>, node: &NodeName) -> bool {
    let Some(nodes) = sets.get_mut(key) else { return false };
    nodes.remove(node);
    let is_empty = nodes.is_empty();
    if is_empty {
        sets.remove(key);
    }
    is_empty
}

/// Whether an edit of `nodelist` changes what a node inherits; its status does not.
fn changes_inheritance(edit: &Edit) -> bool {
    fn groups(row: Option<&Row>) -> Option<&str> {
        row.filter(|row| row.is_live()).map(|row| row.cell("groups").unwrap_or_default())
    }
    groups(edit.before.as_ref()) != groups(edit.after.as_ref())
}

fn is_service_node(model: &Model, node: &NodeName) -> bool {
    let says_something = |name: &str| {
        let row = model.tables.row(SERVICENODE, name).filter(|row| row.is_live());
        row.is_some_and(|row| {
            row.cells().any(|(column, _)| !matches!(column, "node" | "comments" | "disable"))
        })
    };
    says_something(node.as_str()) || model.groups_of(node.as_str()).any(says_something)
}
