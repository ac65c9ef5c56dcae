//! What is found without looking at every node.
//!
//! An index holds what is *effective*: a group's row is in it once for each member. So an edit of a
//! group's row touches its members, and an edit of a node's row touches one; each is taken out as
//! the model was before and put in as it is after.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::ops::Bound;
use std::sync::Arc;

use common::id::{MacAddr, NodeName};
use imbl::{OrdMap, OrdSet};

use super::Model;
use crate::table::schema::{HOSTS, MAC, NICS, NODELIST, NODERES, SERVICENODE};
use crate::table::{Edit, Row, TableId};

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
    /// Names of interfaces that are not the node's own.
    aliases: Pairs<Arc<str>>,
    /// Service nodes, with the nodes that have them in their pool.
    pools: Pairs<Arc<str>>,
}

/// Keys with their nodes, several a key. No node is none: that is where the nodes of a key begin.
type Pairs<K> = OrdSet<(K, Option<NodeName>)>;

/// The nodes of a key.
fn nodes_of<K: Ord + Clone>(pairs: &Pairs<K>, key: K) -> impl Iterator<Item = &NodeName> {
    let from = (key.clone(), None);
    let range = pairs.range((Bound::Included(from), Bound::Unbounded));
    range.take_while(move |(known, _)| *known == key).filter_map(|(_, node)| node.as_ref())
}

/// The parts of the index, each of tables of its own.
#[derive(Clone, Copy, Debug)]
enum Part {
    Macs,
    Addresses,
    Pools,
    Service,
}

impl Part {
    const ALL: [Self; 4] = [Self::Macs, Self::Addresses, Self::Pools, Self::Service];

    fn is_of(self, table: TableId) -> bool {
        match self {
            Self::Macs => table == MAC,
            Self::Addresses => table == HOSTS || table == NICS,
            Self::Pools => table == NODERES,
            Self::Service => table == SERVICENODE,
        }
    }
}

impl Index {
    /// The index of a model whose tables are set.
    pub(super) fn of(model: &Model) -> Self {
        let mut index = Self::default();
        for (key, row) in model.tables.rows(NODELIST) {
            index.list(key.as_str(), None, Some(row));
        }
        for node in &index.nodes.clone() {
            for part in Part::ALL {
                index.put(part, node, model);
            }
        }
        index
    }

    /// Follows edits. `self` is of the model as it was before; `after` has none of its own yet.
    pub(super) fn update(&mut self, before: &Model, after: &Model, edits: &[Edit]) {
        for edit in edits.iter().filter(|edit| edit.table == NODELIST) {
            self.list(edit.key.as_str(), edit.before.as_ref(), edit.after.as_ref());
        }
        for part in Part::ALL {
            for node in self.affected(part, before, edits) {
                if before.index.nodes.contains(&node) {
                    self.take(part, &node, before);
                }
                if let Some(node) = self.nodes.get(&node).cloned() {
                    self.put(part, &node, after);
                }
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
        nodes_of(&self.aliases, Arc::from(name))
    }

    pub(super) fn served_by(&self, sn: &str) -> impl Iterator<Item = &NodeName> {
        nodes_of(&self.pools, Arc::from(sn))
    }

    /// Follows one row of `nodelist`.
    fn list(&mut self, key: &str, before: Option<&Row>, after: Option<&Row>) {
        let groups = |row: Option<&Row>| -> BTreeSet<Arc<str>> {
            let text = row.filter(|row| row.is_live()).and_then(|row| row.cell("groups"));
            super::split(text.unwrap_or_default()).map(Arc::from).collect()
        };
        let Some(node) = self.nodes.get(key).cloned().or_else(|| key.parse().ok()) else { return };
        let (old, new) = (groups(before), groups(after));
        for group in old.difference(&new) {
            if let Some(members) = self.groups.get_mut(group) {
                members.remove(&node);
                if members.is_empty() {
                    self.groups.remove(group);
                }
            }
        }
        for group in new.difference(&old) {
            self.groups.entry(Arc::clone(group)).or_default().insert(node.clone());
        }
        if after.is_some_and(Row::is_live) {
            self.nodes.insert(node);
        } else {
            self.nodes.remove(&node);
        }
    }

    /// The nodes for which a part may have changed. Groups' rows count for those who were members
    /// and those who are; who changed groups is there for its row of `nodelist`.
    fn affected(&self, part: Part, before: &Model, edits: &[Edit]) -> BTreeSet<NodeName> {
        let mut nodes = BTreeSet::new();
        for edit in edits {
            let Some(name) = edit.key.parts().next() else { continue };
            if part.is_of(edit.table) {
                nodes.extend(before.index.members(name).chain(self.members(name)).cloned());
            } else if edit.table != NODELIST || !changes_inheritance(edit) {
                continue;
            }
            nodes.extend(before.index.nodes.get(name).or_else(|| self.nodes.get(name)).cloned());
        }
        nodes
    }

    fn put(&mut self, part: Part, node: &NodeName, model: &Model) {
        let pair = || Some(node.clone());
        match part {
            Part::Macs => macs(model, node).for_each(|mac| {
                self.macs.insert((mac, pair()));
            }),
            Part::Pools => pool(model, node, |sn| {
                self.pools.insert((sn, pair()));
            }),
            Part::Service if is_service_node(model, node) => {
                self.service.insert(node.clone());
            }
            Part::Service => {}
            Part::Addresses => addresses(
                model,
                node,
                |ip| drop(self.ips.insert((ip, pair()))),
                |alias| {
                    self.aliases.insert((alias, pair()));
                },
            ),
        }
    }

    fn take(&mut self, part: Part, node: &NodeName, model: &Model) {
        let pair = || Some(node.clone());
        match part {
            Part::Macs => macs(model, node).for_each(|mac| {
                self.macs.remove(&(mac, pair()));
            }),
            Part::Pools => pool(model, node, |sn| {
                self.pools.remove(&(sn, pair()));
            }),
            Part::Service => {
                self.service.remove(node);
            }
            Part::Addresses => addresses(
                model,
                node,
                |ip| drop(self.ips.remove(&(ip, pair()))),
                |alias| {
                    self.aliases.remove(&(alias, pair()));
                },
            ),
        }
    }
}

/// Whether an edit of `nodelist` changes what a node inherits; its status does not.
fn changes_inheritance(edit: &Edit) -> bool {
    let of = |row: &Option<Row>| {
        let row = row.as_ref().filter(|row| row.is_live());
        row.map(|row| row.cell("groups").unwrap_or_default().to_owned())
    };
    of(&edit.before) != of(&edit.after)
}

/// The hardware addresses for which a node is answered.
fn macs(model: &Model, node: &NodeName) -> impl Iterator<Item = MacAddr> {
    model.macs(node.as_str()).into_iter().filter(|entry| !entry.noip).map(|entry| entry.mac)
}

fn pool(model: &Model, node: &NodeName, mut put: impl FnMut(Arc<str>)) {
    let named = model.cell(NODERES, node.as_str(), "servicenode").unwrap_or_default();
    super::split(&named).for_each(|sn| put(sn.into()));
}

fn addresses(model: &Model, node: &NodeName, mut ip: impl FnMut(Ipv4Addr), mut alias: impl FnMut(Arc<str>)) {
    for address in model.addresses(node.as_str()) {
        ip(address.ip);
        for name in std::iter::once(&address.name).chain(&address.aliases).filter(|n| *n != node.as_str()) {
            alias(name.as_str().into());
        }
    }
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
