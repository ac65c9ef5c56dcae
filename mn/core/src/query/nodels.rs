//! `nodels`: names and columns of nodes.
//!
//! Labels, criteria and what is left out are xCAT's. The lines of a node come in the order in which
//! the columns were asked for, which xCAT leaves open.

use serde_json::{Map, Value, json};

use crate::command::Nodels;
use crate::model::{Model, Origin, Record, Sourced};
use crate::object;
use crate::object::column::{self, Column};
use crate::object::select::{self, Selection};
use crate::table::{TableId, nearest, schema};
use crate::talk::{Context, Line, error, warning};
use crate::target::range;

/// Answers `nodels`; gives the exit status.
pub(super) fn answer(model: &Model, args: &Nodels, context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    let found = match args.nodes.as_ref().map(|range| range::nodes(model, range)).transpose() {
        Ok(found) => found,
        Err(refusal) => {
            out(Line::Err(refusal.render("Error")));
            return 1;
        }
    };
    if let Some(found) = &found {
        found.warnings.iter().for_each(|text| out(Line::Err(warning(context, text))));
    }
    let wanted = match Wanted::read(args, context, out) {
        Ok(wanted) => wanted,
        Err(status) => return status,
    };
    let mut show = |node: &str| {
        let is_hidden = || object::cell(model, schema::NODELIST, node, "hidden") == Some("1");
        if (args.hidden || !is_hidden()) && wanted.selects(model, node) {
            wanted.print(model, node, args.blame, context, out);
        }
    };
    match &found {
        Some(found) => found.nodes.iter().for_each(|node| show(node.as_str())),
        None => model.nodes().for_each(|node| show(node.as_str())),
    }
    wanted.status
}

/// Columns of one table, each with what stands before its values.
#[derive(Debug)]
struct Shown {
    table: TableId,
    columns: Vec<&'static str>,
    labels: Vec<String>,
}

#[derive(Debug, Default)]
struct Wanted {
    shown: Vec<Shown>,
    criteria: Vec<(Column, Selection)>,
    /// How many words named a column, be it one that there is not.
    named: usize,
    /// Whether values stand behind the name of their column.
    is_labelled: bool,
    /// Whether names are shown alone.
    is_bare: bool,
    status: u8,
}

impl Wanted {
    fn read(args: &Nodels, context: &Context, out: &mut dyn FnMut(Line)) -> Result<Self, u8> {
        let mut wanted = Self { is_labelled: args.header, ..Self::default() };
        for word in &args.words {
            match wanted.add(word) {
                Ok(()) => {}
                Err(Wrong::Word(text)) => {
                    out(Line::Err(error(context, &text)));
                    wanted.status = 1;
                }
                // xCAT prints the error and ends with 0; a command that does nothing of what it was
                // asked for does not end with 0 here.
                Err(Wrong::Command(text)) => {
                    out(Line::Err(error(context, &text)));
                    return Err(1);
                }
            }
        }
        wanted.is_labelled |= wanted.named > 1;
        wanted.is_bare = args.words.is_empty() || (wanted.shown.is_empty() && !wanted.criteria.is_empty());
        Ok(wanted)
    }

    fn add(&mut self, word: &str) -> Result<(), Wrong> {
        if let Some((name, operator, value)) = select::split(word) {
            if operator == "=" {
                let advice = format!("{name}=={value}");
                return Err(Wrong::Word(nearest::hinted(
                    format!("{word} not a valid table.column description"),
                    &[&advice],
                )));
            }
            return self.add_criterion(word, name);
        }
        if let Some(column) = Column::named(word) {
            self.named += 1;
            self.show(column, word);
            return Ok(());
        }
        let table = TableId::named(word).ok().filter(|table| table.table().is_of_nodes());
        let Some(table) = table else {
            self.named += usize::from(word.contains('.'));
            return Err(Wrong::Word(column::invalid(word)));
        };
        self.is_labelled = true;
        for column in &table.table().columns {
            self.show(Column { table, name: column.name }, &format!("{table}.{}", column.name));
        }
        Ok(())
    }

    fn add_criterion(&mut self, word: &str, name: &str) -> Result<(), Wrong> {
        self.named += 1;
        let column = Column::named(name).ok_or_else(|| Wrong::Word(column::invalid(name)))?;
        let selection = Selection::parse(word).map_err(|error| Wrong::Word(error.to_string()))?;
        if self.criteria.iter().any(|(known, _)| *known == column) {
            return Err(Wrong::Command(format!("Multiple selection critera for {name}")));
        }
        self.criteria.push((column, selection));
        Ok(())
    }

    /// Adds a column; of two labels of one, the later counts.
    fn show(&mut self, column: Column, label: &str) {
        let at = self.shown.iter().position(|shown| shown.table == column.table).unwrap_or_else(|| {
            self.shown.push(Shown { table: column.table, columns: Vec::new(), labels: Vec::new() });
            self.shown.len() - 1
        });
        let Some(shown) = self.shown.get_mut(at) else { return };
        match shown.columns.iter().position(|known| *known == column.name) {
            Some(at) => shown.labels.get_mut(at).into_iter().for_each(|known| label.clone_into(known)),
            None => {
                shown.columns.push(column.name);
                shown.labels.push(label.to_owned());
            }
        }
    }

    /// Whether all criteria hold, each for every row of the node that sets its column.
    fn selects(&self, model: &Model, node: &str) -> bool {
        self.criteria.iter().all(|(column, selection)| column::holds(model, *column, node, selection))
    }

    fn print(&self, model: &Model, node: &str, blame: bool, context: &Context, out: &mut dyn FnMut(Line)) {
        if context.view.json {
            out(Line::Record(self.record(model, node, blame)));
            return;
        }
        if self.is_bare {
            out(Line::Out(node.to_owned()));
        }
        for shown in &self.shown {
            let records = model.records(shown.table, node, &shown.columns);
            let mut line = |at: usize, value: &str| {
                let label = shown.labels.get(at).filter(|_| self.is_labelled);
                out(Line::Out(match label {
                    Some(label) => format!("{node}: {label}: {value}"),
                    None => format!("{node}: {value}"),
                }));
            };
            let columns = 0..shown.columns.len();
            // What no row sets is empty, once.
            for (row, record) in records.iter().enumerate() {
                for at in columns.clone() {
                    match values(record, at, node, blame) {
                        Some(value) => line(at, &value),
                        None if row == 0 && is_unset(&records, at) => line(at, ""),
                        None => {}
                    }
                }
            }
            if records.is_empty() {
                columns.for_each(|at| line(at, ""));
            }
        }
    }

    /// The same as JSON: a text for each column, or several where several rows say something.
    fn record(&self, model: &Model, node: &str, blame: bool) -> Value {
        if self.is_bare {
            return json!({"node": node});
        }
        let mut cells = Map::new();
        for shown in &self.shown {
            let records = model.records(shown.table, node, &shown.columns);
            for (at, label) in shown.labels.iter().enumerate() {
                let mut found: Vec<String> =
                    records.iter().filter_map(|record| values(record, at, node, blame)).collect();
                let value = match found.len() {
                    0 | 1 => json!(found.pop().unwrap_or_default()),
                    _ => json!(found),
                };
                cells.insert(label.clone(), value);
            }
        }
        json!({"node": node, "values": cells})
    }
}

/// What is wrong with a word.
#[derive(Debug)]
enum Wrong {
    /// It is left out, and the others count.
    Word(String),
    /// The command makes no sense.
    Command(String),
}

fn is_unset(records: &[Record<'_>], at: usize) -> bool {
    records.iter().all(|record| record.value(at).is_none())
}

/// What a record says of a column, with where it is from if that is asked for.
fn values(record: &Record<'_>, at: usize, node: &str, blame: bool) -> Option<String> {
    let value = record.value(at)?;
    let groups = record.sourced(at).filter(|_| blame).and_then(|sourced| inherited(sourced, node));
    Some(match groups {
        Some(groups) => format!("{value} (inherited from group {groups})"),
        None => value.to_owned(),
    })
}

/// The groups that a value is from; with the node where it only goes on in a group.
fn inherited(sourced: &Sourced<'_>, node: &str) -> Option<String> {
    let is_group = |origin: &Origin<'_>| matches!(origin, Origin::Group(_));
    sourced.origins.iter().any(is_group).then(|| {
        let names = sourced.origins.iter().map(|origin| match origin {
            Origin::Node => node,
            Origin::Group(group) => group,
        });
        names.collect::<Vec<_>>().join(",")
    })
}

#[cfg(test)]
mod tests;
