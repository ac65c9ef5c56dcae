//! `tabprune`: the oldest rows of a log, or all rows of any table.

use super::sheet::{self, DATABASE};
use super::{conclude, is_log, why_not};
use crate::change::Outcome;
use crate::command::{Prune, Tabprune};
use crate::csv;
use crate::draft::Draft;
use crate::model::Model;
use crate::table::schema::AUDITLOG;
use crate::table::{Row, RowKey, TableId};
use crate::talk::{Context, Talk};

/// Plans `tabprune`.
pub(crate) fn plan(model: &Model, args: &Tabprune, context: &Context) -> Outcome {
    let mut talk = Talk::new(context);
    let mut draft = Draft::new(model);
    if let Some(table) = table(args, &mut talk) {
        let rows = chosen(model, table, &args.which);
        let count_from_last = matches!(args.which, Prune::Oldest(_) | Prune::Percent(_));
        if model.tables().count(table) == 0 && count_from_last {
            talk.info(format!("Nothing to prune from {table}."));
        }
        if args.verbose {
            show(table, &rows, &mut talk);
        }
        draft.put_all(rows.into_iter().map(|(key, _)| (table, key.clone(), None)));
    }
    conclude(model, args.mode, draft, talk, context, |talk| {
        if !args.verbose {
            talk.info(format!("tabprune of {} complete.", args.table));
        }
    })
}

/// The table, where it may be pruned so.
fn table(args: &Tabprune, talk: &mut Talk<'_>) -> Option<TableId> {
    let name = args.table.as_str();
    let is_log_name = matches!(name, "auditlog" | "eventlog");
    if !is_log_name && args.which != Prune::All {
        let why = match args.which {
            Prune::Before(_) => format!("Table {name} not supported for the -d option."),
            _ => format!("Table {name} not supported, see tabprune -h for supported tables."),
        };
        talk.complain(&why, 1);
        return None;
    }
    let Ok(table) = TableId::named(name) else {
        talk.error_as(&format!("Unable to open {name}"), DATABASE);
        return None;
    };
    // The audit log is shortened here, and written by nobody.
    if let Some(why) = why_not(table).filter(|_| table != AUDITLOG) {
        talk.error(&why);
        return None;
    }
    Some(table)
}

/// The rows that go, oldest first.
fn chosen<'a>(model: &'a Model, table: TableId, which: &Prune) -> Vec<(&'a RowKey, &'a Row)> {
    let mut rows: Vec<(&RowKey, &Row)> = model.tables().rows(table).collect();
    if is_log(table) {
        rows.sort_by_key(|(_, row)| sheet::recid(row));
    }
    let numbers = || rows.iter().filter_map(|(_, row)| sheet::recid(row));
    let first = numbers().min().unwrap_or_default();
    // As xCAT counts: by the numbers, be there gaps between them or not.
    let below = |number: u64| move |row: &Row| sheet::recid(row).is_some_and(|recid| recid < number);
    let is_chosen: Box<dyn Fn(&Row) -> bool> = match which {
        Prune::All => Box::new(|_| true),
        Prune::Below(number) => Box::new(below(*number)),
        Prune::Oldest(count) => Box::new(below(first.saturating_add(*count))),
        Prune::Percent(share) => {
            let span = numbers().max().unwrap_or_default().saturating_sub(first).saturating_add(1);
            let count = u128::from(span) * u128::from(*share) / 100;
            Box::new(below(first.saturating_add(u64::try_from(count).unwrap_or(u64::MAX))))
        }
        Prune::Before(time) => {
            let column = if table.name() == "eventlog" { "eventtime" } else { "audittime" };
            Box::new(move |row| row.cell(column).is_some_and(|at| at < time.as_str()))
        }
    };
    rows.into_iter().filter(|(_, row)| is_chosen(row)).collect()
}

fn show(table: TableId, rows: &[(&RowKey, &Row)], talk: &mut Talk<'_>) {
    talk.info(csv::header(table.table()));
    for (_, row) in rows {
        talk.info(csv::write_plain(table.table(), row));
    }
}
