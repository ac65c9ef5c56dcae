//! One object is written, whole, or a fault is given and the caller takes back what was written.

use super::group::Members;
use super::request::Wanted;
use super::{Fault, Verb, derive, list, network};
use crate::change::write::WriteError;
use crate::change::{delete, write};
use crate::command::{Define, ListEdit};
use crate::draft::Draft;
use crate::model::Model;
use crate::object::{self, cell};
use crate::table::{Row, RowKey, attribute, nearest, schema};
use crate::talk::Talk;

/// Writes an object; whether anything was written of it.
pub(super) fn write(
    draft: &mut Draft,
    verb: Verb,
    args: &Define,
    wanted: &Wanted,
    is_there: bool,
    talk: &mut Talk<'_>,
) -> Result<bool, Fault> {
    let Wanted { kind, name, attributes } = wanted;
    let mut attributes = attributes.clone();
    network::check(draft.model(), verb, wanted, is_there)?;
    // Before anything of an object that is to be replaced is gone.
    if !is_there || verb == Verb::Make {
        refuse_creation(draft.model(), args, wanted)?;
    }
    if is_there && verb == Verb::Make {
        delete::remove(draft, kind, name);
    }
    if kind.name == "osimage" {
        complete_image(draft.model(), verb, args, name, is_there, &mut attributes)?;
    }
    let list = if is_there && verb == Verb::Change { args.list } else { ListEdit::Replace };
    let mut is_written = !attributes.is_empty();
    if kind.name == "group" {
        let members = Members::take(draft.model(), verb, args, name, &mut attributes)?;
        is_written |= members.write(draft, list, talk)?;
    }
    if !is_written {
        return Ok(false);
    }
    ensure_row(draft, wanted);
    order(kind.name, &mut attributes);
    if list != ListEdit::Remove && matches!(kind.name, "node" | "group") && name != "xcatdefaults" {
        drop_default_scripts(draft.model(), name, &mut attributes, talk);
    }
    let mut unmet = Vec::new();
    for (attribute, value) in &attributes {
        let value = list::edited(draft.model(), wanted, attribute, value, list)?;
        match write::set(draft, kind, name, attribute, &value) {
            Ok(()) => {}
            // Everything that waits for another attribute is said at once.
            Err(error @ WriteError::Condition { .. }) => unmet.push(error.to_string()),
            Err(error) => return Err(Fault::hard(error.to_string())),
        }
    }
    if unmet.is_empty() { Ok(true) } else { Err(Fault::Hard(unmet)) }
}

/// What an object needs that is not there yet.
fn refuse_creation(model: &Model, args: &Define, wanted: &Wanted) -> Result<(), String> {
    let Wanted { kind, name, attributes } = wanted;
    let has = |wanted: &str| attributes.iter().any(|(known, value)| known == wanted && !value.is_empty());
    if kind.name == "node" && !has("groups") {
        let text =
            format!("Attribute 'groups' is not specified for node '{name}', skipping to the next node.");
        let close = nearest::names(name, model.nodes().map(|node| node.as_str()));
        let or = if close.is_empty() { String::new() } else { format!(", or {}", close.join(", ")) };
        return Err(format!("{text}\n  try      groups=all, to make it{or}"));
    }
    if args.list == ListEdit::Remove {
        return Err(format!("The '-m' option is not valid since the '{name}' definition does not exist."));
    }
    Ok(())
}

/// What an image gets that is not said: by `-u`, and the type without which it is none.
fn complete_image(
    model: &Model,
    verb: Verb,
    args: &Define,
    name: &str,
    is_there: bool,
    attributes: &mut Vec<(String, String)>,
) -> Result<(), String> {
    if let Some(derivation) = &args.derive {
        derive::complete(model, verb, derivation, name, attributes)?;
    }
    let has_type = attributes.iter().any(|(known, _)| known == "imagetype");
    if verb == Verb::Change && !is_there && !has_type {
        attributes.push(("imagetype".to_owned(), "NIM".to_owned()));
    }
    Ok(())
}

/// An object whose name alone makes it exist has its row before its attributes are set.
fn ensure_row(draft: &mut Draft, wanted: &Wanted) {
    let Wanted { kind, name, .. } = wanted;
    let table = match kind.name {
        "osimage" => schema::OSIMAGE,
        "policy" => schema::POLICY,
        "route" => schema::ROUTES,
        "monitoring" => schema::MONITORING,
        _ => return,
    };
    let key = RowKey::one(name);
    if draft.model().tables().row(table, name).is_none() {
        draft.put_row(table, &key, Row::new());
    }
}

/// Attributes on which others are conditioned come first (`mgt` before `bmc`).
fn order(kind: &str, attributes: &mut [(String, String)]) {
    attributes.sort_by_key(|(name, _)| {
        let condition =
            attribute::named(kind, name).next().and_then(|attribute| attribute.condition.as_ref());
        condition.map_or(0, |condition| if condition.attribute == name { 1 } else { 2 })
    });
}

/// Scripts that every node runs are not written a second time.
fn drop_default_scripts(model: &Model, name: &str, attributes: &mut [(String, String)], talk: &mut Talk<'_>) {
    for (attribute, value) in attributes {
        if !matches!(attribute.as_str(), "postscripts" | "postbootscripts") {
            continue;
        }
        let defaults = cell(model, schema::POSTSCRIPTS, "xcatdefaults", attribute).unwrap_or_default();
        let is_default =
            |script: &str| !script.is_empty() && defaults.split(',').any(|known| known == script);
        let (dropped, kept): (Vec<&str>, Vec<&str>) = value.split(',').partition(|script| is_default(script));
        for script in &dropped {
            talk.warn(&format!("{name}: {attribute} '{script}' is already included in the 'xcatdefaults'."));
        }
        if !dropped.is_empty() {
            *value = kept.join(",");
        }
    }
}

/// What an attribute of an object holds, for a list that is edited.
pub(super) fn held(model: &Model, wanted: &Wanted, attribute: &str) -> Option<String> {
    object::value(model, wanted.kind, &wanted.name, attribute).filter(|value| !value.is_empty())
}
