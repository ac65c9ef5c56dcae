//! Whose slices a change concerns.

use std::collections::BTreeSet;

use common::id::{NodeName, SnName};
use common::wire::join::Kind;

use super::servers;
use crate::member;
use crate::model::Model;
use crate::table::{Edit, TableId, schema as table};

/// What a change concerns, as far as slices go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// Some, or nobody at all.
    These(These),
    /// What holds for many: a network, the site, an image, a service node.
    Everything,
}

/// Whom a change concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct These {
    /// Nodes, before or after the change.
    pub(super) nodes: BTreeSet<NodeName>,
    /// Service nodes that may have joined or left.
    pub(super) members: BTreeSet<SnName>,
    /// Names that have other addresses now. A node may be named as a server.
    pub(super) names: BTreeSet<String>,
    /// The site's domain, with which they may be said; looked up once, not for each name.
    domain: String,
}

/// Tables that no slice is made of: what is known about nodes, not what is wanted of them.
const UNSEEN: &[TableId] = &[table::AGENT, table::POLICY, table::PASSWD];
/// Tables that hold for whoever needs them.
const SHARED: &[TableId] = &[
    table::NETWORKS,
    table::SITE,
    table::OSIMAGE,
    table::LINUXIMAGE,
    table::FILE,
    table::SNADDRESS,
    table::SERVICENODE,
    table::MOVE,
    table::ROUTES,
];

/// Tables in which a service node is looked up on behalf of others: who it is, and its addresses.
const OF_SERVICE_NODES: &[TableId] = &[table::NODELIST, table::HOSTS, table::NICS];

/// Tables of who is a member or may become one, by what they are and by name.
const OF_MEMBERS: &[TableId] = &[table::MEMBER, table::JOINTOKEN];

impl Touched {
    /// What these edits concern.
    pub(super) fn by(before: &Model, after: &Model, edits: &[Edit]) -> Self {
        let mut these = These::default();
        let mut addressed = BTreeSet::new();
        let service_node = member::word(Kind::ServiceNode);
        for edit in edits {
            if UNSEEN.contains(&edit.table) || only_status(edit) {
                continue;
            }
            if OF_MEMBERS.contains(&edit.table) && edit.key.parts().next() == Some(service_node) {
                these.members.extend(edit.key.parts().nth(1).and_then(|name| name.parse().ok()));
                continue;
            }
            if SHARED.contains(&edit.table) {
                return Self::Everything;
            }
            for model in [before, after] {
                // Addresses of service nodes are in other nodes' entries.
                let concerns_all = |name: &NodeName| {
                    OF_SERVICE_NODES.contains(&edit.table) && model.is_service_node(name.as_str())
                };
                let whom = named(edit, model);
                if OF_SERVICE_NODES.contains(&edit.table) {
                    addressed.extend(whom.nodes().iter().cloned());
                }
                match whom {
                    Whom::Node(name) if concerns_all(&name) => return Self::Everything,
                    Whom::Group(members) if members.iter().any(concerns_all) => return Self::Everything,
                    Whom::Node(name) => {
                        these.nodes.insert(name);
                    }
                    Whom::Group(members) => these.nodes.extend(members),
                    Whom::Default => return Self::Everything,
                    Whom::Nobody => {}
                }
            }
        }
        these.rename(before, after, &addressed);
        if servers::shared_names(after).any(|name| these.is_renamed(name)) {
            return Self::Everything;
        }
        Self::These(these)
    }
}

impl These {
    /// Finds the names of these nodes that have other addresses now. Another node that has one of them
    /// besides is touched too.
    fn rename(&mut self, before: &Model, after: &Model, nodes: &BTreeSet<NodeName>) {
        for node in nodes {
            let [was, is] = [before, after].map(|model| {
                let is_there = model.has_node(node.as_str());
                if is_there { model.addresses(node.as_str()) } else { Vec::new() }
            });
            if was == is {
                continue;
            }
            for address in was.into_iter().chain(is) {
                let names = std::iter::once(address.name).chain(address.aliases);
                let new = names.filter(|name| !self.names.contains(name)).collect::<Vec<String>>();
                for name in &new {
                    let others = before.nodes_called(name).chain(after.nodes_called(name));
                    self.nodes.extend(others.cloned());
                }
                self.names.extend(new);
            }
        }
        if !self.names.is_empty() {
            self.domain = after.site("domain").unwrap_or_default().to_owned();
        }
    }

    /// Whether a name has other addresses now.
    pub(super) fn is_renamed(&self, name: &str) -> bool {
        let is_one = |name: &str| self.names.contains(name);
        let short = || name.strip_suffix(self.domain.as_str())?.strip_suffix('.');
        !self.names.is_empty() && (is_one(name) || short().is_some_and(is_one))
    }
}

enum Whom {
    Node(NodeName),
    Group(Vec<NodeName>),
    /// A row such as `xcatdefaults`, which every node takes from.
    Default,
    Nobody,
}

impl Whom {
    fn nodes(&self) -> &[NodeName] {
        match self {
            Self::Node(name) => std::slice::from_ref(name),
            Self::Group(members) => members,
            Self::Default | Self::Nobody => &[],
        }
    }
}

fn named(edit: &Edit, model: &Model) -> Whom {
    let keys = edit.table.table().key.iter().zip(edit.key.parts());
    // `movenode` and the like have the node as a later part of their key; `jointoken` and `member`
    // have kind and name.
    let mut name = None;
    for (column, part) in keys {
        if matches!(*column, "node" | "name" | "groupname") {
            name = Some(part);
        }
    }
    let Some(name) = name else { return Whom::Nobody };
    if edit.table == table::POSTSCRIPTS && matches!(name, "xcatdefaults" | "service") {
        return Whom::Default;
    }
    if let Some(node) = model.node(name) {
        return Whom::Node(node.clone());
    }
    Whom::Group(model.members(name).into_iter().collect())
}

/// Whether an edit of `nodelist` changes only what a node's status is.
fn only_status(edit: &Edit) -> bool {
    if edit.table != table::NODELIST {
        return false;
    }
    let (Some(before), Some(after)) = (&edit.before, &edit.after) else { return false };
    ["node", "groups", "disable"].iter().all(|column| before.cell(column) == after.cell(column))
}
