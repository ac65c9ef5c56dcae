//! `tabdump`: a table as it is stored, but for the secrets of join tokens: dumps are pasted into
//! tickets and kept as backups, and a lost token is made anew.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use crate::command::Tabdump;
use crate::csv;
use crate::model::Model;
use crate::table::scope::{is_hidden, shown};
use crate::table::{Row, TableId, nearest, schema, value};
use crate::talk::{Context, Line, error};

/// Answers `tabdump`; gives the exit status.
pub(super) fn answer(model: &Model, args: &Tabdump, context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    let Some(name) = &args.table else {
        // A script that takes what is named here for xCAT's tables must find no others.
        let tables = schema::TABLES.iter().filter(|table| table.own == args.own);
        list(tables.map(|table| (table.name, table.doc.into())), "table", args.describe, context, out);
        return 0;
    };
    let Ok(table) = TableId::named(name) else {
        let text = match args.describe {
            true => format!("table {name} does not exist."),
            false => format!("No such table: {name}"),
        };
        let close = nearest::names(name, schema::TABLES.iter().map(|table| table.name));
        out(Line::Err(error(context, &nearest::hinted(text, &close))));
        return 1;
    };
    if args.describe {
        let columns = table.table().columns.iter();
        let columns =
            columns.map(|column| (column.name, value::of(table, column.name).described(column.doc).into()));
        let settings = value::settings().filter(|_| table == schema::SITE);
        let settings = settings.map(|known| (known.key, known.value.described(known.doc).into()));
        list(columns.chain(settings), "column", true, context, out);
        return 0;
    }
    match args.select.iter().map(|text| Condition::parse(table, text)).collect::<Result<Vec<_>, _>>() {
        Ok(conditions) => {
            rows(model, table, &conditions, args.last, context, out);
            0
        }
        Err(text) => {
            out(Line::Err(error(context, &text)));
            1
        }
    }
}

/// Names, with what they mean where that is asked for.
fn list<'a>(
    names: impl Iterator<Item = (&'a str, Cow<'a, str>)>,
    kind: &str,
    describe: bool,
    context: &Context,
    out: &mut dyn FnMut(Line),
) {
    let mut names = names.peekable();
    while let Some((name, doc)) = names.next() {
        if context.view.json {
            out(Line::Record(json!({kind: name, "description": doc})));
        } else if describe {
            let tabs = if name.len() < 7 { "\t\t" } else { "\t" };
            // An empty line between two, as xCAT leaves it.
            let end = if names.peek().is_some() { "\n" } else { "" };
            out(Line::Out(format!("{name}:{tabs}{doc}{end}")));
        } else {
            out(Line::Out(name.to_owned()));
        }
    }
}

fn rows(
    model: &Model,
    table: TableId,
    conditions: &[Condition<'_>],
    last: Option<u64>,
    context: &Context,
    out: &mut dyn FnMut(Line),
) {
    if !context.view.json {
        if last.is_some() && model.tables().count(table) == 0 {
            return out(Line::Out(format!("Nothing to display from {table}.")));
        }
        out(Line::Out(csv::header(table.table())));
    }
    // As in xCAT, a selection is among the rows that count, unless it asks for the others.
    let with_disabled = conditions.iter().any(|condition| condition.column == "disable");
    let counts = |row: &&Row| conditions.is_empty() || with_disabled || row.is_live();
    let rows = in_order(model, table).filter(counts);
    // A hidden column is not found out by asking what it begins with.
    let holds = |condition: &Condition<'_>, row| !is_hidden(table, condition.column) && condition.holds(row);
    let found = rows.filter(|row| conditions.iter().all(|condition| holds(condition, row)));
    let Some(last) = last else {
        found.for_each(|row| out(show(table, row, context)));
        return;
    };
    let found: Vec<&Row> = found.collect();
    let skipped = found.len().saturating_sub(usize::try_from(last).unwrap_or(usize::MAX));
    found.into_iter().skip(skipped).for_each(|row| out(show(table, row, context)));
}

/// The rows of a table; those of a log by their numbers, which as texts would be in another order.
fn in_order(model: &Model, table: TableId) -> Box<dyn Iterator<Item = &Row> + '_> {
    let rows = model.tables().rows(table);
    if table.table().key.as_slice() != ["recid"] {
        return Box::new(rows.map(|(_, row)| row));
    }
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(key, _)| key.as_str().parse::<u64>().unwrap_or(u64::MAX));
    Box::new(rows.into_iter().map(|(_, row)| row))
}

fn show(table: TableId, row: &Row, context: &Context) -> Line {
    if !context.view.json {
        return Line::Out(csv::write(table.table(), row, |column, value| shown(table, column, value)));
    }
    let cells: Map<String, Value> =
        row.cells().map(|(column, value)| (column.to_owned(), json!(shown(table, column, value)))).collect();
    Line::Record(Value::Object(cells))
}

/// One `-w`, as the database of xCAT would see it: an unset column fulfils nothing.
#[derive(Clone, Copy, Debug)]
struct Condition<'a> {
    column: &'a str,
    operator: &'a str,
    value: &'a str,
}

impl<'a> Condition<'a> {
    fn parse(table: TableId, text: &'a str) -> Result<Self, String> {
        let unsupported = || format!("Unsupported operator:{text} on -w flag input");
        let at = text.find(['=', '!', '<', '>']).ok_or_else(unsupported)?;
        let (column, rest) = text.split_at(at);
        let operators = ["==", "!=", "=~", "!~", "<=", ">=", "<", ">"];
        let operator =
            operators.into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(unsupported)?;
        let value = rest.strip_prefix(operator).unwrap_or_default();
        let column = column.trim();
        if table.table().column(column).is_none() {
            return Err(format!("No column \"{column}\" in table \"{table}\""));
        }
        let value = match operator {
            "=~" | "!~" => {
                let inner = value.strip_prefix('/').unwrap_or(value);
                inner.strip_suffix('/').unwrap_or(inner)
            }
            _ => value,
        };
        Ok(Self { column, operator, value })
    }

    fn holds(&self, row: &Row) -> bool {
        let Some(held) = row.cell(self.column) else { return false };
        match self.operator {
            "==" => held == self.value,
            "!=" => held != self.value,
            "=~" => like(self.value, held),
            "!~" => !like(self.value, held),
            "<" => self.compare(held) == Ordering::Less,
            "<=" => self.compare(held) != Ordering::Greater,
            ">" => self.compare(held) == Ordering::Greater,
            _ => self.compare(held) != Ordering::Less,
        }
    }

    /// As text, which every column of xCAT's is but the numbers of a log's rows.
    fn compare(&self, held: &str) -> Ordering {
        match (held.parse::<i64>(), self.value.parse::<i64>()) {
            (Ok(held), Ok(value)) if self.column == "recid" => held.cmp(&value),
            _ => held.cmp(self.value),
        }
    }
}

/// SQL's `LIKE`: `%` is any text, `_` any one character, letters without their case. Takes at most
/// the product of the lengths, whatever the pattern.
fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut at, mut place) = (0, 0);
    // After the last `%`: where the pattern goes on, and how much of the text it has taken.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(place) {
        match pattern.get(at) {
            Some('%') => {
                retry = Some((at + 1, place));
                at += 1;
            }
            Some(&wanted) if wanted == '_' || wanted == c => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((after, taken)) = retry else { return false };
                retry = Some((after, taken + 1));
                (at, place) = (after, taken + 1);
            }
        }
    }
    pattern.iter().skip(at).all(|&c| c == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: Tabdump) -> String {
        let model = crate::fixture::model("site a value=1\nsite b value=1 disable=1");
        let mut said = Vec::new();
        answer(&model, &args, &Context::default(), &mut |line| match line {
            Line::Out(text) | Line::Err(text) => said.push(text),
            Line::Record(value) => panic!("{value}"),
        });
        said.join("\n")
    }

    fn of(table: &str) -> Tabdump {
        Tabdump { table: Some(table.to_owned()), ..Tabdump::default() }
    }

    #[test]
    fn a_selection_is_among_the_rows_that_count() {
        let select = |text: &str| run(Tabdump { select: vec![text.to_owned()], ..of("site") });
        let header = "#key,value,comments,disable\n";
        assert_eq!(run(of("site")), format!("{header}\"a\",\"1\",,\n\"b\",\"1\",,\"1\""));
        assert_eq!(select("value==1"), format!("{header}\"a\",\"1\",,"));
        assert_eq!(select("disable==1"), format!("{header}\"b\",\"1\",,\"1\""));
    }

    #[test]
    fn numbers_are_compared_as_text_but_for_those_of_a_log() {
        let holds = |table, text, held: (&str, &str)| {
            Condition::parse(table, text).unwrap().holds(&[held].into_iter().collect())
        };
        assert!(
            holds(schema::SITE, "value<9", ("value", "10"))
                && holds(schema::SITE, "value>=5", ("value", "6"))
        );
        assert!(!holds(schema::AUDITLOG, "recid<9", ("recid", "10")));
        assert!(holds(schema::AUDITLOG, "recid>9", ("recid", "10")));
    }

    #[test]
    fn the_last_rows_of_an_empty_log_are_said_to_be_none() {
        assert_eq!(run(Tabdump { last: Some(3), ..of("eventlog") }), "Nothing to display from eventlog.");
        assert!(run(of("eventlog")).starts_with("#recid,"));
    }

    #[test]
    fn like_is_sqls() {
        for (pattern, text, expected) in [
            ("%12%", "n123", true),
            ("n_", "n1", true),
            ("n_", "n12", false),
            ("N%", "n12", true),
            ("%a%b", "xaxxb", true),
            ("%a%b", "xaxx", false),
            ("", "", true),
            ("%", "", true),
        ] {
            assert_eq!(like(pattern, text), expected, "{text} like {pattern}");
        }
    }
}
