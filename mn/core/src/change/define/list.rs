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
        return Err(Fault::hard(
            "chdef does not support to change the nic related attributes with -m or -p flag.",
        ));
    }
    let held = held(model, wanted, attribute);
    // Of settings, which have no list of names that they could be, what is not there is gone.
    let is_setting = matches!(wanted.kind.name, "site" | "monitoring");
    if list == ListEdit::Remove && held.is_none() && !is_setting {
        return Err(no_value(attribute, &wanted.name));
    }
    let (edited, absent) = merged(&held.unwrap_or_default(), value, ",", list);
    match wanted.kind.name {
        _ if absent.is_empty() || is_setting => Ok(edited),
        // xCAT takes what is taken from a group's list for a group.
        "group" => {
            let text = |item: &String| format!("{} is not a member of '{item}'.", wanted.name);
            Err(Fault::Soft(absent.iter().map(text).collect()))
        }
        _ => Err(not_there(&absent, attribute, &wanted.name)),
    }
}

/// An attribute that is not set, from which something is to be taken.
pub(super) fn no_value(attribute: &str, object: &str) -> Fault {
    Fault::Soft(vec![format!("No value got for attribute '{attribute}' for the '{object}' definition.")])
}

/// Items that cannot be taken out of a list.
pub(super) fn not_there(absent: &[String], attribute: &str, object: &str) -> Fault {
    let text = |item: &String| {
        format!("{item} is not in the attribute of '{attribute}' for the '{object}' definition.")
    };
    Fault::Soft(absent.iter().map(text).collect())
}

/// A list with the items of another added at its end or removed; the items that are not there.
pub(super) fn merged(held: &str, value: &str, between: &str, list: ListEdit) -> (String, Vec<String>) {
    let split = |text: &str| -> Vec<String> {
        text.split(between).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    };
    let (mut items, mut absent) = (split(held), Vec::new());
    for item in split(value) {
        let place = items.iter().position(|known| *known == item);
        match (list, place) {
            (ListEdit::Remove, Some(at)) => drop(items.remove(at)),
            (ListEdit::Remove, None) => absent.push(item),
            (_, None) => items.push(item),
            (_, Some(_)) => {}
        }
    }
    (items.join(between), absent)
}
