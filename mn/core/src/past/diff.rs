//! `diff`: what is different between two states, one line a cell, or how much it is.

use std::collections::BTreeMap;

use common::report::Refusal;
use serde_json::{Value, json};

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
    let mut stat = Stat::default();
    for edit in edits.iter().filter(is_wanted) {
        let is_all = args.all || is_named(edit);
        if args.stat {
            count += stat.add(edit, is_all);
            continue;
        }
        for (column, difference) in cell_differences(edit) {
            if !is_all && is_bookkeeping(edit.table, column) {
                continue;
            }
            count += 1;
            out(match context.view.json {
                true => Line::Record(difference.record()),
                false => Line::Out(difference.text()),
            });
        }
    }
    match context.view.json {
        true => stat.records().into_iter().for_each(|record| out(Line::Record(record))),
        false => stat.lines().into_iter().for_each(|text| out(Line::Out(text))),
    }
    count
}

/// How much edits change: of each table the rows, of each of its columns the values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat(BTreeMap<&'static str, Changed>);

/// How much of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Changed {
    rows: Count,
    columns: BTreeMap<&'static str, Count>,
}

/// How often something came, went, or became another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    new: usize,
    gone: usize,
    changed: usize,
}

impl Stat {
    /// Counts edits, each row once; `all` says whether what the daemon keeps for itself counts.
    pub fn of(edits: &[Edit], all: bool) -> Self {
        let mut stat = Self::default();
        edits.iter().for_each(|edit| {
            stat.add(edit, all);
        });
        stat
    }

    /// Counts one more; gives how many values it changes.
    fn add(&mut self, edit: &Edit, all: bool) -> usize {
        let differences = cell_differences(edit);
        let wanted = differences.iter().filter(|(column, _)| all || !is_bookkeeping(edit.table, column));
        let mut values = 0;
        for (column, difference) in wanted {
            let table = self.0.entry(edit.table.name()).or_default();
            table
                .columns
                .entry(column)
                .or_default()
                .add(difference.before.is_some(), difference.after.is_some());
            values += 1;
        }
        if values > 0 {
            let table = self.0.entry(edit.table.name()).or_default();
            table.rows.add(edit.before.is_some(), edit.after.is_some());
        }
        values
    }

    /// A line for each table, and one for each of its columns.
    pub fn lines(&self) -> Vec<String> {
        let width = self.0.values().flat_map(|table| table.columns.keys()).map(|column| column.len()).max();
        let width = width.unwrap_or_default();
        let mut lines = Vec::new();
        for (name, table) in &self.0 {
            let rows = table.rows.sum();
            let s = if rows == 1 { "" } else { "s" };
            lines.push(format!("{name}: {rows} row{s}: {}", table.rows.text()));
            let columns =
                table.columns.iter().map(|(column, count)| format!("  {column:width$}  {}", count.text()));
            lines.extend(columns);
        }
        lines
    }

    /// The same as JSON, a record a table.
    pub fn records(&self) -> Vec<Value> {
        let columns = |table: &Changed| -> Value {
            table.columns.iter().map(|(column, count)| ((*column).to_owned(), count.record())).collect()
        };
        let records = self.0.iter().map(
            |(name, table)| json!({"table": name, "rows": table.rows.record(), "columns": columns(table)}),
        );
        records.collect()
    }
}

impl Count {
    fn add(&mut self, was: bool, is: bool) {
        match (was, is) {
            (false, _) => self.new += 1,
            (true, false) => self.gone += 1,
            (true, true) => self.changed += 1,
        }
    }

    const fn sum(self) -> usize {
        self.new + self.gone + self.changed
    }

    fn text(self) -> String {
        let parts = [(self.new, "new"), (self.changed, "changed"), (self.gone, "gone")];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        parts.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    }

    fn record(self) -> Value {
        json!({"new": self.new, "gone": self.gone, "changed": self.changed})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Row, RowKey, schema};

    fn edit(table: TableId, key: &str, before: &[(&str, &str)], after: &[(&str, &str)]) -> Edit {
        let row = |cells: &[(&str, &str)]| {
            let mut row = Row::new().with("node", key);
            cells.iter().for_each(|(column, value)| {
                row.put(column, value);
            });
            (!cells.is_empty()).then_some(row)
        };
        Edit { table, key: RowKey::one(key), before: row(before), after: row(after) }
    }

    #[test]
    fn a_large_difference_is_counted() {
        let edits = [
            edit(schema::HOSTS, "n1", &[], &[("ip", "10.0.0.1")]),
            edit(schema::HOSTS, "n2", &[("ip", "10.0.0.2")], &[("ip", "10.0.0.3"), ("hostnames", "x")]),
            edit(schema::HOSTS, "n3", &[("ip", "10.0.0.2")], &[]),
            edit(schema::NODELIST, "n1", &[("groups", "all")], &[("groups", "all"), ("status", "booted")]),
        ];
        insta::assert_snapshot!(Stat::of(&edits, true).lines().join("\n"), @r"
        hosts: 3 rows: 1 new, 1 changed, 1 gone
          hostnames  1 new
          ip         1 new, 1 changed, 1 gone
        nodelist: 1 row: 1 changed
          status     1 new
        ");
        assert_eq!(Stat::of(&edits, false).lines().len(), 3, "what nodes report is no definition");
        let args = Diff { stat: true, ..Diff::default() };
        let mut said = Vec::new();
        let count = show(&edits, &args, None, &Context::default(), &mut |line| said.push(line));
        assert_eq!((count, said.len()), (4, 3));
    }
}
