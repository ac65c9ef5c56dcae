//! Selections: `TABLE.COLUMN OP VALUE` over all nodes, and the conditions of dynamic groups.

use regex::{Regex, RegexBuilder};

use crate::model::Model;
use crate::object;
use crate::object::column::Column;
use crate::table::TableId;
use crate::table::attribute::{self, Attribute};

/// The largest compiled expression, in bytes. Matching takes linear time; this bounds its factor.
const PATTERN_SIZE: usize = 1 << 20;

/// A comparison with a name before it.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    /// What is compared: a column, or an attribute.
    pub name: &'a str,
    /// With what.
    pub comparison: Comparison<'a>,
}

/// How a value is compared.
#[derive(Clone, Debug)]
pub enum Comparison<'a> {
    /// `==`, `=`: it is this text.
    Is(&'a str),
    /// `!=`: it is not.
    IsNot(&'a str),
    /// `=~`: the expression is found in it.
    Finds(Regex),
    /// `!~`: it is not.
    FindsNot(Regex),
}

impl<'a> Selection<'a> {
    /// Reads a selection; none where there is no operator.
    ///
    /// # Errors
    /// When the expression is none.
    pub fn parse(text: &'a str) -> Result<Option<Self>, regex::Error> {
        // The order is xCAT's, and it matters: the value of one may hold the operator of another.
        let first = text.find('=').map(|at| (at, text.as_bytes().get(at.wrapping_sub(1)) == Some(&b'!')));
        let Some((name, operator, value)) = (match first {
            Some((at, true)) => cut(text, at - 1, 2),
            Some((at, false)) => {
                let long = text.get(at + 1..).is_some_and(|rest| rest.starts_with(['=', '~']));
                cut(text, at, if long { 2 } else { 1 })
            }
            None => text.find("!~").and_then(|at| cut(text, at, 2)),
        }) else {
            return Ok(None);
        };
        let comparison = match operator {
            "!=" => Comparison::IsNot(value),
            "=~" => Comparison::Finds(pattern(value)?),
            "!~" => Comparison::FindsNot(pattern(value)?),
            _ => Comparison::Is(value),
        };
        Ok(Some(Self { name, comparison }))
    }
}

fn cut(text: &str, at: usize, length: usize) -> Option<(&str, &str, &str)> {
    Some((text.get(..at)?, text.get(at..at + length)?, text.get(at + length..)?))
}

/// An expression, without one slash on either side.
fn pattern(text: &str) -> Result<Regex, regex::Error> {
    let text = text.strip_prefix('/').unwrap_or(text);
    compile(text.strip_suffix('/').unwrap_or(text))
}

pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE).build()
}

impl Comparison<'_> {
    /// Whether a value is wanted.
    pub fn holds(&self, value: &str) -> bool {
        match self {
            Self::Is(text) => value == *text,
            Self::IsNot(text) => value != *text,
            Self::Finds(regex) => regex.is_match(value),
            Self::FindsNot(regex) => !regex.is_match(value),
        }
    }
}

/// The column that a selection of a noderange means: `table.column`, or one of three short names.
pub(super) fn column(name: &str) -> Option<(TableId, &'static str)> {
    Column::named(name).map(|column| (column.table, column.name))
}

/// Whether a comparison holds for a row of a node in a table that may have several of it. What no
/// row says is the empty text.
pub(super) fn any_row(
    model: &Model,
    table: TableId,
    column: &str,
    node: &str,
    wanted: &Comparison<'_>,
) -> bool {
    let records = model.records(table, node, &[column]);
    let mut values = records.iter().map(|record| record.value(0).unwrap_or_default());
    if records.is_empty() { wanted.holds("") } else { values.any(|value| wanted.holds(value)) }
}

/// A condition of a dynamic group: an attribute of nodes, looked up once for all of them.
#[derive(Debug)]
pub(super) struct Condition<'a> {
    attributes: Vec<&'static Attribute>,
    comparison: Comparison<'a>,
}

impl<'a> Condition<'a> {
    pub(super) fn new(selection: Selection<'a>) -> Self {
        let attributes = attribute::named("node", selection.name).collect();
        Self { attributes, comparison: selection.comparison }
    }

    /// Whether the attribute of a node is as wanted. A node without it never is, whatever the
    /// comparison; several rows count as one list, as `lsdef` shows them.
    pub(super) fn holds(&self, model: &Model, node: &str) -> bool {
        let mut columns = self.attributes.iter().filter(|attribute| model.holds(node, attribute));
        let value = columns.find_map(|attribute| object::column(model, attribute, node));
        value.is_some_and(|value| self.comparison.holds(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: &str, yes: &str, no: &str) {
        let selection = Selection::parse(text).unwrap().unwrap();
        assert_eq!(selection.name, name, "{text}");
        assert!(selection.comparison.holds(yes), "{text} on {yes:?}");
        assert!(!selection.comparison.holds(no), "{text} on {no:?}");
    }

    #[test]
    fn each_operator_compares_as_xcat_does() {
        check("a.b==x=y", "a.b", "x=y", "x");
        check("a.b=x!~y", "a.b", "x!~y", "x");
        check("a.b!=x", "a.b", "", "x");
        check("a.b=~/^x/", "a.b", "xy", "yx");
        check("a.b!~x", "a.b", "y", "axb");
        check("a.b==", "a.b", "", "x");
        assert!(Selection::parse("~n1").unwrap().is_none() && Selection::parse("a=~(").is_err());
    }

    #[test]
    fn every_row_of_a_node_counts() {
        let model =
            crate::fixture::model("nodelist n1 groups=all\n switch n1/s1/1 vlan=3\n switch n1/s2/2 vlan=4");
        let table = TableId::named("switch").unwrap();
        for (text, wanted) in
            [("switch.switch==s2", true), ("switch.switch!=s2", true), ("switch.vlan==5", false)]
        {
            let selection = Selection::parse(text).unwrap().unwrap();
            let (_, column) = column(selection.name).unwrap();
            assert_eq!(any_row(&model, table, column, "n1", &selection.comparison), wanted, "{text}");
        }
        assert!(any_row(&model, table, "vlan", "n2", &Comparison::Is("")));
    }
}
