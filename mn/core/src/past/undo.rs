//! `undo`: takes revisions back, as a new change through the one road.
//!
//! What is taken back is what was said, cell by cell: the cells that the revisions changed become what
//! they were before the first of them. Where a later revision changed one of these cells, or gave
//! more to a row that they had made, everything is refused, and that revision is named; so an undo
//! never takes back more than it says. What the daemon keeps for itself (status, epochs, tokens) stands
//! in nobody's way and is not taken back: epochs only rise, and a certificate that was revoked stays
//! so.
//!
//! A move (`snmove`) is no edit of definitions alone: service nodes fell silent and agents were told.
//! Its revisions are refused; the way back is a move back.

use std::collections::{BTreeMap, BTreeSet};

use common::report::Refusal;

use crate::change::{Outcome, attribute_name, differences, verify};
use crate::command::Undo;
use crate::draft::{Change, Draft, merged};
use crate::model::{Model, check};
use crate::past::diff::Stat;
use crate::past::explain::Setter;
use crate::past::{Deed, is_bookkeeping};
use crate::table::schema::{MEMBER, MOVE, MOVENODE, NODELIST};
use crate::table::scope;
use crate::table::{Edit, Row, RowKey, TableId};
use crate::talk::{Context, Line, Talk};

/// How many reasons of one refusal are worth saying.
const SAID: usize = 20;

/// Of how many cells that were changed since it is looked up who did it, so that a refusal is not
/// longer in coming than the change: seconds where every node of a large site is concerned.
const LOOKED_UP: usize = 10_000;

/// Finds who changed a cell last.
type Later<'a> = &'a mut dyn FnMut(TableId, &RowKey, &str) -> Option<Setter>;

/// Plans taking back these transactions, which are all of a range, oldest first. `later` finds who
/// changed a cell last.
pub fn plan(model: &Model, args: &Undo, deeds: &[Deed], context: &Context, later: Later<'_>) -> Outcome {
    if let Some(refusal) = deeds.iter().find_map(of_move) {
        return Outcome::refused("undo", &[refusal]);
    }
    let edits = merged(deeds.iter().flat_map(|deed| deed.edits.iter().cloned()).collect());
    let mut draft = Draft::new(model);
    let conflicts: Vec<Conflict<'_>> =
        edits.iter().filter_map(|edit| take_back(&mut draft, edit).err()).collect();
    if !conflicts.is_empty() {
        return Outcome::refused("undo", &said(&conflicts, later));
    }
    let after = draft.model().clone();
    let change = draft.finish();
    if change.is_empty() {
        return Outcome::refused("undo", &[nothing(deeds, &edits)]);
    }
    let findings = check::change(model, &after, change.edits());
    if !findings.refusals.is_empty() {
        return Outcome::refused("undo", &shortened(findings.refusals));
    }
    let mut outcome = conclude(model, args, change, deeds, context);
    let warnings = findings.warnings.iter().map(|warning| warning.render("undo: warning"));
    let lost = edits.iter().filter(|edit| edit.table == MEMBER && edit.after.is_none());
    let lost = lost.map(|edit| {
        let name = edit.key.parts().nth(1).unwrap_or_default();
        format!("undo: {name}: its certificate was revoked and stays so; it has to join anew")
    });
    outcome.lines.extend(warnings.chain(lost).map(Line::Err));
    outcome
}

/// Why a step of a move is not taken back.
fn of_move(deed: &Deed) -> Option<Refusal> {
    let mut edits = deed.edits.iter();
    edits.any(|edit| matches!(edit.table, MOVE | MOVENODE)).then(|| {
        Refusal::new(format!("revision {} is a step of a move and is not taken back", deed.revision))
            .because("service nodes and agents have followed it; rows alone would not bring them back")
            .attempt(format!("move the nodes back with snmove; this was: {}", deed.command()))
    })
}

/// A cell that stands in the way: it is not what the revisions left.
#[derive(Debug)]
struct Conflict<'a> {
    edit: &'a Edit,
    /// Empty where the whole row came or went since.
    column: &'static str,
    /// What stands there now.
    now: Option<String>,
}

/// Writes what was there before one merged edit, as far as it still stands.
fn take_back<'a>(draft: &mut Draft, edit: &'a Edit) -> Result<(), Conflict<'a>> {
    let (table, key) = (edit.table, &edit.key);
    if table.table().own {
        return Ok(());
    }
    let now = draft.model().tables().row(table, key.as_str()).cloned();
    let (was, became) = (cells(edit.before.as_ref(), table), cells(edit.after.as_ref(), table));
    let is = cells(now.as_ref(), table);
    if is == was && now.is_some() == edit.before.is_some() {
        return Ok(());
    }
    // Of a row that came or went every cell counts, else those that were changed.
    let whole = edit.before.is_some() != edit.after.is_some();
    let columns: Vec<&'static str> = table
        .table()
        .columns
        .iter()
        .map(|column| column.name)
        .filter(|c| !is_bookkeeping(table, c))
        .collect();
    let concerned = columns.iter().filter(|c| whole || was.get(*c) != became.get(*c));
    let changed: Vec<&'static str> = concerned
        .filter(|column| is.get(*column) != became.get(*column) && is.get(*column) != was.get(*column))
        .copied()
        .collect();
    if !changed.is_empty()
        || (now.is_some() != edit.after.is_some() && now.is_some() != edit.before.is_some())
    {
        let column = changed.first().copied().unwrap_or_default();
        return Err(Conflict { edit, column, now: is.get(column).map(|now| (*now).to_owned()) });
    }
    match &edit.before {
        None => draft.remove_row(table, key),
        Some(before) if now.is_none() => draft.put_row(table, key, without_reports(before, table)),
        Some(_) => {
            for column in columns.iter().filter(|c| was.get(*c) != became.get(*c)) {
                draft.set(table, key, column, was.get(column).copied().unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// The cells of a row that are definitions.
fn cells(row: Option<&Row>, table: TableId) -> BTreeMap<&str, &str> {
    let cells = row.into_iter().flat_map(Row::cells);
    cells.filter(|(column, _)| !is_bookkeeping(table, column)).collect()
}

/// A row as it was defined: what a node had reported before it was removed is no longer so.
fn without_reports(row: &Row, table: TableId) -> Row {
    if table != NODELIST {
        return row.clone();
    }
    row.cells().filter(|(column, _)| !is_bookkeeping(table, column)).collect()
}

/// What stands in the way, the first of it by itself, and which revisions are to be taken back first.
fn said(conflicts: &[Conflict<'_>], later: Later<'_>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut revisions = BTreeSet::new();
    for (at, conflict) in conflicts.iter().take(LOOKED_UP).enumerate() {
        let by = later(conflict.edit.table, &conflict.edit.key, conflict.column);
        revisions.extend(by.iter().map(|by| by.revision));
        if at < SAID {
            refusals.push(conflict.refusal(by));
        }
    }
    let more = conflicts.len().saturating_sub(SAID);
    if more > 0 {
        refusals.push(Refusal::new(format!("and {more} more like these")));
    }
    if conflicts.len() > 1 && !revisions.is_empty() {
        let newest_first: Vec<String> =
            revisions.iter().rev().take(SAID).map(|revision| format!("undo {revision}")).collect();
        let count = conflicts.len();
        let s = if revisions.len() == 1 { "" } else { "s" };
        let names: Vec<String> = revisions.iter().take(SAID).map(ToString::to_string).collect();
        let dots = if revisions.len() > SAID { ", …" } else { "" };
        let refusal = Refusal::new(format!("nothing is taken back: {count} values were changed since"))
            .because(format!("revision{s} {}{dots} did it", names.join(", ")));
        refusals.push(refusal.attempt(newest_first.join(" && ")));
    }
    refusals
}

impl Conflict<'_> {
    fn refusal(&self, by: Option<Setter>) -> Refusal {
        let Self { edit, column, now } = self;
        let cell = if column.is_empty() { edit.table.to_string() } else { attribute_name(edit, column) };
        let now = match now {
            None => "it is not set any more".to_owned(),
            // A refusal is kept, and read by others.
            Some(_) if scope::is_secret(edit.table, edit.key.as_str(), column) => "it is another".to_owned(),
            Some(now) => format!("it is {now:?} now"),
        };
        let refusal = Refusal::new(format!("{cell} was changed since: {now}")).about(&edit.key);
        match by {
            Some(Setter { revision, author, command, .. }) => {
                refusal.because(format!("revision {revision} did it ({author}: {command})")).attempt(format!(
                    "undo {revision} first; undo {revision} --dry-run shows what that takes back"
                ))
            }
            None => refusal.attempt(format!("mn history -o {}, to see who did", edit.key)),
        }
    }
}

fn shortened(mut refusals: Vec<Refusal>) -> Vec<Refusal> {
    let more = refusals.len().saturating_sub(SAID);
    refusals.truncate(SAID);
    if more > 0 {
        refusals.push(Refusal::new(format!("and {more} more like these")));
    }
    refusals
}

/// Why there is nothing to take back.
fn nothing(deeds: &[Deed], edits: &[Edit]) -> Refusal {
    let refusal = Refusal::new("there is nothing to take back");
    let note = deeds.iter().map(|deed| deed.note.as_str()).find(|note| !note.is_empty());
    match (edits.is_empty(), note) {
        (true, Some(note)) => refusal.because(format!("it changed nothing: {note}")),
        (true, None) => refusal.because("it changed nothing"),
        (false, _) if edits.iter().all(|edit| edit.table.table().own) => {
            refusal.because("it only changed what the daemon keeps for itself")
        }
        (false, _) => refusal.because("everything is as it was before already"),
    }
}

fn conclude(model: &Model, args: &Undo, change: Change, deeds: &[Deed], context: &Context) -> Outcome {
    let mut talk = Talk::new(context);
    if args.mode.dry_run && args.stat {
        let stat = Stat::of(change.edits(), true);
        stat.lines().into_iter().for_each(|text| talk.info(text));
        stat.records().into_iter().for_each(|record| talk.record(|| record));
        return talk.finish(None);
    }
    if args.mode.dry_run {
        return verify::preview(&change, talk, context);
    }
    // The revision that this becomes: a plan is committed on the model that it was made on.
    let revision = model.revision().next();
    let values = differences(change.edits()).len();
    let which = match (deeds.first(), deeds.last()) {
        (Some(first), Some(last)) if first.revision != last.revision => {
            format!("Revisions {} to {} are", first.revision, last.revision)
        }
        (first, _) => format!("Revision {} is", first.map(|deed| deed.revision).unwrap_or_default()),
    };
    let s = if values == 1 { "" } else { "s" };
    talk.info(format!("{which} taken back by revision {revision}: {values} value{s}."));
    talk.record(|| {
        let revisions: Vec<u64> = deeds.iter().map(|deed| deed.revision.value()).collect();
        serde_json::json!({"undone": revisions, "revision": revision.value(), "values": values})
    });
    talk.finish(Some(change))
}

#[cfg(test)]
mod tests;
