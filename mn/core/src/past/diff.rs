//! `diff`: what is different between two states, one line a cell.

use common::report::Refusal;

use super::{Names, is_bookkeeping};
use crate::change::cell_differences;
use crate::command::Diff;
use crate::table::schema::TABLES;
use crate::table::{Edit, TableId, nearest};
use crate::talk::{Context, Line};

/// The tables of these names.
///
/// # Errors
/// When there is no such table.
pub fn tables(names: &[String]) -> Result<Vec<TableId>, Refusal> {
    let named = |name: &String| {
        TableId::named(name).map_err(|error| {
            let close = nearest::names(name, TABLES.iter().map(|table| table.name));
            let refusal = Refusal::new(error.to_string());
            if close.is_empty() {
                refusal.attempt("tabdump, to see the names of all tables")
            } else {
                refusal.attempt(close.join(", "))
            }
        })
    };
    names.iter().map(named).collect()
}

/// Shows edits that lead from one state to another, each row once; gives how many cells differ.
pub fn show(
    edits: &[Edit],
    args: &Diff,
    names: Option<&Names>,
    context: &Context,
    out: &mut dyn FnMut(Line),
) -> usize {
    let is_wanted = |edit: &&Edit| {
        (args.tables.is_empty() || args.tables.iter().any(|table| edit.table.name() == table))
            && names.is_none_or(|names| names.has(edit))
    };
    let is_named = |edit: &Edit| args.tables.iter().any(|table| edit.table.name() == table);
    let mut count = 0;
    for edit in edits.iter().filter(is_wanted) {
        for (column, difference) in cell_differences(edit) {
            if !args.all && !is_named(edit) && is_bookkeeping(edit.table, column) {
                continue;
            }
            count += 1;
            out(match context.view.json {
                true => Line::Record(difference.record()),
                false => Line::Out(difference.text()),
            });
        }
    }
    count
}
