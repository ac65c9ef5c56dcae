//! Which revisions `history` shows.

use std::collections::VecDeque;

use common::id::Revision;
use common::report::Refusal;
use mn_core::command::{History as Asked, When};
use mn_core::model::Model;
use mn_core::past::list::Filter;
use mn_core::past::{Deed, Names};

use super::ask::touching;
use super::{deed, fault, forgotten, revision};
use crate::store::History;

/// Of how many objects the rows' own chains are walked; of more, every record is looked at.
const WALKED: usize = 64;

/// One revision, whose record is kept.
///
/// # Errors
/// When there is none.
pub(super) fn one(history: &History, now: &Model, number: u64) -> Result<Deed, Refusal> {
    let revision = revision(history, now, When::Revision(number))?;
    match history.record(revision).map_err(|error| fault(&error))? {
        Some(record) => Ok(deed(record)),
        None => {
            let oldest = history.oldest().map_err(|error| fault(&error))?;
            Err(forgotten(history, oldest, &format!("revision {number}")))
        }
    }
}

/// The revisions that are asked for.
pub(super) struct Chosen<'a> {
    history: &'a History,
    args: &'a Asked,
    filter: Filter<'a>,
    /// Those to look at, from either end.
    candidates: Candidates,
}

enum Candidates {
    /// All from the first to the last.
    Span(u64, u64),
    /// These.
    These(VecDeque<Revision>),
}

impl<'a> Chosen<'a> {
    /// Finds out where to look.
    ///
    /// # Errors
    /// When an end of the span is in the future or forgotten, or the journal cannot be read.
    pub(super) fn new(
        history: &'a History,
        now: &Model,
        args: &'a Asked,
        names: Option<&'a Names>,
    ) -> Result<Self, Refusal> {
        let oldest = history.oldest().map_err(|error| fault(&error))?;
        let newest = now.revision();
        let first = match args.span.from {
            // From a time on: what was committed at that second, too.
            Some(When::Time(time)) => {
                history.at_time(time.saturating_sub(1), newest).map_err(|error| fault(&error))?.next()
            }
            Some(when) => revision(history, now, when)?,
            None => oldest,
        }
        .max(oldest);
        let last = match args.span.to {
            Some(When::Time(time)) => history.at_time(time, newest).map_err(|error| fault(&error))?,
            Some(when) => revision(history, now, when)?,
            None => newest,
        };
        let candidates = match names.filter(|names| names.iter().count() <= WALKED) {
            Some(names) => {
                let found = touching(history, now, names, (first, last)).map_err(|error| fault(&error))?;
                Candidates::These(found.into_iter().collect())
            }
            None => Candidates::Span(first.value(), last.value()),
        };
        Ok(Self { history, args, filter: Filter::new(args, names), candidates })
    }

    /// Shows each, the newest first or, where that is asked for, the oldest of the newest.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) fn each(mut self, mut show: impl FnMut(&Deed)) -> Result<(), Refusal> {
        let count = self.args.count.unwrap_or(u64::MAX);
        let mut chosen = Vec::new();
        let mut shown = 0;
        while shown < count
            && let Some(revision) = self.next()
        {
            let Some(deed) = self.read(revision)?.filter(|deed| self.filter.holds(deed)) else { continue };
            shown += 1;
            if self.args.reverse { chosen.push(revision) } else { show(&deed) }
        }
        for revision in chosen.into_iter().rev() {
            self.read(revision)?.iter().for_each(&mut show);
        }
        Ok(())
    }

    /// The next revision to look at, from the newest on.
    fn next(&mut self) -> Option<Revision> {
        match &mut self.candidates {
            Candidates::These(these) => these.pop_back(),
            Candidates::Span(first, last) => {
                let revision = Revision::new(*last);
                let is_there = last >= first && *last > 0;
                *last = last.saturating_sub(1);
                is_there.then_some(revision)
            }
        }
    }

    fn read(&self, revision: Revision) -> Result<Option<Deed>, Refusal> {
        self.history.record(revision).map(|record| record.map(deed)).map_err(|error| fault(&error))
    }
}
