//! `nodels`: names and columns of nodes.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::Nodels;
use super::object;
use super::range;
use super::select::{self, Selection};
use crate::change::{Context, Line, error, warning};
use crate::model::{Model, Origin};
use crate::table::{TableId, nearest, schema};

/// Answers `nodels`; gives the exit status.
pub(super) fn answer(model: &Model, args: &Nodels, context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    let nodes = match &args.nodes {
        None => model.nodes().map(ToString::to_string).collect::<Vec<String>>(),
        Some(range) => match range::nodes(model, range) {
            Ok(found) => {
                found.warnings.iter().for_each(|text| out(Line::Err(warning(context, text))));
                found.nodes.iter().map(ToString::to_string).collect()
            }
            Err(refusal) => {
                out(Line::Err(refusal.render("Error")));
                return 1;
            }
        },
    };
    let wanted = match Wanted::read(args, context, out) {
        Ok(wanted) => wanted,
        Err(status) => return status,
    };
    for node in &nodes {
        let is_hidden = || object::cell(model, schema::NODELIST, node, "hidden") == Some("1");
        if (args.hidden || !is_hidden()) && wanted.selects(model, node) {
            wanted.print(model, node, args.blame, context, out);
        }
    }
    wanted.status
}

/// A column of nodes, and how it was named.
#[derive(Clone, Debug)]
struct Column {
    table: TableId,
    column: &'static str,
    label: String,
}

#[derive(Debug)]
struct Wanted {
    columns: Vec<Column>,
    criteria: Vec<(Column, Selection)>,
    /// Whether values stand behind the name of their column.
    is_labelled: bool,
    /// Whether names are shown alone.
    is_bare: bool,
    status: u8,
}

impl Wanted {
    fn read(args: &Nodels, context: &Context, out: &mut dyn FnMut(Line)) -> Result<Self, u8> {
        let mut wanted = Self {
            columns: Vec::new(),
            criteria: Vec::new(),
            is_labelled: args.header,
            is_bare: true,
            status: 0,
        };
        for word in &args.words {
            if let Err(text) = wanted.add(word) {
                out(Line::Err(error(context, &text)));
                wanted.status = 1;
            }
        }
        let mut asked: Vec<_> =
            wanted.columns.iter().chain(wanted.criteria.iter().map(|(column, _)| column)).collect();
        asked.sort_by_key(|column| (column.table, column.column));
        asked.dedup_by_key(|column| (column.table, column.column));
        wanted.is_labelled |= asked.len() > 1;
        wanted.is_bare = args.words.is_empty() || (wanted.columns.is_empty() && !wanted.criteria.is_empty());
        // xCAT prints the error and ends with 0; a command that does nothing of what it was asked
        // for does not end with 0 here.
        let is_twice = |(index, (column, _)): (usize, &(Column, Selection))| {
            wanted
                .criteria
                .iter()
                .take(index)
                .any(|(other, _)| (other.table, other.column) == (column.table, column.column))
        };
        if let Some((_, (column, _))) = wanted.criteria.iter().enumerate().find(|found| is_twice(*found)) {
            let text = format!("Multiple selection critera for {}.{}", column.table, column.column);
            out(Line::Err(error(context, &text)));
            return Err(1);
        }
        Ok(wanted)
    }

    fn add(&mut self, word: &str) -> Result<(), String> {
        let invalid = |name: &str| {
            let text = format!("{name} not a valid table.column description");
            nearest::hinted(text, &similar(name))
        };
        if let Some((name, operator, value)) = select::split(word) {
            let column = column(name).ok_or_else(|| invalid(name))?;
            // `=` alone is `==` in nodels too.
            let operator = if operator == "=" { "==" } else { operator };
            let selection =
                Selection::parse(&format!("{name}{operator}{value}")).map_err(|error| error.to_string())?;
            self.criteria.push((column, selection));
            return Ok(());
        }
        if let Some(found) = column(word) {
            self.columns.push(found);
            return Ok(());
        }
        let table =
            TableId::named(word).ok().filter(|table| is_of_nodes(*table)).ok_or_else(|| invalid(word))?;
        self.is_labelled = true;
        self.columns.extend(table.table().columns.iter().map(|column| Column {
            table,
            column: column.name,
            label: format!("{table}.{}", column.name),
        }));
        Ok(())
    }

    fn selects(&self, model: &Model, node: &str) -> bool {
        self.criteria.iter().all(|(column, selection)| {
            let values = values(model, column, node, false);
            match values.as_slice() {
                [] => selection.holds(""),
                values => values.iter().any(|value| selection.holds(value)),
            }
        })
    }

    fn print(&self, model: &Model, node: &str, blame: bool, context: &Context, out: &mut dyn FnMut(Line)) {
        if context.view.json {
            let cells: Map<String, Value> = self
                .columns
                .iter()
                .map(|column| (column.label.clone(), json!(values(model, column, node, blame).join(","))))
                .collect();
            out(Line::Record(match self.is_bare {
                true => json!({"node": node}),
                false => json!({"node": node, "values": cells}),
            }));
            return;
        }
        if self.is_bare {
            out(Line::Out(node.to_owned()));
        }
        for column in &self.columns {
            let values = values(model, column, node, blame);
            let values = if values.is_empty() { vec![String::new()] } else { values };
            for value in values {
                out(Line::Out(match self.is_labelled {
                    true => format!("{node}: {}: {value}", column.label),
                    false => format!("{node}: {value}"),
                }));
            }
        }
    }
}

/// What a column holds for a node: several values where the table has several rows for it.
fn values(model: &Model, column: &Column, node: &str, blame: bool) -> Vec<String> {
    let schema = column.table.table();
    if column.column == "node" {
        return vec![node.to_owned()];
    }
    if schema.is_inherited() && schema.key.len() == 1 {
        if !blame {
            return model.cell(column.table, node, column.column).into_iter().map(Cow::into_owned).collect();
        }
        let Some(found) = model.cell_source(column.table, node, column.column) else { return Vec::new() };
        let Some(value) = found.value else { return Vec::new() };
        return vec![match found.origins.first() {
            Some(Origin::Group(group)) => format!("{value} (inherited from group {group})"),
            _ => value.into_owned(),
        }];
    }
    let rows = model.tables().rows_under(column.table, node).filter(|(_, row)| row.is_live());
    rows.filter_map(|(_, row)| row.cell(column.column)).map(str::to_owned).collect()
}

/// `table.column`, or one of xCAT's short names.
fn column(name: &str) -> Option<Column> {
    let (table, column) = match name {
        "groups" | "tags" => ("nodelist", "groups"),
        "mgt" => ("nodehm", "mgt"),
        _ => name.split_once('.')?,
    };
    let table = TableId::named(table).ok().filter(|table| is_of_nodes(*table))?;
    let column = table.table().column(column)?.name;
    Some(Column { table, column, label: name.to_owned() })
}

/// Columns and tables that look like this word.
fn similar(word: &str) -> Vec<&str> {
    let tables = schema::TABLES.iter();
    match word.split_once('.') {
        None => nearest::names(word, tables.map(|table| table.name)),
        Some((table, column)) => TableId::named(table).map_or_else(
            |_| nearest::names(table, tables.map(|table| table.name)),
            |table| nearest::names(column, table.table().columns.iter().map(|column| column.name)),
        ),
    }
}

fn is_of_nodes(table: TableId) -> bool {
    table.table().key.first() == Some(&"node")
}
