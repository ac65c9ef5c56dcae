//! `apply`: what a file says of an object is what is there of it afterwards.
//!
//! The objects and rows that the file names, and no others, unless `--prune` or `%prune` say that
//! those of a type that are not in the file are to go. Of an object that is named, what the file does
//! not say goes too; settings of the site are each for themselves. State (see [`crate::table::scope`]) stays
//! as it is, and so does a secret that the file has as `<secret>`.

mod prune;

use std::collections::{BTreeMap, BTreeSet};

use common::report::Refusal;

use super::definitions::{self, Definition};
use super::format::perceus;
use super::subject::{self, Subject};
use super::text::{self, Mistake, Value};
use super::verdict::{Detail, Fate, Verdict};
use super::view::{self, Attributes};
use super::write::{self, Wanted};
use crate::change::Outcome;
use crate::change::define::group;
use crate::command::{Apply, ApplyFormat, Range};
use crate::draft::Draft;
use crate::model::Model;
use crate::object;
use crate::table::attribute;
use crate::talk::Context;
use crate::target::range;

/// What the file and the options say: definitions, and what is to be pruned.
pub(crate) type Read = Result<(Vec<Definition>, Vec<Range>), Vec<Mistake>>;

/// Plans `apply` of what [`read()`] gave.
pub(crate) fn plan(model: &Model, args: &Apply, read: &Read, context: &Context) -> Outcome {
    let mut verdict = Verdict::new("apply", context);
    let Some(draft) = draft(model, args, read, &mut verdict) else { return verdict.refused() };
    verdict.judge(model, &draft);
    verdict.finish(args.mode, if args.verbose { Detail::All } else { Detail::Changes }, draft)
}

/// The model as the file wants it; none where something stands in the way, which is said.
pub(super) fn draft(model: &Model, args: &Apply, read: &Read, verdict: &mut Verdict<'_>) -> Option<Draft> {
    let (definitions, pruned) = match read {
        Ok(read) => read,
        Err(mistakes) => {
            for mistake in mistakes {
                let place = format!("{}:{}", args.file, mistake.line);
                verdict.refuse(Refusal::new(mistake.text.as_str()).about(place));
            }
            return None;
        }
    };
    refuse_doubles(args, definitions, verdict);
    refuse_names(args, definitions, verdict);
    if verdict.is_refused() {
        return None;
    }
    let mut draft = Draft::new(model);
    prune::plan(&mut draft, args, pruned, definitions, verdict);
    let mut applied = Applied { args, definitions, wanted: Vec::new() };
    applied.write(model, &mut draft, verdict);
    if verdict.is_refused() {
        return None;
    }
    applied.tell_fates(model, &draft, verdict);
    Some(draft)
}

/// Reads the file. Needs no model, and of a whole site takes longer than most plans.
pub(crate) fn read(args: &Apply) -> Read {
    let mut pruned = args.prune.clone();
    let is_stanza = match args.format {
        ApplyFormat::Stanza => true,
        ApplyFormat::Perceus => false,
        ApplyFormat::Detect => text::is_stanzas(&args.text) || !perceus::is_list(&args.text),
    };
    if args.format == ApplyFormat::Detect && !text::is_stanzas(&args.text) && is_stanza {
        let text = "this is neither stanzas, as export and lsdef -z write them, nor Perceus's list of nodes";
        return Err(vec![Mistake { line: 1, text: text.to_owned() }]);
    }
    if !is_stanza {
        return Ok((perceus::read(&args.text)?, pruned));
    }
    let document = text::parse(&args.text)?;
    pruned.extend(document.prune.iter().map(Range::new));
    if document.stanzas.is_empty() && pruned.is_empty() {
        return Err(vec![Mistake { line: 1, text: "there is nothing in it to apply".to_owned() }]);
    }
    Ok((definitions::of_document(document)?, pruned))
}

/// An object is in a file once.
fn refuse_doubles(args: &Apply, definitions: &[Definition], verdict: &mut Verdict<'_>) {
    let mut seen: BTreeMap<&Subject, usize> = BTreeMap::new();
    for definition in definitions {
        if let Some(first) = seen.insert(&definition.subject, definition.line) {
            let refusal = Refusal::new(format!("{} is in the file twice", definition.subject));
            verdict.refuse(
                refusal.about(place(args, definition)).because(format!("it is at line {first} already")),
            );
        }
    }
}

/// What is new has a name that its type may have.
fn refuse_names(args: &Apply, definitions: &[Definition], verdict: &mut Verdict<'_>) {
    for definition in definitions {
        let Subject::Object { kind, name } = &definition.subject else { continue };
        if !subject::is_nameable(kind, name) {
            let refusal = Refusal::new(format!("a {kind} cannot be called {}", text::short(name)));
            verdict.refuse(refusal.about(place(args, definition)));
        }
    }
}

fn place(args: &Apply, definition: &Definition) -> String {
    format!("{}:{}", args.file, definition.line)
}

/// A file on its way into a draft.
struct Applied<'a> {
    args: &'a Apply,
    definitions: &'a [Definition],
    /// What is to be there, in the order of the definitions.
    wanted: Vec<Wanted>,
}

impl Applied<'_> {
    fn write(&mut self, model: &Model, draft: &mut Draft, verdict: &mut Verdict<'_>) {
        self.warn_of_state(verdict);
        for definition in self.definitions {
            let attributes = wanted(model, definition, verdict);
            self.wanted.push(Wanted { subject: definition.subject.clone(), attributes });
        }
        // Conditions of nodes look at their groups, so that groups come first.
        for class in 0..3 {
            let of_class: Vec<(usize, &Wanted)> = self
                .wanted
                .iter()
                .enumerate()
                .filter(|(_, wanted)| write::class_of(&wanted.subject) == class)
                .collect();
            let only: Vec<&Wanted> = of_class.iter().map(|(_, wanted)| *wanted).collect();
            for (at, error) in write::put(draft, &only).err().unwrap_or_default() {
                let definition = of_class.get(at).and_then(|(at, _)| self.definitions.get(*at));
                if let Some(definition) = definition {
                    verdict.refuse(Refusal::new(error.to_string()).about(place(self.args, definition)));
                }
            }
        }
        self.write_others(draft, verdict);
        self.write_members(draft, verdict);
        self.refuse_contradictions(draft.model(), verdict);
    }

    /// Attributes in rows that are not the object's alone.
    fn write_others(&self, draft: &mut Draft, verdict: &mut Verdict<'_>) {
        for definition in self.definitions {
            let Subject::Object { kind, name } = &definition.subject else { continue };
            let Some(kind) = attribute::object_type(kind) else { continue };
            for said in &definition.others {
                let Value::Text(value) = &said.value else { continue };
                if let Err(error) = crate::change::write::set(draft, kind, name, &said.name, value) {
                    let place = format!("{}:{}", self.args.file, said.line);
                    verdict.refuse(Refusal::new(error.to_string()).about(place));
                }
            }
        }
    }

    fn warn_of_state(&self, verdict: &mut Verdict<'_>) {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.definitions.iter().flat_map(|definition| &definition.state) {
            *names.entry(name).or_default() += 1;
        }
        for (name, count) in names {
            let text = format!("{name} is state and is left as it is ({count} times in the file)");
            verdict.warn(&Refusal::new(text));
        }
    }

    /// `members=` of groups, as `chdef` takes it.
    fn write_members(&self, draft: &mut Draft, verdict: &mut Verdict<'_>) {
        for definition in self.definitions {
            let (Some(text), Subject::Object { name, .. }) = (&definition.members, &definition.subject)
            else {
                continue;
            };
            let found = match range::names(draft.model(), &Range::new(text.as_str())) {
                Ok(found) => found,
                Err(error) => {
                    verdict.refuse(Refusal::new(error).about(place(self.args, definition)));
                    continue;
                }
            };
            let named: BTreeSet<String> = found.names.into_iter().collect();
            let held: Vec<String> = draft.model().members(name).iter().map(ToString::to_string).collect();
            held.iter().filter(|node| !named.contains(*node)).for_each(|node| {
                group::leave(draft, node, name);
            });
            for node in named {
                if draft.model().has_node(&node) {
                    group::join(draft, &node, name);
                } else {
                    let refusal = Refusal::new(format!("members of {name}: there is no node {node}"));
                    verdict.refuse(refusal.about(place(self.args, definition)));
                }
            }
        }
    }

    /// What a file says in two places it must say alike.
    fn refuse_contradictions(&self, model: &Model, verdict: &mut Verdict<'_>) {
        let has_members = self.definitions.iter().any(|definition| definition.members.is_some());
        for (definition, wanted) in self.definitions.iter().zip(&self.wanted) {
            let because = match &definition.subject {
                Subject::Object { kind: "node", .. } if has_members => {
                    let groups = view::of(model, &definition.subject).remove("groups");
                    let is_so = groups == wanted.attributes.get("groups").cloned();
                    (!is_so)
                        .then(|| "its groups say one thing, and the members of a group another".to_owned())
                }
                Subject::Row { table, key } => {
                    let row = model.tables().row(*table, key.as_str());
                    let owner = row.map(|row| subject::of_row(model, *table, key, row));
                    // Few rows are another's, so that the search through all definitions is rare.
                    let other = owner.filter(|owner| {
                        *owner != definition.subject
                            && self.definitions.iter().any(|other| other.subject == *owner)
                    });
                    other.map(|owner| {
                        format!("it belongs to {} {owner}, which is in the file too", owner.kind())
                    })
                }
                Subject::Object { .. } => None,
            };
            if let Some(because) = because {
                let refusal = Refusal::new(format!("{} cannot be what the file says", definition.subject));
                verdict.refuse(refusal.about(place(self.args, definition)).because(because));
            }
        }
    }

    fn tell_fates(&self, model: &Model, draft: &Draft, verdict: &mut Verdict<'_>) {
        // Who is touched by a group's `members` shows in what is there afterwards.
        for definition in self.definitions {
            let subject = &definition.subject;
            let members = |model: &Model| match subject {
                Subject::Object { kind: "group", name } => model.members(name),
                _ => Vec::new(),
            };
            let fate = match subject.exists(model) {
                false => Fate::Created,
                true if view::of(model, subject) != view::of(draft.model(), subject) => Fate::Changed,
                true if members(model) != members(draft.model()) => Fate::Changed,
                true if others(model, definition) != others(draft.model(), definition) => Fate::Changed,
                true => Fate::Unchanged,
            };
            verdict.fate(subject.clone(), fate);
        }
    }
}

/// What the attributes in other rows hold.
fn others(model: &Model, definition: &Definition) -> Vec<Option<String>> {
    let Subject::Object { kind, name } = &definition.subject else { return Vec::new() };
    let Some(kind) = attribute::object_type(kind) else { return Vec::new() };
    definition.others.iter().map(|said| object::value(model, kind, name, &said.name)).collect()
}

/// All that is to be there of a subject.
fn wanted(model: &Model, definition: &Definition, verdict: &mut Verdict<'_>) -> Attributes {
    let there = view::of(model, &definition.subject);
    let mut attributes = Attributes::new();
    if let Some(only) = definition.only {
        let others = there.iter().filter(|(name, _)| !only.contains(&name.as_str()));
        attributes.extend(others.map(|(name, value)| (name.clone(), value.clone())));
    }
    for said in &definition.attributes {
        let value = match &said.value {
            Value::Text(text) => Some(text.clone()),
            Value::Secret => there.get(&said.name).cloned(),
        };
        match value {
            Some(value) => drop(attributes.insert(said.name.clone(), value)),
            None => {
                let refusal = Refusal::new(format!(
                    "{} is a secret that the file does not tell, and it is not set here",
                    said.name
                ));
                verdict.warn(&refusal.about(&definition.subject).attempt(format!("set it: {}=…", said.name)));
            }
        }
    }
    attributes
}
