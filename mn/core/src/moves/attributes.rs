//! What a move makes of a node's attributes: what xCAT's `snmove` makes of them.
//!
//! Values are written into the node's own rows, also where they came from a group. A move
//! back to where the node came from puts its rows back byte for byte, as long as nobody has
//! changed them in between.

use std::net::Ipv4Addr;

use common::id::{NodeName, SnName};

use super::Move;
use crate::draft::Draft;
use crate::model::Model;
use crate::node;
use crate::table::{RowKey, TableId, schema as table};

/// The cells that a move may write.
const CELLS: [(TableId, &str); 6] = [
    (table::NODERES, "servicenode"),
    (table::NODERES, "xcatmaster"),
    (table::NODERES, "tftpserver"),
    (table::NODERES, "nfsserver"),
    (table::NODERES, "monserver"),
    (table::NODEHM, "conserver"),
];

/// Rewrites a node's attributes for its new owner.
pub(crate) fn rewrite(draft: &mut Draft, one: &Move, node: &NodeName) {
    let was = own_cells(draft.model(), node);
    let from = old_owner(draft.model(), one, node);
    let stays = node::pool_of(draft.model(), node).first() == Some(&one.target);
    if stays || !put_back(draft, one, node, &was) {
        set_new(draft, one, node, stays);
    }
    let wrote = own_cells(draft.model(), node);
    if was == wrote {
        return;
    }
    let key = RowKey::one(node.as_str());
    if stays {
        // It came from nowhere: the way back is still the one of the last move.
        let row = draft.model().tables().row(table::OWNERSHIP, node.as_str());
        if row.is_some_and(|row| row.cell("wrote") == Some(was.as_str())) {
            draft.set(table::OWNERSHIP, &key, "wrote", &wrote);
        }
        return;
    }
    draft.set(table::OWNERSHIP, &key, "from", from.as_ref().map_or("", SnName::as_str));
    draft.set(table::OWNERSHIP, &key, "was", &was);
    draft.set(table::OWNERSHIP, &key, "wrote", &wrote);
}

fn old_owner(model: &Model, one: &Move, node: &NodeName) -> Option<SnName> {
    one.source.clone().or_else(|| node::pool_of(model, node).into_iter().next())
}

/// The node's own cells as one text, to be compared and put back.
fn own_cells(model: &Model, node: &NodeName) -> String {
    let cell = |(table, column): &(TableId, &str)| {
        let row = model.tables().row(*table, node.as_str());
        row.and_then(|row| row.cell(column)).unwrap_or_default().to_owned()
    };
    CELLS.iter().map(cell).collect::<Vec<_>>().join("\u{1f}")
}

/// Puts the cells back as they were before the node came from this target, if that is what this
/// move asks for.
fn put_back(draft: &mut Draft, one: &Move, node: &NodeName, now: &str) -> bool {
    let Some(row) = draft.model().tables().row(table::OWNERSHIP, node.as_str()).cloned() else {
        return false;
    };
    let came_from = row.cell("from") == Some(one.target.as_str());
    if !came_from || row.cell("wrote") != Some(now) {
        return false;
    }
    let savepoint = draft.savepoint();
    let key = RowKey::one(node.as_str());
    for ((table, column), value) in CELLS.iter().zip(row.cell("was").unwrap_or_default().split('\u{1f}')) {
        draft.set(*table, &key, column, value);
    }
    let master = effective(draft.model(), node, CELLS[1]);
    let is_meant = one.targetn.is_none() || one.targetn.as_deref() == Some(master.as_str());
    if is_meant && node::pool_of(draft.model(), node).first() == Some(&one.target) {
        return true;
    }
    draft.rollback(savepoint);
    false
}

fn effective(model: &Model, node: &NodeName, (table, column): (TableId, &str)) -> String {
    model.cell(table, node.as_str(), column).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

fn set_new(draft: &mut Draft, one: &Move, node: &NodeName, stays: bool) {
    let model = draft.model();
    let [pool, master, tftp, nfs, monitor, console] = CELLS.map(|cell| effective(model, node, cell));
    let is_source = |word: &str| match &one.source {
        Some(source) => node::service_node_named(model, word).as_ref() == Some(source),
        None => !word.is_empty() && node::service_node_named(model, word) == old_owner(model, one, node),
    };
    let old_master = one.sourcen.clone().unwrap_or_else(|| master.clone());
    let is_old_master = |word: &str| is_same_host(model, word, &old_master);
    let new_master = match stays && one.targetn.is_none() && means(model, &master, &one.target) {
        true => master.clone(),
        false => new_master(model, one, node),
    };
    let moved = |word: &str| if is_old_master(word) { new_master.clone() } else { word.to_owned() };
    let values = [
        new_pool(model, &pool, &one.target),
        new_master.clone(),
        moved(&tftp),
        moved(&nfs),
        new_monitor(&monitor, &is_source, one.target.as_str(), &new_master),
        if is_source(&console) { one.target.to_string() } else { console.clone() },
    ];
    let old = [&pool, &master, &tftp, &nfs, &monitor, &console];
    let key = RowKey::one(node.as_str());
    for (((table, column), value), old) in CELLS.iter().zip(&values).zip(old) {
        if value != old {
            draft.set(*table, &key, column, value);
        }
    }
}

/// The target first, the others behind it in their old order.
fn new_pool(model: &Model, pool: &str, target: &SnName) -> String {
    let words = pool.split(',').map(str::trim).filter(|word| !word.is_empty());
    let others = words.filter(|word| node::service_node_named(model, word).as_ref() != Some(target));
    std::iter::once(target.as_str()).chain(others).collect::<Vec<_>>().join(",")
}

/// `-D`, else the name that the model has for the target's address on the node's network, else
/// that address.
fn new_master(model: &Model, one: &Move, node: &NodeName) -> String {
    if let Some(name) = &one.targetn {
        return name.clone();
    }
    // A move is planned only where there is such an address; the name is what is left without.
    node::address_for(model, &one.target, node)
        .map_or_else(|_| one.target.to_string(), |address| address.to_string())
}

/// Whether an `xcatmaster` means this service node: by saying nothing, or by any of its addresses.
/// Such a one is not spelled anew where the node stays.
fn means(model: &Model, master: &str, target: &SnName) -> bool {
    let own = all_addresses(model, target);
    master.is_empty() || model.resolve(master).iter().any(|address| own.contains(address))
}

/// The addresses of a service node under whatever names.
pub(crate) fn all_addresses(model: &Model, sn: &SnName) -> Vec<Ipv4Addr> {
    let defined = model.addresses(sn.as_str()).into_iter().map(|address| address.ip);
    node::addresses_of(model, sn).into_iter().chain(defined).collect()
}

/// Whether two words mean the same host: as text, or by an address.
fn is_same_host(model: &Model, word: &str, other: &str) -> bool {
    if word.is_empty() || other.is_empty() {
        return false;
    }
    let known = model.resolve(other);
    word == other || model.resolve(word).iter().any(|address| known.contains(address))
}

/// A pair `MN-facing,node-facing` (a colon in older definitions), or the service node alone.
fn new_monitor(old: &str, is_source: &impl Fn(&str) -> bool, target: &str, master: &str) -> String {
    for separator in [',', ':'] {
        if let Some((server, _)) = old.split_once(separator) {
            return if is_source(server) { format!("{target}{separator}{master}") } else { old.to_owned() };
        }
    }
    if is_source(old) { target.to_owned() } else { old.to_owned() }
}
