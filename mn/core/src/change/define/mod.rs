//! `mkdef` and `chdef`: definitions are made and changed.
//!
//! Texts, streams and exit statuses are xCAT's, because scripts read them. Two things are
//! different on purpose: an object is never half changed (xCAT leaves what it wrote before an
//! error), and the model's rules (`model::check`) may refuse what xCAT stores and stumbles over
//! later.

pub(crate) mod group;
mod request;
pub(crate) mod targets;

use serde_json::json;

use super::verify::{self, Part, Refused};
use super::write::{self, WriteError};
use super::{Context, Define, Draft, ListEdit, Outcome, Talk, delete, rename};
use crate::model::Model;
use crate::query::object::{self, cell, split_nic};
use crate::table::{attribute, nearest, schema};
use group::Members;
use request::Wanted;

const SOME_FAILED: &str =
    "One or more errors occured when attempting to create or modify xCAT object definitions.";

/// Which of the two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// `mkdef`: what is there already is left alone, or replaced as a whole with `-f`.
    Make,
    /// `chdef`: what is there is changed, what is not is made.
    Change,
}

/// Plans one of the two.
pub(super) fn plan(model: &Model, verb: Verb, args: &Define, context: &Context) -> Outcome {
    if let Some(new) = &args.rename {
        return verify::plan(model, args.mode, context, |draft, talk, _| {
            rename::build(draft, talk, args, new)
        });
    }
    verify::plan(model, args.mode, context, |draft, talk, refused| {
        let mut wanted = request::read(model, args, talk)?;
        let has_unknown = drop_unknown(&mut wanted, talk);
        if has_unknown && verb == Verb::Make {
            talk.error(SOME_FAILED);
            return None;
        }
        let says_enough = |object: &Wanted| !object.attributes.is_empty() || object.kind.name == "group";
        if !wanted.iter().any(says_enough) {
            return nothing_given(verb, has_unknown, talk);
        }
        let mut tally = Tally::default();
        for object in &wanted {
            define(draft, verb, args, object, refused, talk, &mut tally);
        }
        tally.has_failed |= has_unknown;
        conclude(verb, args, &tally, talk);
        Some(tally.parts)
    })
}

/// What became of the objects so far.
#[derive(Debug, Default)]
struct Tally {
    parts: Vec<Part>,
    /// Some object was refused, or is not quite as it was asked for.
    has_failed: bool,
    /// Some object was there already (`mkdef`).
    has_skipped: bool,
}

/// Takes attributes that do not exist out of the request, and says so once for each type.
fn drop_unknown(wanted: &mut [Wanted], talk: &mut Talk<'_>) -> bool {
    let mut said: Vec<(&str, String)> = Vec::new();
    for object in wanted {
        let kind = object.kind;
        object.attributes.retain(|(name, _)| {
            let is_known = write::is_known(kind, name);
            if !is_known && !said.iter().any(|(of, known)| *of == kind.name && known == name) {
                let error = WriteError::Unknown { name: name.clone(), kind: kind.name };
                talk.error(&error.to_string());
                talk.error("Skipping to the next attribute.");
                let nearest = attribute::nearest(kind.name, name);
                if !nearest.is_empty() {
                    talk.hint(format!("  try      {}", nearest.join(", ")));
                }
                said.push((kind.name, name.clone()));
            }
            is_known
        });
    }
    !said.is_empty()
}

fn nothing_given(verb: Verb, has_unknown: bool, talk: &mut Talk<'_>) -> Option<Vec<Part>> {
    match (verb, has_unknown) {
        (Verb::Make, _) => talk.error(
            "No object definitions have been created or modified: no attributes were specified. \
             Give attr=value words, a stanza file (-z) or a template (--template).",
        ),
        (Verb::Change, true) => talk.error(SOME_FAILED),
        (Verb::Change, false) => talk.info("No object definitions have been created or modified."),
    }
    None
}

/// Writes one object, or leaves it as it was and says why.
fn define(
    draft: &mut Draft,
    verb: Verb,
    args: &Define,
    object: &Wanted,
    refused: &Refused,
    talk: &mut Talk<'_>,
    tally: &mut Tally,
) {
    let Wanted { kind, name, .. } = object;
    let is_there = object::exists(draft.model(), kind, name);
    if is_there && verb == Verb::Make && !args.force {
        talk.warn(&format!(
            "A definition for '{name}' already exists. No changes will be made.  Run again with '-f' option to force replace."
        ));
        tally.has_skipped = true;
        return;
    }
    let reason = refused.reason(name).map(str::to_owned);
    let savepoint = draft.savepoint();
    let written = match reason {
        Some(reason) => Err(reason),
        None => write_object(draft, verb, args, object, is_there, talk),
    };
    match written {
        Ok(()) => {
            let result = if is_there { "modified" } else { "created" };
            talk.record(|| json!({"type": kind.name, "name": name, "result": result}));
            tally.parts.push(Part { kind, name: name.clone(), is_new: !is_there });
        }
        Err(text) => {
            draft.rollback(savepoint);
            talk.error(&text);
            talk.record(|| json!({"type": kind.name, "name": name, "result": "refused", "reason": text}));
            tally.has_failed = true;
        }
    }
}

fn write_object(
    draft: &mut Draft,
    verb: Verb,
    args: &Define,
    object: &Wanted,
    is_there: bool,
    talk: &mut Talk<'_>,
) -> Result<(), String> {
    let Wanted { kind, name, attributes } = object;
    let mut attributes = attributes.clone();
    if !is_there {
        refuse_creation(draft.model(), args, object)?;
        if kind.name == "node" && name.bytes().any(|b| b.is_ascii_uppercase()) {
            talk.warn(&format!(
                "The node name '{name}' contains capital letters which may not be resolved correctly by the dns server."
            ));
        }
        if kind.name == "osimage" && !attributes.iter().any(|(known, _)| known == "imagetype") {
            attributes.push(("imagetype".to_owned(), "linux".to_owned()));
        }
    } else if verb == Verb::Make {
        delete::remove(draft, kind, name);
    }
    let list = if is_there { args.list } else { ListEdit::Replace };
    if kind.name == "group" {
        let was_dynamic = cell(draft.model(), schema::NODEGROUP, name, "grouptype") == Some("dynamic");
        let members = Members::take(args, &mut attributes, was_dynamic);
        members.write(draft, name, !attributes.is_empty(), list, talk)?;
    }
    ensure_row(draft, object);
    order(kind.name, &mut attributes);
    for (attribute, value) in &attributes {
        let value = listed(draft.model(), object, attribute, value, list)?;
        write::set(draft, kind, name, attribute, &value).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What an object needs that is not there yet.
fn refuse_creation(model: &Model, args: &Define, object: &Wanted) -> Result<(), String> {
    let Wanted { kind, name, attributes } = object;
    if args.list == ListEdit::Remove {
        return Err(format!("Could not find an object named '{name}' of type '{}'.", kind.name));
    }
    if let Some(text) = targets::refuse_name(model, kind, name) {
        return Err(text);
    }
    let has = |wanted: &str| attributes.iter().any(|(known, value)| known == wanted && !value.is_empty());
    match kind.name {
        "node" if !has("groups") => {
            let text =
                format!("Attribute 'groups' is not specified for node '{name}', skipping to the next node.");
            let close = nearest::names(name, model.nodes().map(|node| node.as_str()));
            let or = if close.is_empty() { String::new() } else { format!(", or {}", close.join(", ")) };
            Err(format!("{text}\n  try      groups=all, to make it{or}"))
        }
        "network" if !has("net") || !has("mask") => {
            Err(format!("The attributes 'net' and 'mask' must both be specified for the network '{name}'."))
        }
        _ => Ok(()),
    }
}

/// An object whose name alone makes it exist has its row before its attributes are set.
fn ensure_row(draft: &mut Draft, object: &Wanted) {
    let Wanted { kind, name, .. } = object;
    let table = match kind.name {
        "osimage" => schema::OSIMAGE,
        "policy" => schema::POLICY,
        "route" => schema::ROUTES,
        _ => return,
    };
    let key = crate::table::RowKey::one(name);
    if draft.model().tables().row(table, name).is_none() {
        draft.put_row(table, &key, crate::table::Row::new());
    }
}

/// Attributes on which others are conditioned come first (`mgt` before `bmc`).
fn order(kind: &str, attributes: &mut [(String, String)]) {
    attributes.sort_by_key(|(name, _)| {
        attribute::named(kind, name).next().is_some_and(|attribute| attribute.condition.is_some())
    });
}

/// The value to write: the given one, or the list that is there with it added or removed.
fn listed(model: &Model, object: &Wanted, name: &str, value: &str, list: ListEdit) -> Result<String, String> {
    if list == ListEdit::Replace {
        return Ok(value.to_owned());
    }
    if split_nic(name).is_some() {
        return Err(format!(
            "'{name}': the options -p and -m do not work on one interface of a nic attribute."
        ));
    }
    let held = object::value(model, object.kind, &object.name, name).unwrap_or_default();
    let mut items: Vec<&str> = held.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    for item in value.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let place = items.iter().position(|known| *known == item);
        match (list, place) {
            (ListEdit::Remove, Some(at)) => drop(items.remove(at)),
            (ListEdit::Remove, None) => {
                return Err(format!(
                    "{item} is not in the attribute of '{name}' for the '{}' definition.",
                    object.name
                ));
            }
            (_, None) => items.push(item),
            (_, Some(_)) => {}
        }
    }
    Ok(items.join(","))
}

fn conclude(verb: Verb, args: &Define, tally: &Tally, talk: &mut Talk<'_>) {
    let count = tally.parts.len();
    if tally.has_failed {
        talk.error(SOME_FAILED);
    } else if tally.has_skipped && count == 0 {
        talk.error("0 object definitions have been created or modified.");
        return;
    }
    if count == 0 {
        if !tally.has_failed {
            talk.info("No object definitions have been created or modified.");
        }
        return;
    }
    if args.verbose {
        talk.info("The database was updated for the following objects:");
        tally.parts.iter().for_each(|part| talk.info(part.name.clone()));
    } else {
        talk.info(format!("{count} object definitions have been created or modified."));
    }
    let new: Vec<&str> =
        tally.parts.iter().filter(|part| part.is_new).map(|part| part.name.as_str()).collect();
    if verb == Verb::Change && !new.is_empty() {
        talk.info(format!("New object definitions '{}' have been created.", new.join(",")));
    }
}
