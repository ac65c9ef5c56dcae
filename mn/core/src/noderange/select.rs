//! Selections: `TABLE.COLUMN OP VALUE` over all nodes, and the conditions of dynamic groups.

use regex::{Regex, RegexBuilder};

use crate::model::Model;
use crate::table::schema::{NODEHM, NODELIST};
use crate::table::{TableId, schema};

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
    let (table, column) = match name {
        "groups" | "tags" => (NODELIST, "groups"),
        "mgt" => (NODEHM, "mgt"),
        _ => {
            let (table, column) = name.split_once('.')?;
            (TableId::named(table).ok()?, column)
        }
    };
    let schema: &'static schema::Table = table.table();
    let is_of_nodes = schema.key.first() == Some(&"node");
    Some((table, schema.column(column)?.name)).filter(|_| is_of_nodes)
}

/// Whether the values of a node are as the conditions of a dynamic group say. A node without the
/// attribute never is, whatever the comparison.
pub(super) fn fulfils(model: &Model, node: &str, conditions: &[Selection<'_>]) -> bool {
    conditions.iter().all(|condition| {
        model.attr(node, condition.name).is_some_and(|value| condition.comparison.holds(&value))
    })
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
    fn a_column_is_of_nodes_or_it_is_none() {
        assert_eq!(column("tags"), Some((NODELIST, "groups")));
        assert_eq!(column("switch.port").map(|found| found.1), Some("port"));
        for bad in ["arch", "nosuch.mgt", "nodehm.nosuch", "site.value"] {
            assert_eq!(column(bad), None, "{bad}");
        }
    }
}
