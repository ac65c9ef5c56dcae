//! The past, answered from the journal: `history`, `diff`, `explain`, `undo`, and any question as of
//! an earlier state (`--at`).
//!
//! What is said is decided in `mn_core::past` and `mn_core::past::undo`; here the journal is read
//! for it. Old states are made backwards from the newest model, so that they cost what was changed
//! since, and the last few are kept for a moment (`store::States`); the histories of single rows are
//! walked along their chains (`store::history`).
//! Everything here blocks on the disk and runs on threads that may.

mod ask;
mod keep;
mod pace;
mod show;
mod take;

use std::sync::Arc;

use common::id::Revision;
use common::report::{Refusal, chain};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mn_core::command::When;
use mn_core::model::Model;
use mn_core::past::Deed;
use mn_core::past::explain::Setter;
use mn_core::table::{RowKey, TableId};

pub(crate) use self::ask::{at, diff, explain, history, revisions};
pub(crate) use self::keep::{forget, keep};
pub(crate) use self::take::undo;
use crate::store::{Brief, History, Record, States, StoreError, Walk};

/// The state that an operator means; none where that is not known.
///
/// # Errors
/// When it is in the future, or forgotten.
fn revision(history: &History, now: &Model, when: When) -> Result<Revision, Refusal> {
    let newest = now.revision();
    let oldest = history.oldest().map_err(|error| fault(&error))?;
    // The oldest record says what was before it.
    let first = oldest.value().saturating_sub(1).max(1);
    match when {
        When::Revision(number) if number > newest.value() => {
            Err(Refusal::new(format!("there is no revision {number} yet"))
                .because(format!("the newest is {newest}"))
                .attempt("mn history, to see the newest"))
        }
        When::Revision(number) if number < first => {
            Err(forgotten(history, oldest, &format!("revision {number}")))
        }
        When::Revision(number) => Ok(Revision::new(number)),
        When::Time(time) if time > runtime::clock::unix_seconds() => {
            Err(Refusal::new(format!("{} is in the future", local(time)))
                .because("only what was can be looked at")
                .attempt("--at 1h, for an hour ago"))
        }
        When::Time(time) => {
            let found = history.at_time(time, newest).map_err(|error| fault(&error))?;
            if found < oldest { Err(forgotten(history, oldest, &local(time))) } else { Ok(found) }
        }
    }
}

/// Says that the history does not go back so far.
fn forgotten(history: &History, oldest: Revision, what: &str) -> Refusal {
    let refusal = Refusal::new(format!("the history does not go back to {what}"));
    match history.brief(oldest) {
        Ok(Some(brief)) => refusal.because(format!("it begins at revision {oldest}, {}", local(brief.at))),
        _ => refusal.because(format!("it begins at revision {oldest}")),
    }
    .attempt(format!("mn history {oldest}.. --reverse, to see its beginning"))
}

/// The journal cannot be read.
fn fault(error: &StoreError) -> Refusal {
    Refusal::new("the history cannot be read")
        .because(chain(error))
        .attempt("mn history --prune REVISION, of one behind the damage; definitions are not concerned")
}

/// The model as it was.
fn model(states: &States, history: &History, now: &Arc<Model>, when: When) -> Result<Arc<Model>, Refusal> {
    let revision = revision(history, now, when)?;
    states.at(now, revision, |from, to| history.between(from, to)).map_err(|error| fault(&error))
}

/// A time in the daemon's zone.
fn local(at: u64) -> String {
    times("", false)(at)
}

/// Times as they are shown in a zone, the daemon's where it is not known: to the second and without
/// the zone for people, by RFC 3339 for programs.
fn times(zone: &str, is_json: bool) -> impl Fn(u64) -> String + use<> {
    let zone = TimeZone::get(zone).unwrap_or_else(|_| TimeZone::system());
    move |at| {
        let time = Timestamp::from_second(i64::try_from(at).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX);
        let form = if is_json { "%Y-%m-%dT%H:%M:%S%:z" } else { "%Y-%m-%d %H:%M:%S" };
        time.to_zoned(zone.clone()).strftime(form).to_string()
    }
}

fn deed(record: Record) -> Deed {
    let Record { revision, at, author, words, note, edits, .. } = record;
    Deed { revision, at, author, words, note, rows: edits.len(), edits }
}

/// The same, of which only what stands before the edits was read.
fn deed_in_brief(brief: Brief) -> Deed {
    let Brief { revision, at, author, words, note, rows } = brief;
    Deed { revision, at, author, words, note, rows, edits: Vec::new() }
}

/// The transaction that gave a cell its value, as it was at `newest`; a whole row where the column
/// is none of the table's.
fn setter(
    walk: &mut Walk<'_>,
    (table, key, column): (TableId, &RowKey, &str),
    newest: Revision,
) -> Result<Option<Setter>, StoreError> {
    walk.find(table, key, newest, |touch| {
        let [before, after] =
            [&touch.before, &touch.after].map(|row| row.as_ref().and_then(|row| row.cell(column)));
        let came_or_went = touch.before.is_some() != touch.after.is_some();
        let is_it = if column.is_empty() { came_or_went } else { before != after };
        is_it.then(|| {
            let record = &touch.record;
            let words = record.words.clone();
            Setter {
                revision: record.revision.value(),
                at: record.at,
                author: record.author.clone(),
                command: Deed { words, ..Deed::default() }.command(),
            }
        })
    })
}
