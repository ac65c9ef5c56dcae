//! `-w attr==value`: which objects are meant.
//!
//! An object without the attribute never matches, whatever the operator (xCAT's way, and what
//! distinguishes this from the selections of a noderange).

use regex::{Regex, RegexBuilder};

/// The largest compiled expression, in bytes. Matching is linear in the text; this bounds memory.
const MAX_COMPILED: usize = 1 << 20;

/// One condition on an attribute or a column.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    /// The attribute, as typed.
    pub(crate) name: String,
    /// What its value must be.
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Is(String),
    IsNot(String),
    Matches(Regex),
    MatchesNot(Regex),
}

/// Why a text is not a selection.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SelectError {
    /// There is no operator.
    #[error("{0:?} holds none of ==, !=, =~ and !~")]
    NoOperator(String),
    /// The regular expression is wrong, or too large.
    #[error("{pattern:?} is not a regular expression")]
    BadPattern {
        /// As typed.
        pattern: String,
        /// Why.
        #[source]
        source: regex::Error,
    },
}

impl Selection {
    /// Reads `NAME==VALUE`, `NAME=VALUE`, `NAME!=VALUE`, `NAME=~REGEX` or `NAME!~REGEX`; slashes
    /// around an expression go.
    ///
    /// # Errors
    /// When there is no operator, or the expression is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, SelectError> {
        let (name, operator, value) = split(text).ok_or_else(|| SelectError::NoOperator(text.to_owned()))?;
        let test = match operator {
            "!=" => Test::IsNot(value.to_owned()),
            "=~" => Test::Matches(pattern(value)?),
            "!~" => Test::MatchesNot(pattern(value)?),
            _ => Test::Is(value.to_owned()),
        };
        Ok(Self { name: name.to_owned(), test })
    }

    /// Whether a value is as wanted.
    pub(crate) fn holds(&self, value: &str) -> bool {
        match &self.test {
            Test::Is(wanted) => value == wanted,
            Test::IsNot(unwanted) => value != unwanted,
            Test::Matches(pattern) => pattern.is_match(value),
            Test::MatchesNot(pattern) => !pattern.is_match(value),
        }
    }
}

/// The conditions of a dynamic group: `a==b::c=~d`.
///
/// # Errors
/// When one of them cannot be read.
pub(crate) fn parse_all(wherevals: &str) -> Result<Vec<Selection>, SelectError> {
    wherevals.split("::").map(Selection::parse).collect()
}

/// Name, operator and value; the operator is the first one in the text.
pub(crate) fn split(text: &str) -> Option<(&str, &str, &str)> {
    let at = text.find(['=', '!'])?;
    let rest = text.get(at..)?;
    let operator = ["==", "=~", "!=", "!~", "="].into_iter().find(|operator| rest.starts_with(operator))?;
    let name = text.get(..at)?.trim();
    let value = rest.get(operator.len()..)?.trim_start();
    // Of one `=` alone, xCAT wants a value, and no second one behind it.
    let is_odd = operator == "=" && (value.is_empty() || value.contains('='));
    (!name.is_empty() && !is_odd).then_some((name, operator, value))
}

fn pattern(text: &str) -> Result<Regex, SelectError> {
    let inner = text.strip_prefix('/').unwrap_or(text);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    RegexBuilder::new(inner)
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|source| SelectError::BadPattern { pattern: text.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(selection: &str, value: &str, expected: bool) {
        assert_eq!(Selection::parse(selection).unwrap().holds(value), expected, "{selection} on {value:?}");
    }

    #[test]
    fn the_operators_are_xcats() {
        check("mgt==ipmi", "ipmi", true);
        check("mgt=ipmi", "ipmi", true);
        check("mgt!=ipmi", "ipmi", false);
        check("mgt=~^ip", "ipmi", true);
        check("mgt=~/^ip/", "ipmi", true);
        check("mgt!~open", "ipmi", true);
        check("kcmdline==a=b", "a=b", true);
    }

    #[test]
    fn what_is_no_selection_is_refused() {
        for bad in ["mgt", "", "==x", "mgt!x", "mgt=~(", "mgt=", "a=b=c"] {
            assert!(Selection::parse(bad).is_err(), "{bad:?}");
        }
    }
}
