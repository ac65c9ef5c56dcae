//! Changes of rows as they stand: `tabrestore`, `tabedit`, `restorexCATdb`, `chtab`, `tabch`,
//! `tabprune`.
//!
//! Each is all or nothing. The rules of the model hold here too, but not as strictly as for
//! definitions (`Findings::leniently`): scripts write tables one after the other and in any order,
//! xCAT takes anything, and the model leaves out what it cannot read; so that is a warning. What
//! would make a service node answer wrongly is refused.
//!
//! Drover's own tables say what has happened (who joined, which epoch a node is in), and are changed
//! by no command here but a full restore.

mod prune;
mod restore;
mod sheet;
mod tabch;

use serde_json::json;

pub(crate) use self::prune::plan as prune;
pub(crate) use self::restore::{database, table};
pub use self::sheet::rebased;
pub(crate) use self::tabch::plan as tabch;
use super::Outcome;
use super::verify::{preview, text};
use crate::command::Mode;
use crate::draft::{Draft, merged};
use crate::model::{Model, check};
use crate::table::schema::AUDITLOG;
use crate::table::{Edit, TableId};
use crate::talk::{Context, Talk};

/// Ends a plan: what the draft has become is checked and taken as a whole, unless something was
/// refused before. `say` says what was done.
fn conclude(
    model: &Model,
    mode: Mode,
    draft: Draft,
    mut talk: Talk<'_>,
    context: &Context,
    say: impl FnOnce(&mut Talk<'_>),
) -> Outcome {
    if talk.status() != 0 {
        return talk.finish(None);
    }
    let edits = merged(draft.edits().to_vec());
    let findings = check::change(model, draft.model(), &edits).leniently();
    findings.warnings.iter().for_each(|warning| talk.warn(&text(warning)));
    if !findings.refusals.is_empty() {
        findings.refusals.iter().for_each(|refusal| talk.error(&text(refusal)));
        talk.error("Nothing is changed: a table command changes everything or nothing.");
        return talk.finish(None);
    }
    let change = draft.finish();
    if mode.dry_run {
        return preview(&change, talk, context);
    }
    say(&mut talk);
    summary(change.edits(), &mut talk);
    talk.finish(Some(change).filter(|change| !change.is_empty()))
}

/// How many rows of each table changed, for programs; people hear nothing, as from xCAT.
fn summary(edits: &[Edit], talk: &mut Talk<'_>) {
    for rows in edits.chunk_by(|a, b| a.table == b.table) {
        let Some(first) = rows.first() else { continue };
        let count = |is: fn(&Edit) -> bool| rows.iter().filter(|edit| is(edit)).count();
        let added = count(|edit| edit.before.is_none());
        let removed = count(|edit| edit.after.is_none());
        talk.record(|| {
            json!({
                "table": first.table.name(),
                "added": added,
                "changed": rows.len() - added - removed,
                "removed": removed,
            })
        });
    }
}

/// Why a table is not changed by hand; none where it is.
fn why_not(table: TableId) -> Option<String> {
    if table == AUDITLOG {
        return Some(format!("Table {table} says who did what, and nobody writes it; tabprune shortens it."));
    }
    table.table().own.then(|| {
        format!(
            "Table {table} is Drover's own: it says what has happened and is not changed by hand. \
             restorexCATdb --full restores it with all others."
        )
    })
}

/// Whether a table is a log, whose rows are numbered.
fn is_log(table: TableId) -> bool {
    table.table().key.as_slice() == ["recid"]
}

#[cfg(test)]
mod tests;
