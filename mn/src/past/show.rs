//! Which revisions `history` shows, and between them which commands that made none.
//!
//! Both come newest first: the journal by its numbers, the audit log entry by entry, each placed
//! behind the newest revision that it saw. Nothing is held but what is shown.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::iter::Peekable;

use common::id::Revision;
use common::report::Refusal;
use mn_core::audit::Entry;
use mn_core::command::{History as Asked, When};
use mn_core::model::Model;
use mn_core::past::search::Filter;
use mn_core::past::{Deed, Names};

use super::ask::touching;
use super::pace::Pace;
use super::{deed, deed_in_brief, fault, forgotten, revision};
use crate::audit::Back;
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

/// What is shown.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A revision, with what the audit log has of its command.
    Deed(Box<Deed>, Option<Box<Entry>>),
    /// A command that made none, or none that is kept.
    Given(Box<Entry>),
}

/// The same, kept until all are chosen: the revision is read again.
enum Kept {
    Deed(Revision, Option<Box<Entry>>),
    Given(Box<Entry>),
}

/// The revisions and commands that are asked for.
pub(super) struct Chosen<'a> {
    history: &'a History,
    args: &'a Asked,
    filter: Filter<'a>,
    /// The revisions to look at, from either end.
    candidates: Candidates,
    /// The audit log, where it is asked about.
    log: Option<Peekable<Log>>,
    /// Of revisions that are still to come, what the audit log has.
    made: HashMap<u64, Box<Entry>>,
    /// How many revisions there were to look at.
    total: u64,
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
        now: &'a Model,
        (args, server): (&'a Asked, &'a str),
        names: Option<&'a Names>,
        log: Option<Back>,
        pace: &mut Pace,
    ) -> Result<Self, Refusal> {
        let (first, last) = span(history, now, args)?;
        let candidates = match names.filter(|names| names.iter().count() <= WALKED) {
            Some(names) => {
                let found =
                    touching(history, now, names, (first, last), pace).map_err(|error| fault(&error))?;
                Candidates::These(found.into_iter().collect())
            }
            None => Candidates::Span(first.value(), last.value()),
        };
        let filter = Filter::new(args, names, now, server);
        let log = log.map(|back| Log { back, seen: u64::MAX }.peekable());
        let total = candidates.len();
        Ok(Self { history, args, filter, candidates, log, made: HashMap::new(), total })
    }

    /// Shows each, the newest first or, where that is asked for, the oldest of the newest.
    ///
    /// # Errors
    /// When the journal or the audit log cannot be read.
    pub(super) fn each(mut self, pace: &mut Pace, mut show: impl FnMut(&Event)) -> Result<(), Refusal> {
        let count = self.args.count.unwrap_or(u64::MAX);
        let mut chosen = Vec::new();
        let mut shown = 0;
        while shown < count
            && let Some(event) = self.next(pace)?
        {
            shown += 1;
            match event {
                event if !self.args.reverse => show(&event),
                Event::Deed(deed, entry) => chosen.push(Kept::Deed(deed.revision, entry)),
                Event::Given(entry) => chosen.push(Kept::Given(entry)),
            }
        }
        for kept in chosen.into_iter().rev() {
            match kept {
                Kept::Given(entry) => show(&Event::Given(entry)),
                Kept::Deed(revision, entry) => {
                    let deed = self.read(revision)?.map(Box::new);
                    deed.into_iter().for_each(|deed| show(&Event::Deed(deed, entry.clone())));
                }
            }
        }
        Ok(())
    }

    /// The next that is to be shown, from the newest on.
    fn next(&mut self, pace: &mut Pace) -> Result<Option<Event>, Refusal> {
        loop {
            if !pace.at(self.total - self.candidates.len(), self.total) {
                return Ok(None);
            }
            let revision = self.candidates.newest();
            if let Some(entry) = self.logged(revision)? {
                let is_shown_as_deed = entry.made.iter().any(|made| self.candidates.has(*made));
                for made in &entry.made {
                    self.made.insert(*made, entry.clone());
                }
                if !is_shown_as_deed && self.filter.holds_command(&entry) {
                    return Ok(Some(Event::Given(entry)));
                }
                continue;
            }
            let Some(revision) = revision else { return Ok(None) };
            self.candidates.drop_newest();
            let entry = self.made.remove(&revision.value());
            let Some(deed) = self.read(revision)? else { continue };
            if self.filter.holds(&deed, entry.as_deref()) {
                return Ok(Some(Event::Deed(Box::new(deed), entry)));
            }
            // A refused change has a revision and changed nothing; what it was about, its words say.
            if let Some(entry) = entry.filter(|_| deed.rows == 0)
                && self.filter.holds_command(&entry)
            {
                return Ok(Some(Event::Given(entry)));
            }
        }
    }

    /// The next entry of the audit log, where it comes before this revision.
    fn logged(&mut self, revision: Option<Revision>) -> Result<Option<Box<Entry>>, Refusal> {
        let Some(log) = &mut self.log else { return Ok(None) };
        let is_newer = |entry: &io::Result<Box<Entry>>| {
            entry.as_ref().map_or(true, |entry| revision.is_none_or(|r| entry.seen >= r.value()))
        };
        let entry = log.next_if(is_newer).transpose();
        entry.map_err(|error| Refusal::new("the audit log cannot be read").because(error.to_string()))
    }

    fn read(&self, revision: Revision) -> Result<Option<Deed>, Refusal> {
        let read = match self.filter.needs_edits() {
            true => self.history.record(revision).map(|record| record.map(deed)),
            false => self.history.brief(revision).map(|brief| brief.map(deed_in_brief)),
        };
        read.map_err(|error| fault(&error))
    }
}

/// The first and the last revision that may be shown.
fn span(history: &History, now: &Model, args: &Asked) -> Result<(Revision, Revision), Refusal> {
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
    Ok((first, last))
}

impl Candidates {
    /// The newest that is left.
    fn newest(&self) -> Option<Revision> {
        match self {
            Self::These(these) => these.back().copied(),
            Self::Span(first, last) => (last >= first && *last > 0).then_some(Revision::new(*last)),
        }
    }

    /// How many are left.
    fn len(&self) -> u64 {
        match self {
            Self::These(these) => these.len() as u64,
            Self::Span(first, last) => (last + 1).saturating_sub(*first),
        }
    }

    fn drop_newest(&mut self) {
        match self {
            Self::These(these) => drop(these.pop_back()),
            Self::Span(_, last) => *last = last.saturating_sub(1),
        }
    }

    /// Whether a revision is among those that are left.
    fn has(&self, revision: u64) -> bool {
        match self {
            Self::These(these) => these.binary_search(&Revision::new(revision)).is_ok(),
            Self::Span(first, last) => (*first..=*last).contains(&revision),
        }
    }
}

/// The audit log, newest first; an entry that does not know what it saw saw what the one after it did.
struct Log {
    back: Back,
    seen: u64,
}

impl Iterator for Log {
    type Item = io::Result<Box<Entry>>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.back.next()?.map(|mut entry| {
            // Never rises on the way back, whatever stands there.
            self.seen = if entry.seen == 0 { self.seen } else { entry.seen.min(self.seen) };
            entry.seen = self.seen;
            Box::new(entry)
        });
        Some(entry)
    }
}
