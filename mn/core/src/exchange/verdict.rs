//! How a command that writes definitions ends: the model's rules, what is said of each subject,
//! and a change or none.
//!
//! All or nothing: one refusal is enough for nothing, and then all of them are told.

use common::report::Refusal;
use serde_json::{Value, json};

use super::subject::Subject;
use crate::change::{Outcome, differences};
use crate::command::Mode;
use crate::draft::{Change, Draft, merged};
use crate::model::{Model, check};
use crate::talk::{Context, Line};

/// What became of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It was not there.
    Created,
    /// It was there, and otherwise.
    Changed,
    /// It was there, and so.
    Unchanged,
    /// It is gone.
    Removed,
}

impl Fate {
    const ALL: [Self; 4] = [Self::Created, Self::Changed, Self::Unchanged, Self::Removed];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
        }
    }
}

/// How much is said of each subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Nothing.
    Counts,
    /// What becomes of it, unless nothing does.
    Changes,
    /// What becomes of it.
    All,
}

/// The answer in the making.
#[derive(Debug)]
pub(crate) struct Verdict<'a> {
    command: &'static str,
    context: &'a Context,
    lines: Vec<Line>,
    refusals: Vec<Refusal>,
    fates: Vec<(Subject, Fate)>,
    /// What stands before the counts.
    remarks: Vec<String>,
}

impl<'a> Verdict<'a> {
    /// Nothing said yet.
    pub(crate) fn new(command: &'static str, context: &'a Context) -> Self {
        Self {
            command,
            context,
            lines: Vec::new(),
            refusals: Vec::new(),
            fates: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Something that stands in the way.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// Something to look at.
    pub(crate) fn warn(&mut self, text: &Refusal) {
        self.lines.push(Line::Err(text.render(&format!("{}: warning", self.command))));
    }

    /// A line for a person, before the counts.
    pub(crate) fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }

    /// A line or a record of what was found, said whatever becomes of the rest.
    pub(crate) fn tell(&mut self, text: impl FnOnce() -> String, record: impl FnOnce() -> Value) {
        self.lines.push(match self.context.view.json {
            true => Line::Record(record()),
            false => Line::Out(text()),
        });
    }

    /// What stands in the way.
    pub(crate) fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// What became of a subject.
    pub(crate) fn fate(&mut self, subject: Subject, fate: Fate) {
        self.fates.push((subject, fate));
    }

    /// Whether something stands in the way.
    pub(crate) fn is_refused(&self) -> bool {
        !self.refusals.is_empty()
    }

    /// Nothing is changed, and the refusals say why.
    pub(crate) fn refused(mut self) -> Outcome {
        let refusals = self.refusals.iter().map(|refusal| Line::Err(refusal.render(self.command)));
        self.lines.extend(refusals);
        self.lines.push(Line::Err(format!("{}: nothing is changed", self.command)));
        Outcome { change: None, lines: self.lines, status: 1 }
    }

    /// Looks at what was written: what the model's rules say of it.
    pub(crate) fn judge(&mut self, before: &Model, draft: &Draft) {
        let findings = check::change(before, draft.model(), &merged(draft.edits().to_vec()));
        findings.warnings.iter().for_each(|warning| self.warn(warning));
        self.refusals.extend(findings.refusals);
    }

    /// The end: the change, or what it would be.
    pub(crate) fn finish(mut self, mode: Mode, detail: Detail, draft: Draft) -> Outcome {
        if self.is_refused() {
            return self.refused();
        }
        let change = draft.finish();
        match mode.dry_run {
            _ if detail == Detail::Counts => {}
            true => self.preview(&change),
            false => self.account(detail),
        }
        if !self.context.view.json {
            self.lines.extend(std::mem::take(&mut self.remarks).into_iter().map(Line::Out));
            let would = if mode.dry_run { "Dry run: " } else { "" };
            let end = if mode.dry_run { "; nothing is changed." } else { "." };
            self.lines.push(Line::Out(format!("{would}{}{end}", self.counts())));
        }
        let change = Some(change).filter(|change| !mode.dry_run && !change.is_empty());
        Outcome { change, lines: self.lines, status: 0 }
    }

    /// One line or record for each subject.
    fn account(&mut self, detail: Detail) {
        let is_said = |fate: Fate| detail == Detail::All || self.context.view.json || fate != Fate::Unchanged;
        let said = self.fates.iter().filter(|(_, fate)| is_said(*fate));
        self.lines.extend(said.map(|(subject, fate)| match self.context.view.json {
            true => {
                Line::Record(json!({"type": subject.kind(), "name": subject.name(), "result": fate.word()}))
            }
            false => Line::Out(format!("{} {}: {}", subject.kind(), subject.name(), fate.word())),
        }));
    }

    /// One line or record for each value that would change.
    fn preview(&mut self, change: &Change) {
        for difference in differences(change.edits()) {
            self.lines.push(match self.context.view.json {
                true => Line::Record(difference.record()),
                false => Line::Out(difference.text()),
            });
        }
    }

    fn counts(&self) -> String {
        let count = |fate: Fate| self.fates.iter().filter(|(_, known)| *known == fate).count();
        let counts: Vec<String> =
            Fate::ALL.iter().map(|fate| format!("{} {}", count(*fate), fate.word())).collect();
        counts.join(", ")
    }
}
