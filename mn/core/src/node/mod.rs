//! What the definitions say of one node and of the service nodes that it hangs on: its pool, their
//! addresses, what it boots, its scripts.

mod boot;
mod names;
mod servers;

use common::id::{Digest, Epoch, NodeName, SnName};
use common::slice::Script;

pub(crate) use self::boot::folders;
pub use self::boot::{Bootable, bootable, image_of, shell_files, state_of};
pub use self::names::{is_name, names_of};
pub(crate) use self::servers::primary_ip;
pub use self::servers::{NoAddress, address_for, address_on, addresses_of, service_node_named};
use crate::model::Model;
use crate::table::{TableId, schema as table};

/// A node's effective value; none where it is not set.
pub(crate) fn text(model: &Model, table: TableId, node: &NodeName, column: &str) -> Option<String> {
    model.cell(table, node.as_str(), column).map(std::borrow::Cow::into_owned).filter(|text| !text.is_empty())
}

/// The pool of a node as it is defined, owner first; names that are no service node are left out.
pub fn pool_of(model: &Model, node: &NodeName) -> Vec<SnName> {
    let words = model.cell(table::NODERES, node.as_str(), "servicenode");
    pool_named(model, words.as_deref().unwrap_or_default())
}

/// The pool of a node that has these words for it.
pub(crate) fn pool_named(model: &Model, words: &str) -> Vec<SnName> {
    let mut pool: Vec<SnName> = Vec::new();
    for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        if let Some(sn) = service_node_named(model, word).filter(|sn| !pool.contains(sn)) {
            pool.push(sn);
        }
    }
    pool
}

/// The epoch of a node's ownership.
pub(crate) fn epoch_of(model: &Model, node: &NodeName) -> Epoch {
    let row = model.tables().row(table::OWNERSHIP, node.as_str());
    let epoch = row.and_then(|row| row.cell("epoch")?.parse().ok());
    epoch.map_or(Epoch::new(1), Epoch::new)
}

/// The scripts of a node that are files of the served tree, each once, in xCAT's order: defaults,
/// image, node.
pub fn scripts_of(model: &Model, node: &NodeName) -> Vec<Script> {
    scripts_in(model, &script_lists(model, node))
}

/// The scripts of these lists.
pub(crate) fn scripts_in(model: &Model, lists: &[String]) -> Vec<Script> {
    let mut scripts: Vec<Script> = Vec::new();
    let words = lists.iter().flat_map(|list| list.split(',').map(str::trim));
    for words in words.filter(|words| !words.is_empty()) {
        let mut parts = words.split_whitespace();
        let Some(name) = parts.next() else { continue };
        let arguments: Vec<String> = parts.map(str::to_owned).collect();
        let Some(hash) = script_hash(model, name) else { continue };
        if !scripts.iter().any(|known| known.name == name && known.arguments == arguments) {
            scripts.push(Script { name: name.to_owned(), arguments, hash });
        }
    }
    scripts
}

/// The content of a script by its name; none where it is not in the served tree.
pub fn script_hash(model: &Model, name: &str) -> Option<Digest> {
    boot::file_hash(model, &format!("install/postscripts/{name}"))
}

/// All lists of scripts that concern a node, postscripts before postbootscripts.
pub(crate) fn script_lists(model: &Model, node: &NodeName) -> Vec<String> {
    let mut lists = Vec::new();
    let defaults = model.tables().row(table::POSTSCRIPTS, "xcatdefaults");
    let image = image_of(model, node);
    let rows = model.rows_of(table::POSTSCRIPTS, node.as_str());
    for column in ["postscripts", "postbootscripts"] {
        let defaults = defaults.and_then(|row| row.cell(column)).map(str::to_owned);
        let image = image.as_deref().and_then(|image| boot::image_cell(model, table::OSIMAGE, image, column));
        lists.extend([defaults, image, rows.text(column)].into_iter().flatten());
    }
    lists
}
