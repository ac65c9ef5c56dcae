//! Whose slices a change concerns.

use std::collections::BTreeSet;

use common::id::NodeName;

use crate::model::Model;
use crate::table::{Edit, TableId, schema as table};

/// What a change concerns, as far as slices go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// No slice.
    Nothing,
    /// These nodes, before or after the change.
    Nodes(BTreeSet<NodeName>),
    /// What holds for many: a network, the site, an image, a service node.
    Everything,
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

impl Touched {
    /// What these edits concern.
    pub fn by(before: &Model, after: &Model, edits: &[Edit]) -> Self {
        let mut nodes = BTreeSet::new();
        for edit in edits {
            if UNSEEN.contains(&edit.table) || only_status(edit) {
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
                match named(edit, model) {
                    Whom::Node(name) if concerns_all(&name) => return Self::Everything,
                    Whom::Group(members) if members.iter().any(concerns_all) => return Self::Everything,
                    Whom::Node(name) => {
                        nodes.insert(name);
                    }
                    Whom::Group(members) => nodes.extend(members),
                    Whom::Default => return Self::Everything,
                    Whom::Nobody => {}
                }
            }
        }
        if nodes.is_empty() { Self::Nothing } else { Self::Nodes(nodes) }
    }
}

enum Whom {
    Node(NodeName),
    Group(Vec<NodeName>),
    /// A row such as `xcatdefaults`, which every node takes from.
    Default,
    Nobody,
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
