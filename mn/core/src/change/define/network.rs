//! What a network must have, and must not share with another.

use super::Verb;
use super::request::Wanted;
use crate::model::Model;
use crate::table::schema;

/// Looks at a network that is to be made or changed; content with every other object.
pub(super) fn check(model: &Model, verb: Verb, wanted: &Wanted, is_there: bool) -> Result<(), String> {
    if wanted.kind.name != "network" {
        return Ok(());
    }
    let name = &wanted.name;
    if is_there && verb == Verb::Change {
        return Ok(());
    }
    if is_there {
        return Err(format!(
            "A network definition called '{name}' already exists. Cannot create a definition for '{name}'.\n  try      chdef -t network {name} …, or rmdef -t network {name} first"
        ));
    }
    let given = |wanted_name: &str| {
        let found = wanted.attributes.iter().find(|(known, _)| known == wanted_name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let (Some(net), Some(mask)) = (given("net"), given("mask")) else {
        return Err(format!("Net or mask value should not be empty for xCAT network object '{name}'."));
    };
    let mut rows = model.tables().rows(schema::NETWORKS).map(|(_, row)| row);
    match rows.find(|row| row.cell("net") == Some(net) && row.cell("mask") == Some(mask)) {
        Some(row) => Err(format!(
            "A network definition called '{}' already exists that contains the same net and mask values. Cannot create a definition for '{name}'.",
            row.cell("netname").unwrap_or_default()
        )),
        None => Ok(()),
    }
}
