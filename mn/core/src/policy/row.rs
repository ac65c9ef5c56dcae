//! Rows of the `policy` table, read.

use regex::{Regex, RegexBuilder};

use crate::model::Model;
use crate::table::schema::POLICY;

/// The most memory that a compiled `parameters` may take, in bytes.
const PATTERN_SIZE: usize = 1 << 20;

/// A live row. A column that is empty or `*` says nothing and is none here.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row<'a> {
    /// As it is written.
    pub(super) priority: &'a str,
    /// The one user; none for everybody.
    pub(super) name: Option<&'a str>,
    host: Option<&'a str>,
    /// The commands, a comma list.
    pub(super) commands: Option<&'a str>,
    /// The nodes.
    pub(super) noderange: Option<&'a str>,
    /// What the arguments must match.
    pub(super) parameters: Option<&'a str>,
    /// Whether `time` says something.
    pub(super) has_time: bool,
    /// What the rule says.
    pub(super) allows: bool,
}

/// The live rows, the first to be looked at first.
pub(super) fn rows(model: &Model) -> Vec<Row<'_>> {
    let rows = model.tables().rows(POLICY).filter(|(_, row)| row.is_live());
    let mut rows: Vec<Row<'_>> = rows
        .map(|(key, row)| {
            let cell = |column| {
                let value: Option<&str> = row.cell(column);
                value.map(str::trim).filter(|value| !value.is_empty() && *value != "*")
            };
            Row {
                priority: key.as_str(),
                name: cell("name"),
                host: cell("host"),
                commands: cell("commands"),
                noderange: cell("noderange"),
                parameters: cell("parameters"),
                has_time: cell("time").is_some(),
                allows: row.cell("rule").is_some_and(allows),
            }
        })
        .collect();
    // Rows of one priority stay in the order of their texts.
    rows.sort_by(|a, b| number(a.priority).total_cmp(&number(b.priority)));
    rows
}

/// A priority that no row has yet, behind those of a fresh table.
pub(super) fn free(model: &Model) -> u64 {
    const FIRST: u64 = 6;
    let is_free = |priority: &u64| model.tables().row(POLICY, &priority.to_string()).is_none();
    (FIRST..u64::MAX).find(is_free).unwrap_or(FIRST)
}

impl Row<'_> {
    /// Whether it is about a user.
    pub(super) fn names(&self, name: &str) -> bool {
        self.name.is_none_or(|meant| meant == name)
    }

    /// Whether it is about a machine that goes by one of these names.
    pub(super) fn is_from(&self, hosts: &[String]) -> bool {
        self.host.is_none_or(|meant| hosts.iter().any(|host| host == meant))
    }

    /// Whether it is about a command.
    pub(super) fn runs(&self, command: &str) -> bool {
        let is_meant = |meant: &str| meant == command || meant == "chtab" && command == super::TABCH;
        self.commands.is_none_or(|list| list.split(',').any(|meant| is_meant(meant.trim())))
    }
}

/// What the column `parameters` looks for; none where it is no regular expression.
pub(super) fn pattern(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).size_limit(PATTERN_SIZE).build().ok()
}

fn allows(rule: &str) -> bool {
    let rule = rule.to_ascii_lowercase();
    ["allow", "accept", "trusted"].iter().any(|word| rule.contains(word))
}

/// A priority as xCAT compares it: the number that the text begins with, or 0.
fn number(text: &str) -> f64 {
    let text = text.trim_start();
    let digits = text.char_indices().take_while(|(at, c)| {
        c.is_ascii_digit()
            || (*c == '-' && *at == 0)
            || (*c == '.' && !text.get(..*at).unwrap_or_default().contains('.'))
    });
    let end = digits.last().map_or(0, |(at, c)| at + c.len_utf8());
    text.get(..end).and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_compared_as_numbers() {
        let mut texts = ["10", "6.1", "6.05", "1.2.3", "1", "x", "-1"];
        texts.sort_by(|a, b| number(a).total_cmp(&number(b)));
        assert_eq!(texts, ["-1", "x", "1", "1.2.3", "6.05", "6.1", "10"]);
    }

    #[test]
    fn a_rule_allows_by_three_words() {
        for rule in ["allow", "ALLOW", "accept", "trusted", "allowed"] {
            assert!(allows(rule), "{rule}");
        }
        for rule in ["deny", "foo", ""] {
            assert!(!allows(rule), "{rule}");
        }
    }

    #[test]
    fn a_pattern_is_bounded() {
        assert!(pattern("^groups$").is_some());
        assert!(pattern("(").is_none() && pattern("(a{1000}){1000}").is_none());
    }
}
