//! The frame around every planner of objects: each object is whole or untouched, and what the
//! model's rules refuse is left out of the change.
//!
//! The rules are looked at when *all* objects are written, so that two nodes may swap an address
//! in one command. What they refuse is planned without, from the start, until they are content.

use std::collections::BTreeMap;

use common::report::Refusal;

use crate::model::{Model, check};
use crate::table::attribute::ObjectType;

use super::Outcome;
use super::diff::differences;
use crate::command::Mode;
use crate::draft::{Change, Draft};
use crate::talk::{Context, Line, Talk};

/// How often a plan is made again without what was refused. A round leaves out every object that
/// the last one found at fault, so more than two happen only where refusals uncover others.
const ROUNDS: usize = 8;

/// An object that a plan touched.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its type.
    pub kind: &'static ObjectType,
    /// Its name.
    pub name: String,
    /// Whether it was not there before.
    pub is_new: bool,
}

/// What the rules refused so far: the object's name with the reason.
#[derive(Debug, Default)]
pub(super) struct Refused(BTreeMap<String, String>);

impl Refused {
    /// Whether an object was refused.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Why an object was refused; none when it was not.
    pub(super) fn reason(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Plans with `build`, which writes every object that is not refused and says what it did; it
/// gives none when the command as a whole is refused.
pub(super) fn plan(
    model: &Model,
    mode: Mode,
    context: &Context,
    build: impl Fn(&mut Draft, &mut Talk<'_>, &Refused) -> Option<Vec<Part>>,
) -> Outcome {
    let mut refused = Refused::default();
    for _ in 0..ROUNDS {
        let mut draft = Draft::new(model);
        let mut talk = Talk::new(context);
        let Some(parts) = build(&mut draft, &mut talk, &refused) else { return talk.finish(None) };
        let change = draft.finish();
        let found = judge(model, &change, &parts);
        let known = refused.0.len();
        refused.0.extend(found.refused);
        if refused.0.len() == known {
            found.warnings.iter().for_each(|text| talk.warn(text));
            return conclude(mode, change, talk, context);
        }
    }
    let mut talk = Talk::new(context);
    refused.0.values().for_each(|text| talk.error(text));
    talk.error("Nothing is changed: what is left without these objects is refused too.");
    talk.finish(None)
}

struct Judgement {
    refused: BTreeMap<String, String>,
    warnings: Vec<String>,
}

fn judge(model: &Model, change: &Change, parts: &[Part]) -> Judgement {
    let findings = check::change(model, change.after(), change.edits());
    let mut refused = BTreeMap::new();
    let by_name: BTreeMap<&str, &Part> = match findings.refusals.is_empty() {
        true => BTreeMap::new(),
        false => parts.iter().rev().map(|part| (part.name.as_str(), part)).collect(),
    };
    for refusal in &findings.refusals {
        let at_fault: Vec<&Part> = match by_name.get(refusal.subject.as_str()) {
            Some(part) => vec![part],
            // What a group says may make one of its members wrong, which is no part of the command.
            None => parts.iter().filter(|part| part.kind.name == "group").collect(),
        };
        let at_fault = if at_fault.is_empty() { parts.iter().collect() } else { at_fault };
        for part in at_fault {
            refused.entry(part.name.clone()).or_insert_with(|| text(refusal));
        }
    }
    Judgement { refused, warnings: findings.warnings.iter().map(text).collect() }
}

/// A refusal as a person reads it, without the command's name: xCAT's frame stands there.
pub(super) fn text(refusal: &Refusal) -> String {
    let rendered = refusal.render("");
    rendered.strip_prefix(": ").map_or_else(|| rendered.clone(), str::to_owned)
}

/// What becomes of the plan: committed, shown only, or dropped.
fn conclude(mode: Mode, change: Change, mut talk: Talk<'_>, context: &Context) -> Outcome {
    if mode.atomic && talk.status() != 0 {
        talk.error("Nothing is changed: with --atomic, all objects change or none.");
        return without_claims(talk.finish(None));
    }
    if mode.dry_run {
        return preview(&change, talk, context);
    }
    talk.finish(Some(change).filter(|change| !change.is_empty()))
}

/// What a dry run shows in the place of what was done: every value that would change.
pub(crate) fn preview(change: &Change, talk: Talk<'_>, context: &Context) -> Outcome {
    let mut outcome = without_claims(talk.finish(None));
    let differences = differences(change.edits());
    for difference in &differences {
        outcome.lines.push(match context.view.json {
            true => Line::Record(difference.record()),
            false => Line::Out(difference.text()),
        });
    }
    if !context.view.json {
        outcome.lines.push(Line::Out(format!(
            "Dry run: {} values would change; nothing is changed.",
            differences.len()
        )));
    }
    outcome
}

/// The same without what it says was done.
fn without_claims(mut outcome: Outcome) -> Outcome {
    outcome.lines.retain(|line| matches!(line, Line::Err(_)));
    outcome
}
