//! `mkdef` and `chdef`: definitions are made and changed.
//!
//! Texts, streams and exit statuses are xCAT's, because scripts read them. Three things are
//! different on purpose: an object is never half changed (xCAT leaves what it wrote before an
//! error), the model's rules (`model::check`) may refuse what xCAT stores and stumbles over later,
//! and after an error it is also said what was done (on standard error, where no script looks).

mod derive;
pub(crate) mod group;
mod list;
mod network;
mod object;
mod request;
pub(crate) mod template;

use serde_json::json;

use super::verify::{self, Part, Refused};
use super::write::WriteError;
use super::{Outcome, rename};
use crate::command::Define;
use crate::draft::Draft;
use crate::model::Model;
use crate::object::select;
use crate::table::{attribute, nearest, value};
use crate::talk::{Context, Talk};
use crate::{object as objects, target};
pub(crate) use request::Stanzas;
use request::Wanted;

const SOME_FAILED: &str =
    "One or more errors occured when attempting to create or modify xCAT object definitions.";

/// Which of the two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `mkdef`: what is there already is left alone, or replaced as a whole with `-f`.
    Make,
    /// `chdef`: what is there is changed, what is not is made.
    Change,
}

/// Why an object is left as it was: everything that is wrong with it, at least one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// xCAT ends with the sentence that something failed.
    Hard(Vec<String>),
    /// xCAT says it and counts on; the exit status tells.
    Soft(Vec<String>),
}

impl Fault {
    fn hard(text: impl Into<String>) -> Self {
        Self::Hard(vec![text.into()])
    }

    /// A group that is dynamic by nothing.
    fn no_condition(group: &str) -> Self {
        Self::Hard(vec![
            format!("The 'where' attributes and values were not provided for dynamic group '{group}'."),
            "Skipping to the next group.".to_owned(),
        ])
    }
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self::hard(text)
    }
}

/// Plans one of the two; `stanzas` are those of the arguments' file, where there is one.
pub(crate) fn plan(
    model: &Model,
    verb: Verb,
    args: &Define,
    stanzas: Option<Stanzas>,
    context: &Context,
) -> Outcome {
    if let Some(new) = &args.rename {
        return verify::plan(model, args.mode, context, |draft, talk, _| {
            rename::build(draft, talk, args, new)
        });
    }
    verify::plan(model, args.mode, context, |draft, talk, refused| {
        check_selections(args, talk)?;
        let mut tally = Tally::default();
        let mut wanted = request::read(model, args, stanzas.as_ref(), talk, &mut tally.has_failed)?;
        drop_misnamed(model, verb, &mut wanted, talk)?;
        tally.has_failed |= drop_unknown(&mut wanted, args.stanza.is_some(), talk);
        if tally.has_failed && verb == Verb::Make {
            return None;
        }
        warn_settings(model, &wanted, talk);
        let has_words = args.stanza.is_some() || !args.attributes.is_empty();
        // A group needs no more than its name, where groups alone are made.
        let is_group = |object: &Wanted| {
            object.kind.name == "group" && (verb == Verb::Change || args.types == ["group"])
        };
        let says_enough = |object: &Wanted| has_words || !object.attributes.is_empty() || is_group(object);
        if !wanted.iter().any(says_enough) {
            return nothing_given(verb, args, &tally, talk);
        }
        for object in wanted.iter().filter(|object| says_enough(object)) {
            define(draft, verb, args, object, refused, talk, &mut tally);
        }
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
}

/// `-w` is read before anything is done.
fn check_selections(args: &Define, talk: &mut Talk<'_>) -> Option<()> {
    for text in &args.select {
        let Some((name, ..)) = select::split(text).filter(|_| select::Selection::parse(text).is_ok()) else {
            talk.error("Incorrect selection string specified with -w flag.");
            return None;
        };
        let is_of_group = args.dynamic && args.types == ["group"];
        if is_of_group && attribute::named("node", name).next().is_none() {
            talk.error(&format!(
                "Incorrect attribute '{name}' in the selection string specified with -w flag."
            ));
            hint_nearest("node", name, talk);
            return None;
        }
    }
    Some(())
}

fn hint_nearest(kind: &str, name: &str, talk: &mut Talk<'_>) {
    let nearest = attribute::nearest(kind, name);
    if !nearest.is_empty() {
        talk.hint(format!("  try      {}", nearest.join(", ")));
    }
}

/// Objects whose names cannot be: `mkdef` then makes nothing, `chdef` leaves them out.
fn drop_misnamed(model: &Model, verb: Verb, wanted: &mut Vec<Wanted>, talk: &mut Talk<'_>) -> Option<()> {
    let mut dotted: Vec<String> = Vec::new();
    let mut invalid: Vec<String> = Vec::new();
    wanted.retain(|Wanted { kind, name, .. }| {
        let is_there = verb == Verb::Change && objects::exists(model, kind, name);
        if is_there || !target::is_misnamed(model, kind, name) {
            return true;
        }
        // Of capitals and a dot, xCAT minds the capitals first.
        let has_capitals = verb == Verb::Make && name.bytes().any(|b| b.is_ascii_uppercase());
        let is_dotted = kind.name == "node" && name.contains('.') && !has_capitals;
        if is_dotted { &mut dotted } else { &mut invalid }.push(name.clone());
        false
    });
    if !dotted.is_empty() {
        talk.error(&target::dotted(&dotted.join(",")));
    }
    if !invalid.is_empty() && (dotted.is_empty() || verb == Verb::Change) {
        talk.error(&target::invalid(&invalid.join(",")));
    }
    let is_any = !dotted.is_empty() || !invalid.is_empty();
    if verb == Verb::Make && !is_any {
        warn_capitals(wanted.iter().map(|object| (object.kind.name, object.name.as_str())), talk);
    }
    (verb == Verb::Change || !is_any).then_some(())
}

fn warn_capitals<'a>(objects: impl Iterator<Item = (&'a str, &'a str)>, talk: &mut Talk<'_>) {
    let names: Vec<&str> = objects
        .filter(|(kind, name)| *kind == "node" && name.bytes().any(|b| b.is_ascii_uppercase()))
        .map(|(_, name)| name)
        .collect();
    if !names.is_empty() {
        talk.warn(&format!(
            "The node name '{}' contains capital letters which may not be resolved correctly by the dns server.",
            names.join(",")
        ));
    }
}

/// Takes attributes that do not exist out of the request, and says so once for each type.
fn drop_unknown(wanted: &mut [Wanted], is_stanza: bool, talk: &mut Talk<'_>) -> bool {
    let mut said: Vec<(&str, String)> = Vec::new();
    for object in wanted {
        let kind = object.kind;
        object.attributes.retain(|(name, _)| {
            let is_known = crate::object::is_known(kind, name);
            if !is_known && !said.iter().any(|(of, known)| *of == kind.name && known == name) {
                let base = objects::split_nic(name).map_or(name.as_str(), |(packed, _)| packed);
                let error = WriteError::Unknown { name: base.to_owned(), kind: kind.name };
                talk.error(&error.to_string());
                if !is_stanza {
                    talk.error("Skipping to the next attribute.");
                }
                hint_nearest(kind.name, base, talk);
                said.push((kind.name, name.clone()));
            }
            is_known
        });
    }
    !said.is_empty()
}

/// The site takes any setting; one that looks like a known one is hardly meant as it is written.
fn warn_settings(model: &Model, wanted: &[Wanted], talk: &mut Talk<'_>) {
    let of_site = wanted.iter().filter(|object| object.kind.name == "site");
    for (name, _) in of_site.flat_map(|object| &object.attributes).filter(|(_, value)| !value.is_empty()) {
        let is_known = value::setting(name).is_some() || model.site(name).is_some();
        let close = nearest::names(name, value::settings().map(|setting| setting.key));
        if !is_known && !close.is_empty() {
            talk.warn(&format!("'{name}' is no setting that is known here; it is kept."));
            talk.hint(format!("  try      {}", close.join(", ")));
        }
    }
}

fn nothing_given(verb: Verb, args: &Define, tally: &Tally, talk: &mut Talk<'_>) -> Option<Vec<Part>> {
    match verb {
        Verb::Make => {
            let text = "No object definitions have been created or modified: no attributes were specified.";
            let is_node = args.types.iter().any(|kind| kind == "node");
            let more = " The 'groups' attribute is required when creating node definitions.";
            talk.error(&format!("{text}{}", if is_node { more } else { "" }));
            talk.hint("  try      attr=value words, a stanza file (-z) or a template (--template)");
        }
        Verb::Change if tally.has_failed => talk.error(SOME_FAILED),
        Verb::Change if args.verbose => talk.info("No database was updated"),
        Verb::Change => talk.info("No object definitions have been created or modified."),
    }
    None
}

/// Writes one object, or leaves it as it was and says why.
fn define(
    draft: &mut Draft,
    verb: Verb,
    args: &Define,
    wanted: &Wanted,
    refused: &Refused,
    talk: &mut Talk<'_>,
    tally: &mut Tally,
) {
    let Wanted { kind, name, .. } = wanted;
    let is_there = objects::exists(draft.model(), kind, name);
    if is_there && verb == Verb::Make && !args.force && kind.name != "network" {
        talk.warn(&format!(
            "A definition for '{name}' already exists. No changes will be made.  Run again with '-f' option to force replace."
        ));
        return;
    }
    let reason = refused.reason(name).map(str::to_owned);
    let savepoint = draft.savepoint();
    let written = match reason {
        Some(reason) => Err(Fault::hard(reason)),
        None => object::write(draft, verb, args, wanted, is_there, talk),
    };
    match written {
        Ok(false) => {}
        Ok(true) => {
            let result = if is_there { "modified" } else { "created" };
            talk.record(|| json!({"type": kind.name, "name": name, "result": result}));
            tally.parts.push(Part { kind, name: name.clone(), is_new: !is_there });
        }
        Err(fault) => {
            draft.rollback(savepoint);
            tally.has_failed |= matches!(fault, Fault::Hard(_));
            let (Fault::Hard(texts) | Fault::Soft(texts)) = fault;
            texts.iter().for_each(|text| talk.error(text));
            let reason = || texts.join("\n");
            talk.record(|| json!({"type": kind.name, "name": name, "result": "refused", "reason": reason()}));
        }
    }
}

fn conclude(verb: Verb, args: &Define, tally: &Tally, talk: &mut Talk<'_>) {
    let count = tally.parts.len();
    let counted = format!("{count} object definitions have been created or modified.");
    if tally.has_failed {
        talk.error(SOME_FAILED);
        if count > 0 && !args.mode.atomic && !args.mode.dry_run {
            talk.hint(format!("  done     {counted}"));
        }
        return;
    }
    let names = || {
        let mut names: Vec<&str> = tally.parts.iter().map(|part| part.name.as_str()).collect();
        names.sort_unstable();
        names.join("\n")
    };
    match (verb, count, args.verbose) {
        (Verb::Make, 0, is_verbose) => {
            if is_verbose {
                talk.error("The database was not updated.");
            }
            talk.error(&counted);
        }
        (Verb::Make, _, false) | (Verb::Change, 1.., false) => talk.info(counted),
        (Verb::Make, _, true) => {
            talk.info(format!("The database was updated for the following objects:\n{}", names()));
            talk.info(counted);
        }
        (Verb::Change, 0, true) => talk.info("No database was updated"),
        (Verb::Change, _, true) => {
            talk.info(format!("The database was updated for the following objects:\n{}", names()));
        }
        (Verb::Change, 0, false) => {
            talk.info("No object definitions have been created or modified.");
        }
    }
    if verb == Verb::Change && !args.verbose {
        say_new(&tally.parts, talk);
    }
}

fn say_new(parts: &[Part], talk: &mut Talk<'_>) {
    let new = || parts.iter().filter(|part| part.is_new);
    let names: Vec<&str> = new().map(|part| part.name.as_str()).collect();
    if !names.is_empty() {
        talk.info(format!("New object definitions '{}' have been created.", names.join(",")));
    }
    warn_capitals(new().map(|part| (part.kind.name, part.name.as_str())), talk);
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod xcat_tests;
