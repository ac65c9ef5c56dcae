//! Who holds a slice, and which nodes are in it.

use std::collections::BTreeSet;

use common::id::{NodeName, SnName};
use common::wire::join::Kind;

use crate::member::{self, has_joined};
use crate::model::Model;
use crate::moves;
use crate::node::service_node_named;
use crate::table::schema::MEMBER;

/// Whether anybody may hold a slice at all.
pub(super) fn has_members(model: &Model) -> bool {
    model.tables().rows_under(MEMBER, member::word(Kind::ServiceNode)).next().is_some()
}

/// The service nodes that hold a slice: those that have joined.
pub(super) fn holders(model: &Model) -> Vec<SnName> {
    let targets = moves::all_under_way(model).into_iter().map(|one| one.target);
    let all: BTreeSet<SnName> = model.service_nodes().into_iter().chain(targets).collect();
    all.into_iter().filter(|sn| has_joined(model, sn)).collect()
}

/// Whether somebody holds a slice.
pub(super) fn is_holder(model: &Model, sn: &SnName) -> bool {
    let is_target = || moves::all_under_way(model).into_iter().any(|one| one.target == *sn);
    has_joined(model, sn) && (model.is_service_node(sn.as_str()) || is_target())
}

/// The nodes that have a service node in their pool, by whichever of its names, or are on the way to
/// it: what a slice can hold.
pub(super) fn of(model: &Model, sn: &SnName) -> BTreeSet<NodeName> {
    let mut names = BTreeSet::new();
    for word in model.pools().filter(|word| service_node_named(model, word).as_ref() == Some(sn)) {
        names.extend(model.served_by(word).cloned());
    }
    for one in moves::all_under_way(model).into_iter().filter(|one| one.target == *sn) {
        names.extend(moves::nodes_of(model, one.id));
    }
    names
}
