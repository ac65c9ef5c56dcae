//! `import`: what another system knew is added to what is here.
//!
//! Other than [`super::apply`], it takes nothing away: attributes that the files do not name stay.
//! A value that differs from the one that is here stands in the way, unless the operator says which
//! of the two counts; lists of groups and of host names are joined. Whatever is not taken is told
//! with its place and the reason.

use std::collections::{BTreeMap, BTreeSet};

use common::report::Refusal;
use serde_json::json;

use super::format;
use super::incoming::{Incoming, Note, Reading};
use super::subject::{self, Subject};
use super::verdict::{Detail, Fate, Verdict};
use super::view::{self, Attributes};
use super::write::{self, Wanted};
use crate::change::Outcome;
use crate::command::{Clash, Import, Source};
use crate::draft::Draft;
use crate::model::{Model, split};
use crate::talk::Context;

/// How often what was refused is left out and the rest is tried again. A round leaves out all that
/// the last one found at fault.
const ROUNDS: usize = 8;

/// Plans `import` of what [`read()`] gave.
pub(crate) fn plan(model: &Model, args: &Import, read: Option<Reading>, context: &Context) -> Outcome {
    let reading = choose(model, args, read);
    if !reading.faults.is_empty() && !args.skip {
        return damaged(&reading.faults, context);
    }
    let mut left_out: BTreeMap<String, Refusal> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let mut verdict = Verdict::new("import", context);
        let mut taking = Taking::new(model, args, &reading, &left_out);
        let mut draft = Draft::new(model);
        taking.write(&mut draft, &mut verdict);
        if !verdict.is_refused() {
            verdict.judge(model, &draft);
        }
        let refusals = verdict.refusals();
        let names = taking.names();
        let at_fault: Vec<&Refusal> =
            refusals.iter().filter(|refusal| names.contains(refusal.subject.as_str())).collect();
        if args.skip && !at_fault.is_empty() && at_fault.len() == refusals.len() {
            let faults = at_fault.into_iter().map(|refusal| (refusal.subject.clone(), refusal.clone()));
            left_out.extend(faults.collect::<Vec<_>>());
            continue;
        }
        taking.tell(&reading, &left_out, model, &draft, &mut verdict);
        let status = u8::from(!left_out.is_empty() || !reading.faults.is_empty());
        let mut outcome = verdict.finish(args.mode, detail(args), draft);
        outcome.status = outcome.status.max(status);
        return outcome;
    }
    let text = "what is left without the objects that are refused is refused too";
    Outcome::refused("import", &[Refusal::new(text)])
}

/// A dump of tables is told by counts: its rows are the operator's own.
const fn detail(args: &Import) -> Detail {
    match (args.verbose, args.source) {
        (true, _) => Detail::All,
        (false, Source::Xcat) => Detail::Counts,
        (false, _) => Detail::Changes,
    }
}

/// Nothing is imported of a file that is damaged, and of the others neither.
fn damaged(faults: &[Note], context: &Context) -> Outcome {
    let mut verdict = Verdict::new("import", context);
    for fault in faults {
        verdict.refuse(Refusal::new(format!("{}: {}", fault.what, fault.why)).about(&fault.place));
    }
    verdict.refuse(Refusal::new("a file is damaged").attempt("mend it, or leave it out with --skip-refused"));
    verdict.refused()
}

/// Reads the files, where that needs no model: those of a whole site take longer than most plans.
pub(crate) fn read(args: &Import) -> Option<Reading> {
    match args.source {
        Source::Hosts => Some(format::hosts::read(&args.files)),
        Source::Xcat => Some(format::xcat::read(&args.files)),
        Source::Ethers | Source::IscDhcpd | Source::Warewulf => None,
    }
}

/// What the files say, cut down to what was asked for.
fn choose(model: &Model, args: &Import, read: Option<Reading>) -> Reading {
    let mut reading = read.unwrap_or_else(|| match args.source {
        Source::Hosts => format::hosts::read(&args.files),
        Source::Ethers => format::ethers::read(model, &args.files),
        Source::IscDhcpd => format::isc::read(model, &args.files),
        Source::Warewulf => format::warewulf::read(model, &args.files),
        Source::Xcat => format::xcat::read(&args.files),
    });
    let incoming = std::mem::take(&mut reading.incoming);
    for one in incoming {
        match &one.subject {
            Subject::Object { kind: "node", name } if args.existing && !model.has_node(name) => {
                reading.note(one.place, format!("node {name}"), "there is no such node here (--existing)");
            }
            Subject::Object { kind, name } if !subject::is_nameable(kind, name) => {
                let why = format!("a {kind} cannot be called so here");
                reading.note(one.place.clone(), format!("{kind} {name}"), why);
            }
            _ => reading.incoming.push(one),
        }
    }
    reading
}

/// A value that is here, and another one in a file.
struct Difference<'a> {
    from: &'a Incoming,
    name: &'a str,
    here: String,
    there: &'a str,
}

/// An import on its way into a draft.
struct Taking<'a> {
    args: &'a Import,
    /// What is taken, in the order of the files.
    incoming: Vec<&'a Incoming>,
    wanted: Vec<Wanted>,
    clashes: Vec<Difference<'a>>,
}

impl<'a> Taking<'a> {
    fn new(
        model: &Model,
        args: &'a Import,
        reading: &'a Reading,
        left_out: &BTreeMap<String, Refusal>,
    ) -> Self {
        let is_taken = |one: &&Incoming| !left_out.contains_key(subject_name(&one.subject).as_str());
        let incoming: Vec<&Incoming> = reading.incoming.iter().filter(is_taken).collect();
        let mut taking = Self { args, incoming, wanted: Vec::new(), clashes: Vec::new() };
        let mut places: BTreeMap<&Subject, usize> = BTreeMap::new();
        for one in taking.incoming.clone() {
            let at = *places.entry(&one.subject).or_insert_with(|| {
                let attributes = view::of(model, &one.subject);
                taking.wanted.push(Wanted { subject: one.subject.clone(), attributes });
                taking.wanted.len() - 1
            });
            if let Some(wanted) = taking.wanted.get_mut(at) {
                merge(args.clash, one, &mut wanted.attributes, &mut taking.clashes);
            }
        }
        taking.add_groups(model);
        taking
    }

    /// New nodes are in a group, or nobody finds them.
    fn add_groups(&mut self, model: &Model) {
        for wanted in &mut self.wanted {
            if let Subject::Object { kind: "node", name } = &wanted.subject
                && !model.has_node(name)
                && !wanted.attributes.contains_key("groups")
                && !self.args.groups.is_empty()
            {
                wanted.attributes.insert("groups".to_owned(), self.args.groups.clone());
            }
        }
    }

    fn write(&mut self, draft: &mut Draft, verdict: &mut Verdict<'_>) {
        if self.args.clash == Clash::Refuse {
            for clash in &self.clashes {
                let what = format!(
                    "{} is {} here, and {} in {}",
                    clash.name, clash.here, clash.there, clash.from.place
                );
                verdict.refuse(Refusal::new(what).about(&clash.from.subject));
            }
            if !self.clashes.is_empty() {
                let count = self.clashes.len();
                let refusal = Refusal::new(format!("{count} values differ from those that are here"));
                verdict
                    .refuse(refusal.attempt("--overwrite to take the imported ones, --keep to keep these"));
            }
        }
        for class in 0..3 {
            let of_class: Vec<&Wanted> =
                self.wanted.iter().filter(|wanted| write::class_of(&wanted.subject) == class).collect();
            for (at, error) in write::put(draft, &of_class).err().unwrap_or_default() {
                let subject =
                    of_class.get(at).map(|wanted| subject_name(&wanted.subject)).unwrap_or_default();
                verdict.refuse(Refusal::new(error.to_string()).about(subject));
            }
        }
    }

    /// The names by which a refusal may mean what is taken.
    fn names(&self) -> BTreeSet<String> {
        self.incoming.iter().map(|one| subject_name(&one.subject)).collect()
    }

    fn tell(
        &self,
        reading: &Reading,
        left_out: &BTreeMap<String, Refusal>,
        model: &Model,
        draft: &Draft,
        verdict: &mut Verdict<'_>,
    ) {
        let damaged = reading.faults.iter().map(|note| ("damaged", note));
        let left = reading.notes.iter().map(|note| ("not taken", note));
        for (result, note) in damaged.chain(left).chain(reading.remarks.iter().map(|note| ("look", note))) {
            let place = note.place.to_string();
            verdict.tell(
                || format!("{result}: {place}: {}: {}", note.what, note.why),
                || json!({"place": place, "what": note.what, "result": result, "reason": note.why}),
            );
        }
        for one in &reading.incoming {
            if let Some(refusal) = left_out.get(&subject_name(&one.subject)) {
                let (place, subject) = (one.place.to_string(), one.subject.to_string());
                let why = Refusal { subject: String::new(), ..refusal.clone() }.to_string();
                verdict.tell(
                    || format!("not taken: {place}: {subject}: {why}"),
                    || json!({"place": place, "what": subject, "result": "refused", "reason": why}),
                );
            }
        }
        let fate = if self.args.clash == Clash::Keep { "kept" } else { "overwritten" };
        for clash in self.clashes.iter().filter(|_| self.args.clash != Clash::Refuse) {
            let is_secret = view::is_secret(model, &clash.from.subject, clash.name);
            let show = |value: &str| if is_secret { "<secret>".to_owned() } else { value.to_owned() };
            let (here, there) = (show(&clash.here), show(clash.there));
            let (place, subject) = (clash.from.place.to_string(), clash.from.subject.to_string());
            verdict.tell(
                || format!("{fate}: {place}: {subject}: {} is {here} here, and {there} there", clash.name),
                || {
                    json!({"place": place, "what": subject, "attribute": clash.name, "here": here, "there": there,
                        "result": fate})
                },
            );
        }
        for wanted in &self.wanted {
            let subject = &wanted.subject;
            let fate = match subject.exists(model) {
                false => Fate::Created,
                true if view::of(model, subject) != view::of(draft.model(), subject) => Fate::Changed,
                true => Fate::Unchanged,
            };
            verdict.fate(subject.clone(), fate);
        }
        self.tell_files(reading, verdict);
    }

    /// How much of each file was taken.
    fn tell_files(&self, reading: &Reading, verdict: &mut Verdict<'_>) {
        let mut files: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        files.extend(self.args.files.iter().map(|(file, _)| (file.as_str(), (0, 0))));
        self.incoming.iter().for_each(|one| files.entry(&one.place.file).or_default().0 += 1);
        let out =
            reading.incoming.iter().map(|one| &one.place).chain(reading.notes.iter().map(|note| &note.place));
        out.for_each(|place| files.entry(&place.file).or_default().1 += 1);
        // A dump has a file for every table, most of them without rows.
        files.retain(|_, counts| self.args.source != Source::Xcat || *counts != (0, 0));
        for (file, (taken, all)) in files {
            let left = match all - taken {
                0 => String::new(),
                left => format!(", {left} left out as told"),
            };
            verdict.remark(format!("{file}: {taken} taken{left}"));
        }
    }
}

/// Joins what a file says into what is here.
fn merge<'a>(clash: Clash, from: &'a Incoming, held: &mut Attributes, clashes: &mut Vec<Difference<'a>>) {
    for (name, value) in from.attributes.iter().filter(|(_, value)| !value.is_empty()) {
        let Some(here) = held.get(name).cloned() else {
            held.insert(name.clone(), value.clone());
            continue;
        };
        let is_list =
            matches!(from.subject, Subject::Object { .. }) && matches!(name.as_str(), "groups" | "hostnames");
        if is_list {
            let mut items: Vec<&str> = split(&here).collect();
            for item in split(value) {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
            held.insert(name.clone(), items.join(","));
        } else if here != *value {
            if clash == Clash::Overwrite {
                held.insert(name.clone(), value.clone());
            }
            clashes.push(Difference { from, name, here, there: value });
        }
    }
}

/// The name under which the model's rules speak of a subject: a node's, a network's.
fn subject_name(subject: &Subject) -> String {
    match subject {
        Subject::Object { name, .. } => name.clone(),
        Subject::Row { table, key } if table.table().key.first() == Some(&"node") => {
            key.parts().next().unwrap_or_default().to_owned()
        }
        Subject::Row { key, .. } => key.to_string(),
    }
}
