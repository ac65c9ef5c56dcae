//! `tabrestore`, `tabedit` and `restorexCATdb`: rows from files.

use std::collections::BTreeSet;

use super::sheet::{self, DATABASE, Keyed};
use super::{conclude, is_log, why_not};
use crate::change::diff::differences;
use crate::change::{Outcome, ownership};
use crate::command::{Given, How, RestoreDb, Tabrestore};
use crate::csv::Sheet;
use crate::draft::Draft;
use crate::model::Model;
use crate::moves;
use crate::table::schema::{AUDITLOG, FILE, MOVE, MOVENODE, OWNERSHIP};
use crate::table::{Edit, Row, RowKey, TableId};
use crate::talk::{Context, Talk};

/// What is to be written.
type Write = (TableId, RowKey, Option<Row>);

/// How many rows that somebody else changed are worth naming.
const CONFLICTS: usize = 20;

/// Plans `tabrestore`.
pub(crate) fn table(model: &Model, args: &Tabrestore, context: &Context) -> Outcome {
    let mut talk = Talk::new(context);
    let mut draft = Draft::new(model);
    if let Some(sheet) = content(&args.file, false, "", &mut talk)
        && let Some(writes) = writes(model, sheet, &args.how, "", &mut talk)
    {
        draft.put_all(writes);
    }
    conclude(model, args.mode, draft, talk, context, |_| {})
}

/// Plans `restorexCATdb`: every table of the folder, or none.
pub(crate) fn database(model: &Model, args: &RestoreDb, context: &Context) -> Outcome {
    let mut talk = Talk::new(context);
    let mut draft = Draft::new(model);
    let skipped: Vec<&str> = model.site("skiptables").unwrap_or_default().split(',').collect();
    let mut all = Vec::new();
    let mut restored = Vec::new();
    for file in &args.files {
        let name = file.table.as_str();
        let is_log = is_skipped(args, name);
        if is_log || skipped.contains(&name) {
            if args.verbose {
                // xCAT names the file of a log, and the table of what the site leaves out.
                talk.info(format!("Skipping {name}{}\n", if is_log { ".csv" } else { "" }));
            }
            continue;
        }
        let label = format!("{name}.csv: ");
        let table = TableId::named(name);
        if table.is_err() {
            talk.warn(&format!("{name}.csv is left out: there is no table {name} here"));
            continue;
        }
        if let Some(sheet) = content(file, args.full, &label, &mut talk)
            && let Some(writes) = writes(model, sheet, &How::Replace, &label, &mut talk)
        {
            restored.push(name);
            all.extend(writes);
        }
    }
    if all.iter().any(|(table, _, _)| matches!(*table, MOVE | MOVENODE))
        && !moves::all_under_way(model).is_empty()
    {
        talk.error("A move of nodes is under way: wait until lsslice and snmove are done, then restore.");
    }
    draft.put_all(all);
    let kept = epochs(model, draft.model());
    draft.put_all(kept);
    if talk.status() != 0 {
        talk.error("Nothing is restored: all tables are restored or none.");
    }
    conclude(model, args.mode, draft, talk, context, |talk| {
        if args.verbose {
            restored.iter().for_each(|name| talk.info(format!("Restoring {name}.csv.")));
        }
        talk.info("Restore of Database Complete.");
    })
}

/// Whether a table is no part of a restore: the logs without `-a`, what xCAT never restores,
/// Drover's own without `--full`. The list of files is made anew from the tree, and would be wrong.
fn is_skipped(args: &RestoreDb, name: &str) -> bool {
    let own = TableId::named(name).is_ok_and(|table| table.table().own);
    !args.all && matches!(name, "auditlog" | "eventlog")
        // What was done here was not done there.
        || name == AUDITLOG.name()
        || name.starts_with("x_teal")
        || name.starts_with("isnm_perf")
        || own && !args.full
        || name == FILE.name()
}

/// The rows of a file; what is wrong with it is said. Drover's own tables are restored by `full`
/// alone. `label` goes before what is said.
fn content<'a>(file: &'a Given, full: bool, label: &str, talk: &mut Talk<'_>) -> Option<&'a Sheet> {
    let unable = format!("Unable to open {}", file.table);
    match (TableId::named(&file.table), &file.content) {
        (Ok(table), _) if !full && let Some(why) = why_not(table) => talk.error_as(&why, 1),
        (Ok(table), Ok(Some(sheet))) if sheet.table == table => return Some(sheet),
        (Ok(_), Err(errors)) => {
            errors.iter().for_each(|error| talk.error_as(&format!("{label}{error}"), error.status()));
        }
        _ => talk.error_as(&unable, DATABASE),
    }
    None
}

/// What a file makes of a table; none where it cannot be taken.
fn writes(model: &Model, sheet: &Sheet, how: &How, label: &str, talk: &mut Talk<'_>) -> Option<Vec<Write>> {
    let table = sheet.table;
    let (last, renumbered);
    let next = match how {
        // What is in a log keeps its number; what comes to it gets the next ones.
        How::Add if is_log(table) => {
            last = model.tables().rows(table).filter_map(|(_, row)| sheet::recid(row)).max();
            last.map_or(1, |last| last.saturating_add(1))
        }
        _ => 1,
    };
    let sheet = match how {
        How::Add if is_log(table) => {
            renumbered = unnumbered(sheet);
            &renumbered
        }
        _ => sheet,
    };
    let rows = sheet::keyed(sheet, next, label, talk)?;
    match how {
        How::Replace => {
            let gone = model.tables().rows(table).filter(|(key, _)| !rows.contains_key(*key));
            let gone: Vec<Write> = gone.map(|(key, _)| (table, key.clone(), None)).collect();
            Some(gone.into_iter().chain(rows.into_iter().map(|(key, row)| (table, key, Some(row)))).collect())
        }
        How::Add => Some(rows.into_iter().map(|(key, row)| added(model, sheet, key, row)).collect()),
        How::Edit(dump) => edited(model, table, &sheet::keyed(dump, 1, label, talk)?, rows, talk),
    }
}

/// The rows of a log without their numbers.
fn unnumbered(sheet: &Sheet) -> Sheet {
    let mut sheet = sheet.clone();
    sheet.records.iter_mut().for_each(|record| record.row.put("recid", ""));
    sheet
}

/// A row of the file on top of the one that is there.
fn added(model: &Model, sheet: &Sheet, key: RowKey, row: Row) -> Write {
    let row = match model.tables().row(sheet.table, key.as_str()) {
        None => row,
        Some(there) => sheet
            .columns
            .iter()
            .fold(there.clone(), |there, column| there.with(column, row.cell(column).unwrap_or_default())),
    };
    (sheet.table, key, Some(row))
}

/// What an editor changed, where nobody else did.
fn edited(
    model: &Model,
    table: TableId,
    dump: &Keyed,
    rows: Keyed,
    talk: &mut Talk<'_>,
) -> Option<Vec<Write>> {
    let gone = dump.keys().filter(|key| !rows.contains_key(*key)).cloned();
    let gone: Vec<(RowKey, Option<Row>)> = gone.map(|key| (key, None)).collect();
    let wanted = gone.into_iter().chain(rows.into_iter().map(|(key, row)| (key, Some(row))));
    let mut writes = Vec::new();
    let mut conflicts = 0;
    for (key, row) in wanted.filter(|(key, row)| dump.get(key) != row.as_ref()) {
        let before = dump.get(&key);
        let now = model.tables().row(table, key.as_str());
        if now == before || now == row.as_ref() {
            writes.push((table, key, row));
            continue;
        }
        if conflicts < CONFLICTS {
            let edit = Edit { table, key, before: before.cloned(), after: now.cloned() };
            talk.error(&conflict(&edit));
        }
        conflicts += 1;
    }
    if conflicts > CONFLICTS {
        talk.error(&format!("{} more rows were changed meanwhile.", conflicts - CONFLICTS));
    }
    (conflicts == 0).then_some(writes)
}

/// How somebody else changed a row.
fn conflict(edit: &Edit) -> String {
    let edits = std::slice::from_ref(edit);
    let changes: Vec<String> = differences(edits).iter().map(|difference| difference.text()).collect();
    let what = match (&edit.before, &edit.after) {
        (_, None) => "removed",
        (None, _) => "made",
        _ => "changed",
    };
    format!("Row {} was {what} by somebody else meanwhile:\n  {}", edit.key, changes.join("\n  "))
}

/// The epochs that a restore must not lower: agents obey none below the one that they have seen. A
/// node that gets another owner by the restore gets a new one too, unless the file's is new enough.
fn epochs(before: &Model, after: &Model) -> Vec<Write> {
    let row = |model: &Model, key: &RowKey| model.tables().row(OWNERSHIP, key.as_str()).cloned();
    let keys = |model: &Model| model.tables().rows(OWNERSHIP).map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let all: BTreeSet<RowKey> = keys(before).into_iter().chain(keys(after)).collect();
    let mut writes = Vec::new();
    for key in all {
        let (was, restored) = (row(before, &key), row(after, &key));
        let least = ownership::epoch(was.as_ref())
            + u64::from(ownership::is_handed_over(before, after, key.as_str()));
        let is_too_low = restored.is_none() || ownership::epoch(restored.as_ref()) < least;
        if was != restored && is_too_low {
            let row = restored.or(was).unwrap_or_default().with("epoch", &least.to_string());
            writes.push((OWNERSHIP, key, Some(row)));
        }
    }
    writes
}
