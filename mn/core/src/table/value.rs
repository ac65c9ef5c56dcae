//! What columns and the settings of the site hold: their types, and what counts where they are
//! not set.
//!
//! Read once from `values.txt`, which is compiled in. A type that is strict refuses values that
//! nobody can mean; every other is for people to read, since scripts set many an odd value.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::TableId;

/// What a column or a setting holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The type of the values.
    pub kind: ValueKind,
    /// What counts where it is not set; none where nothing is said of that.
    pub default: Option<&'static str>,
}

/// The types of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Anything.
    Text,
    /// Yes or no. Strict.
    Boolean,
    /// A number. Strict.
    Integer,
    /// A file mode in octal. Strict.
    Mode,
    /// One of these words. Strict.
    OneOf(Vec<&'static str>),
    /// These words are known; others are kept.
    Words(Vec<&'static str>),
    /// What this word says, as people read it (`an address`).
    Named(&'static str),
}

/// A setting of the site.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// What it holds.
    pub value: Value,
    /// What it means.
    pub doc: &'static str,
}

/// The registry of values.
#[derive(Debug, Default)]
struct Values {
    /// By table and column.
    columns: BTreeMap<&'static str, BTreeMap<&'static str, Value>>,
    /// By key.
    settings: BTreeMap<&'static str, Setting>,
}

static VALUES: LazyLock<Values> = LazyLock::new(|| parse(include_str!("values.txt")));

/// A column of which nothing is said.
static ANY: Value = Value { kind: ValueKind::Text, default: None };

/// Words that `boolean` is written with, without regard to case.
const YES_AND_NO: [&str; 14] =
    ["1", "0", "y", "n", "yes", "no", "true", "false", "t", "f", "on", "off", "enable", "disable"];

/// What a column holds.
pub fn of(table: TableId, column: &str) -> &'static Value {
    VALUES.columns.get(table.name()).and_then(|columns| columns.get(column)).unwrap_or(&ANY)
}

/// The settings of the site that are known, by key. Others may be set, and are kept.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    VALUES.settings.values()
}

/// A setting of the site; none where it is not known.
pub fn setting(key: &str) -> Option<&'static Setting> {
    VALUES.settings.get(key)
}

impl Value {
    /// What people read of it, after what it means: empty where there is nothing to say.
    pub fn explained(&self) -> String {
        let kind = self.kind.explained();
        let default = self.default.map(|text| format!("if not set: {text}"));
        let parts: Vec<String> =
            [Some(kind).filter(|kind| !kind.is_empty()), default].into_iter().flatten().collect();
        parts.join("; ")
    }
}

impl Value {
    /// What a column means, with what people read of its values in brackets.
    pub fn described(&self, doc: &str) -> String {
        let explained = self.explained();
        if explained.is_empty() { doc.to_owned() } else { format!("{doc} ({explained})") }
    }
}

impl ValueKind {
    /// The type as people read it; empty for any text.
    pub fn explained(&self) -> String {
        match self {
            Self::Text => String::new(),
            Self::Boolean => "yes or no".to_owned(),
            Self::Integer => "a number".to_owned(),
            Self::Mode => "a file mode in octal".to_owned(),
            Self::OneOf(words) => words.join(" or "),
            Self::Words(words) => format!("such as {}", words.join(", ")),
            Self::Named(text) => (*text).to_owned(),
        }
    }

    /// Why nobody can mean a value; none where somebody may.
    pub fn refusal(&self, value: &str) -> Option<String> {
        let value = value.trim();
        let is_fine = match self {
            Self::Text | Self::Words(_) | Self::Named(_) => true,
            Self::Boolean => YES_AND_NO.iter().any(|word| {
                // `enabled` and `disabled`, too.
                word.eq_ignore_ascii_case(value) || value.to_ascii_lowercase().strip_suffix('d') == Some(word)
            }),
            Self::Integer => {
                let digits = value.strip_prefix('-').unwrap_or(value);
                !digits.is_empty() && digits.len() < 19 && digits.bytes().all(|b| b.is_ascii_digit())
            }
            Self::Mode => matches!(value.len(), 3 | 4) && value.bytes().all(|b| (b'0'..=b'7').contains(&b)),
            Self::OneOf(words) => words.contains(&value),
        };
        (!is_fine && !value.is_empty()).then(|| format!("it is {}", self.explained()))
    }

    fn parse(text: &'static str) -> Option<Self> {
        let words = |list: &'static str| list.split('|').collect();
        Some(match text.split_once(' ') {
            Some(("one-of", list)) => Self::OneOf(words(list)),
            Some(("words", list)) => Self::Words(words(list)),
            Some(_) => return None,
            None => match text {
                "text" => Self::Text,
                "boolean" => Self::Boolean,
                "integer" => Self::Integer,
                "mode" => Self::Mode,
                "address" => Self::Named("an address"),
                "addresses" => Self::Named("addresses"),
                "mac" => Self::Named("hardware addresses"),
                "name" => Self::Named("a name or address"),
                "names" => Self::Named("a list of names"),
                "noderange" => Self::Named("a noderange"),
                "path" => Self::Named("a path"),
                "paths" => Self::Named("a list of paths"),
                "pattern" => Self::Named("a regular expression"),
                "scripts" => Self::Named("a list of scripts"),
                "secret" => Self::Named("a secret"),
                "time" => Self::Named("a time: MM-DD-YYYY HH:MM:SS"),
                _ => return None,
            },
        })
    }
}

/// Reads the registry. A line that says nothing is left out here and found by the test.
fn parse(text: &'static str) -> Values {
    let mut values = Values::default();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(line) = line.strip_prefix("site ") {
            let (line, doc) = line.split_once(" : ").unwrap_or((line, ""));
            if let Some((key, value)) = parse_value(line) {
                values.settings.insert(key, Setting { key, value, doc });
            }
        } else if let Some((place, value)) = parse_value(line)
            && let Some((table, column)) = place.split_once('.')
        {
            values.columns.entry(table).or_default().insert(column, value);
        }
    }
    values
}

/// `NAME TYPE [= DEFAULT]`.
fn parse_value(line: &'static str) -> Option<(&'static str, Value)> {
    let (line, default) = match line.split_once(" = ") {
        Some((line, default)) => (line, Some(default)),
        None => (line, None),
    };
    let (name, kind) = line.split_once(' ')?;
    Some((name, Value { kind: ValueKind::parse(kind)?, default }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::schema;

    #[test]
    fn every_line_of_the_registry_was_understood() {
        let lines = include_str!("values.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
        let columns = VALUES.columns.values().map(BTreeMap::len).sum::<usize>();
        assert_eq!(lines.count(), columns + VALUES.settings.len());
        for (table, columns) in &VALUES.columns {
            let table = TableId::named(table).unwrap();
            for column in columns.keys() {
                assert!(table.table().column(column).is_some(), "{table}.{column}");
            }
        }
        assert!(settings().all(|setting| !setting.doc.is_empty()));
    }

    #[test]
    fn a_default_is_a_value_that_is_taken() {
        let columns = VALUES
            .columns
            .values()
            .flat_map(BTreeMap::values)
            .chain(settings().map(|setting| &setting.value));
        for value in columns.filter(|value| !matches!(value.kind, ValueKind::Named(_))) {
            let default = value.default.filter(|text| !text.contains(' '));
            assert_eq!(default.and_then(|text| value.kind.refusal(text)), None, "{value:?}");
        }
    }

    #[test]
    fn what_nobody_means_is_refused_and_the_odd_is_kept() {
        let refused =
            |table: TableId, column: &str, value: &str| of(table, column).kind.refusal(value).is_some();
        for word in ["1", "0", "YES", "no", "Y", "True", "enabled", "disabled", ""] {
            assert!(!refused(schema::SERVICENODE, "dhcpserver", word), "{word:?}");
        }
        assert!(refused(schema::SERVICENODE, "dhcpserver", "maybe"));
        assert!(refused(schema::NODEGROUP, "grouptype", "statik") && refused(schema::NETWORKS, "mtu", "9k"));
        assert!(!refused(schema::NODETYPE, "arch", "riscv64") && !refused(schema::NODEHM, "mgt", "odd"));
        assert_eq!(of(schema::NODERES, "proxydhcp").explained(), "yes or no; if not set: yes");
    }
}
