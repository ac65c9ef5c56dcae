//! Who owns a node may change by any edit of its pool, not by `snmove` alone: `chdef n1
//! servicenode=sn2`, a group's row, another order of groups. Each such change is a new epoch, so
//! that an old owner that was away obeys its pool's word when it comes back
//! (`sn_proto::peer`), and agents never go back.

use std::collections::{BTreeMap, BTreeSet};

use common::id::NodeName;

use crate::model::Model;
use crate::node;
use crate::table::schema::{NODELIST, NODERES, OWNERSHIP};
use crate::table::{Edit, Row, RowKey};

/// The epochs that rise along with these edits; `after` is the model with the edits applied.
///
/// Nodes whose epoch the edits raise themselves, as the steps of a move do, are left alone.
pub fn new_epochs(after: &Model, edits: &[Edit]) -> Vec<Edit> {
    let differs = |edit: &Edit, column: &str| {
        let cell = |row: &Option<Row>| row.as_ref().and_then(|row| row.cell(column).map(str::to_owned));
        cell(&edit.before) != cell(&edit.after)
    };
    let pools = edits.iter().filter(|edit| match edit.table {
        NODERES => differs(edit, "servicenode") || differs(edit, "disable"),
        NODELIST => edit.before.is_some() && edit.after.is_some() && differs(edit, "groups"),
        _ => false,
    });
    let keys: BTreeSet<&RowKey> = pools.map(|edit| &edit.key).collect();
    if keys.is_empty() {
        return Vec::new();
    }
    let mut before = after.clone();
    let inverse: Vec<Edit> = edits.iter().rev().map(Edit::inverse).collect();
    before.apply(&inverse, after.revision());
    let owned = edits.iter().filter(|edit| edit.table == OWNERSHIP);
    let raised: BTreeSet<&str> = owned.map(|edit| edit.key.as_str()).collect();
    let mut risen = BTreeMap::new();
    for node in keys.into_iter().flat_map(|key| concerned(&before, after, key.as_str())) {
        if changes_hands(&before, after, &node)
            && !risen.contains_key(&node)
            && !raised.contains(node.as_str())
        {
            let edit = rise(after, &node);
            risen.insert(node, edit);
        }
    }
    risen.into_values().collect()
}

/// Whether the owner of a node differs between two models, where it had one.
pub(super) fn is_handed_over(before: &Model, after: &Model, node: &str) -> bool {
    after.node(node).is_some_and(|node| changes_hands(before, after, node))
}

fn changes_hands(before: &Model, after: &Model, node: &NodeName) -> bool {
    let owner = |model: &Model| node::pool_of(model, node).into_iter().next();
    let old = owner(before);
    old.is_some() && old != owner(after)
}

/// The epoch that a row of `ownership` says; a node without one is in its first.
pub(super) fn epoch(row: Option<&Row>) -> u64 {
    row.and_then(|row| row.cell("epoch")?.parse().ok()).unwrap_or(1)
}

/// The nodes whose pool a row concerns: the node itself, or the members of the group.
fn concerned(before: &Model, after: &Model, key: &str) -> Vec<NodeName> {
    if let Some(node) = after.node(key) {
        return vec![node.clone()];
    }
    let mut nodes = after.members(key);
    nodes.extend(before.members(key));
    nodes.retain(|node| after.has_node(node.as_str()));
    nodes
}

fn rise(model: &Model, node: &NodeName) -> Edit {
    let key = RowKey::one(node.as_str());
    let before = model.tables().row(OWNERSHIP, node.as_str()).cloned();
    let epoch = epoch(before.as_ref());
    let row = before.clone().unwrap_or_default().with("node", node.as_str());
    Edit {
        table: OWNERSHIP,
        key,
        before,
        after: Some(row.with("epoch", &epoch.saturating_add(1).to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::Draft;
    use crate::fixture::{self, CLUSTER};
    use crate::table::TableId;

    /// Which nodes' epochs rise when a cell is set.
    fn risen(text: &str, table: TableId, key: &str, column: &str, value: &str) -> String {
        let model = fixture::model(&format!("{CLUSTER}\n{text}"));
        let mut draft = Draft::new(&model);
        draft.set(table, &RowKey::one(key), column, value);
        let after = draft.model().clone();
        let edits = new_epochs(&after, draft.finish().edits());
        edits.iter().map(|edit| format!("{} ", edit.key)).collect()
    }

    #[test]
    fn another_owner_is_another_epoch() {
        assert_eq!(risen("", NODERES, "n1", "servicenode", "sn2,sn1"), "n1 ");
        assert_eq!(risen("", NODERES, "n1", "servicenode", ""), "n1 ");
    }

    #[test]
    fn the_same_owner_is_the_same_epoch() {
        assert_eq!(risen("", NODERES, "n1", "servicenode", "sn1"), "");
        assert_eq!(risen("", NODERES, "n1", "xcatmaster", "sn2e"), "");
    }

    #[test]
    fn a_groups_row_and_an_order_of_groups_count() {
        let grouped = "nodelist n1 groups=a,b\nnodelist n2 groups=a,b\nnoderes n1 servicenode=\n\
            noderes n2 servicenode=\nnoderes a servicenode=sn1\nnoderes b servicenode=sn2";
        assert_eq!(risen(grouped, NODERES, "a", "servicenode", "sn2"), "n1 n2 ");
        assert_eq!(risen(grouped, NODELIST, "n2", "groups", "b,a"), "n2 ");
    }
}
