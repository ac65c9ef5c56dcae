//! What a column holds for a node, and where that comes from.
//!
//! The node's own row counts first, then its groups' in the order in which its row of `nodelist`
//! names them, column by column. A value that ends in `+=NEXTRECORD` goes on with the next; columns
//! that `site.hierarchicalattrs` names are joined over all. Only then are templates replaced, with
//! the node's name, wherever the value came from; an empty outcome is "not set".

use std::borrow::Cow;

use super::Model;
use crate::table::attribute::{self, Attribute, Selector};
use crate::table::{Row, TableId};
use crate::template;

/// A value that is read, lent out where it stands in a row as it is.
pub type Value<'a> = Cow<'a, str>;

/// Says that the next group's value is to be appended.
const GOES_ON: &str = "+=NEXTRECORD";

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// In the node's own row.
    Node,
    /// In the row of one of its groups.
    Group(&'a str),
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<'a> {
    /// What holds for the node; none where a template gave nothing (which hides what groups say).
    pub value: Option<Value<'a>>,
    /// What is stored; not `value` where that is a template.
    pub stored: Value<'a>,
    /// The rows it is from, in the order they were joined; one, unless it was joined of several.
    pub origins: Vec<Origin<'a>>,
}

impl Model {
    /// What a column holds for a node.
    pub fn cell<'a>(&'a self, table: TableId, node: &str, column: &str) -> Option<Value<'a>> {
        let stored = self.stored(table, node, column, &mut |_| ())?;
        evaluate(table, stored, node)
    }

    /// The same, with where it comes from. None where no row says anything.
    pub fn cell_source<'a>(&'a self, table: TableId, node: &str, column: &str) -> Option<Sourced<'a>> {
        let mut origins = Vec::new();
        let stored = self.stored(table, node, column, &mut |origin| origins.push(origin))?;
        let value = evaluate(table, stored.clone(), node);
        Some(Sourced { value, stored, origins })
    }

    /// What an attribute is for a node: the first of its columns whose condition holds and that is
    /// set.
    pub fn attr<'a>(&'a self, node: &str, name: &str) -> Option<Value<'a>> {
        let columns = attribute::named("node", name).filter(|attribute| self.holds(node, attribute));
        columns.into_iter().find_map(|attribute| self.attribute_cell(node, attribute))
    }

    /// Whether the condition of an attribute of nodes is fulfilled.
    pub fn holds(&self, node: &str, attribute: &Attribute) -> bool {
        attribute.condition.as_ref().is_none_or(|condition| {
            // The other attribute counts as far as it is unconditional, so that this ends.
            let mut columns =
                attribute::named(attribute.object, condition.attribute).filter(|a| a.condition.is_none());
            let value = columns.find_map(|attribute| self.attribute_cell(node, attribute));
            value.is_some_and(|value| condition.holds(&value))
        })
    }

    /// What one column of an attribute holds for a node, whatever its condition.
    pub fn attribute_cell<'a>(&'a self, node: &str, attribute: &Attribute) -> Option<Value<'a>> {
        if attribute.row.as_slice() == [("node", Selector::Name)] {
            return self.cell(attribute.table, node, attribute.column);
        }
        let stored = self.object_row(attribute, node)?.cell(attribute.column)?;
        evaluate(attribute.table, Cow::Borrowed(stored), node)
    }

    /// The row of an object that an attribute is in, as it stands.
    pub fn object_row(&self, attribute: &Attribute, object: &str) -> Option<&Row> {
        let wanted = |row: &Row| {
            row.is_live()
                && attribute.row.iter().all(|(column, selector)| {
                    row.cell(column)
                        == Some(match selector {
                            Selector::Name => object,
                            Selector::Text(text) => text,
                        })
                })
        };
        let first = attribute.table.table().key.first();
        let by_key = attribute.row.iter().find(|(column, _)| Some(column) == first);
        match by_key {
            Some((_, Selector::Name)) => {
                self.tables().rows_under(attribute.table, object).map(|(_, row)| row).find(|row| wanted(row))
            }
            Some((_, Selector::Text(text))) => {
                self.tables().rows_under(attribute.table, text).map(|(_, row)| row).find(|row| wanted(row))
            }
            None => self.tables().rows(attribute.table).map(|(_, row)| row).find(|row| wanted(row)),
        }
    }

    /// What is stored of a column for a node, its own and inherited, and who says so.
    fn stored<'a>(
        &'a self,
        table: TableId,
        node: &str,
        column: &str,
        from: &mut dyn FnMut(Origin<'a>),
    ) -> Option<Value<'a>> {
        let schema = table.table();
        let single = schema.key.len() == 1;
        let own = self.row_cell(table, single, node, column);
        if !schema.is_inherited() {
            from(Origin::Node);
            return own.map(Cow::Borrowed);
        }
        if let Some((_, between)) = self.joined.iter().find(|(name, _)| name.as_ref() == column) {
            return self.all_joined((table, single), node, column, between, from);
        }
        let inherited = self.inherited_cells(table, single, node, column);
        let values = own.map(|value| (Origin::Node, value)).into_iter().chain(inherited);
        summed(values.inspect(|(origin, _)| from(*origin)).map(|(_, value)| value))
    }

    /// As [`Model::cell`], for whoever has the rows at hand that may say something: the node's own,
    /// then its groups', in their order.
    pub(crate) fn cell_among<'a>(
        &'a self,
        table: TableId,
        node: &str,
        column: &str,
        rows: impl Iterator<Item = &'a Row>,
    ) -> Option<Value<'a>> {
        let is_joined = self.joined.iter().any(|(name, _)| name.as_ref() == column);
        if is_joined || !table.table().is_inherited() {
            return self.cell(table, node, column);
        }
        let live = rows.filter(|row| row.is_live());
        evaluate(table, summed(live.filter_map(|row| row.cell(column)))?, node)
    }

    /// The values of a node and all its groups, the parts of each once, the node's first.
    fn all_joined<'a>(
        &'a self,
        (table, single): (TableId, bool),
        node: &str,
        column: &str,
        between: &str,
        from: &mut dyn FnMut(Origin<'a>),
    ) -> Option<Value<'a>> {
        let own = self.row_cell(table, single, node, column).map(|value| (Origin::Node, value));
        let inherited = self.inherited_cells(table, single, node, column);
        let mut values =
            own.into_iter().chain(inherited).inspect(|(origin, _)| from(*origin)).map(|(_, v)| v);
        let first = values.next()?;
        let rest: Vec<&str> = values.collect();
        if rest.is_empty() && !first.ends_with(GOES_ON) {
            return Some(Cow::Borrowed(first));
        }
        let mut parts: Vec<&str> = Vec::new();
        for value in std::iter::once(first).chain(rest) {
            let value = value.strip_suffix(GOES_ON).unwrap_or(value);
            for part in value.split(between) {
                if !part.is_empty() && !parts.contains(&part) {
                    parts.push(part);
                }
            }
        }
        Some(Cow::Owned(parts.join(between)))
    }

    /// What the groups of a node say of a column, in their order. Where no group of any node sets it,
    /// they need not be asked.
    fn inherited_cells<'a>(
        &'a self,
        table: TableId,
        single: bool,
        node: &str,
        column: &str,
    ) -> impl Iterator<Item = (Origin<'a>, &'a str)> {
        let groups = self.inherited.has(table, column).then(|| self.groups_of(node));
        groups.into_iter().flatten().filter_map(move |group| {
            Some((Origin::Group(group), self.row_cell(table, single, group, column)?))
        })
    }

    /// A column of the first live row of a node or group, which is the only one where the key of the
    /// table is a single column.
    fn row_cell<'a>(&'a self, table: TableId, single: bool, name: &str, column: &str) -> Option<&'a str> {
        if single {
            return self.tables().row(table, name).filter(|row| row.is_live())?.cell(column);
        }
        let mut rows = self.tables().rows_under(table, name).map(|(_, row)| row);
        rows.find(|row| row.is_live())?.cell(column)
    }
}

/// The first of values, and those after it as long as each says that it goes on.
fn summed<'a>(values: impl Iterator<Item = &'a str>) -> Option<Value<'a>> {
    let mut sum: Option<Value<'a>> = None;
    for value in values {
        let (value, goes_on) = match value.strip_suffix(GOES_ON) {
            Some(start) => (start, true),
            None => (value, false),
        };
        sum = Some(match sum {
            None => Cow::Borrowed(value),
            Some(before) => Cow::Owned(before.into_owned() + value),
        });
        if !goes_on {
            break;
        }
    }
    sum
}

/// A stored value with its template replaced. The names and groups of nodes are never templates.
pub(super) fn evaluate<'a>(table: TableId, stored: Value<'a>, node: &str) -> Option<Value<'a>> {
    if table == crate::table::schema::NODELIST {
        return Some(stored);
    }
    let value = match stored {
        Cow::Borrowed(stored) => template::value(stored, node),
        Cow::Owned(stored) => match template::value(&stored, node) {
            Cow::Borrowed(same) if same.len() == stored.len() => Cow::Owned(stored),
            value => Cow::Owned(value.into_owned()),
        },
    };
    (!value.is_empty()).then_some(value)
}
