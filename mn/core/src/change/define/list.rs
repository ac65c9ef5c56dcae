//! `-p` and `-m`: items are added to a list or taken from it.

use super::Fault;
use super::object::held;
use super::request::Wanted;
use crate::command::ListEdit;
use crate::model::Model;
use crate::object::split_nic;

/// The value to write: the given one, or the list that is there with it added or removed.
pub(super) fn edited(
    model: &Model,
    wanted: &Wanted,
    attribute: &str,
    value: &str,
    list: ListEdit,
) -> Result<String, Fault> {
    if list == ListEdit::Replace {
        return Ok(value.to_owned());
    }
    if split_nic(attribute).is_some() && matches!(wanted.kind.name, "node" | "group") {
        return Err(Fault::Hard(
            "chdef does not support to change the nic related attributes with -m or -p flag.".to_owned(),
        ));
    }
    let held = held(model, wanted, attribute);
    if list == ListEdit::Remove && held.is_none() {
        return Err(Fault::Soft(format!(
            "No value got for attribute '{attribute}' for the '{}' definition.",
            wanted.name
        )));
    }
    merged(&held.unwrap_or_default(), value, ",", list).map_err(|item| {
        Fault::Soft(format!(
            "{item} is not in the attribute of '{attribute}' for the '{}' definition.",
            wanted.name
        ))
    })
}

/// A list with the items of another added at its end or removed; the item that is not there.
pub(super) fn merged(held: &str, value: &str, between: &str, list: ListEdit) -> Result<String, String> {
    let split = |text: &str| -> Vec<String> {
        text.split(between).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    };
    let mut items = split(held);
    for item in split(value) {
        let place = items.iter().position(|known| *known == item);
        match (list, place) {
            (ListEdit::Remove, Some(at)) => drop(items.remove(at)),
            (ListEdit::Remove, None) => return Err(item),
            (_, None) => items.push(item),
            (_, Some(_)) => {}
        }
    }
    Ok(items.join(between))
}
