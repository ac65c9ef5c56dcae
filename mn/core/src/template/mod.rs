//! Values that depend on the name of the node: xCAT's "regular expressions in tables".
//!
//! Three forms; everything else is the value itself:
//!
//! * `/PAT/TEXT/`: the name with the first match of `PAT` replaced by `TEXT`, to the letter;
//! * `|PAT|TEXT|`: the same, after each `(...)` in `TEXT` was replaced by its value ([`expression`]),
//!   in which `$1`, `$2` ... are the groups of `PAT`;
//! * `|TEXT|`: the same, with a `PAT` whose groups are the numbers in the name.
//!
//! A name that does not match is itself the value. An empty value is "not set".
//!
//! What xCAT gives to an evaluator of code is here a small language without loops, names or effects.
//! Patterns take linear time; texts, brackets and nesting are bounded; nothing here fails, but a
//! value that cannot be understood is empty, and [`check`] says so when it is written.

mod expression;
mod function;
mod sprintf;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::{Captures, Regex, RegexBuilder};

use self::expression::Expression;
pub use self::expression::ExpressionError;

/// The longest text an expression is read from, and the longest a value becomes, in bytes.
const LONGEST: usize = 4096;

/// How many brackets one value may hold; an address has four.
const BRACKETS: usize = 64;

/// The largest compiled pattern, in bytes. `(\d+)` takes some 5,000.
const PATTERN_SIZE: usize = 1 << 20;

/// How many compiled patterns and read expressions are kept. A cluster has a few for each group.
const KEPT: usize = 256;

/// Why a value cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Its pattern is none.
    #[error("the pattern {pattern:?} cannot be read: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it, on one line.
        why: String,
    },
    /// One of its brackets is no expression.
    #[error("the expression {text:?} cannot be read")]
    Expression {
        /// The bracket.
        text: String,
        /// What is wrong with it.
        #[source]
        source: ExpressionError,
    },
    /// It is too long.
    #[error("it is longer than {LONGEST} bytes or holds more than {BRACKETS} brackets")]
    TooLong,
}

/// The parts of a value that depends on the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form<'a> {
    /// `/PAT/TEXT/`
    Slash { pattern: &'a str, text: &'a str },
    /// `|PAT|TEXT|`
    Bar { pattern: &'a str, text: &'a str },
    /// `|TEXT|`
    Easy { text: &'a str },
}

/// Whether a stored value is one of the forms, so that it is not the value itself.
pub fn is_template(stored: &str) -> bool {
    Form::of(stored).is_some()
}

/// What a stored value is for a node. Empty means "not set".
///
/// ```
/// use mn_core::template::value;
///
/// assert_eq!(value(r"|n(\d+)|10.0.1.($1+100)|", "n007"), "10.0.1.107");
/// assert_eq!(value("/-ib0$//", "n007-ib0"), "n007");
/// assert_eq!(value("10.0.1.7", "n007"), "10.0.1.7");
/// ```
pub fn value<'a>(stored: &'a str, node: &str) -> Cow<'a, str> {
    match Form::of(stored) {
        None => Cow::Borrowed(stored),
        Some(_) if stored.len() > LONGEST || node.len() > LONGEST => Cow::Borrowed(""),
        Some(form) => Cow::Owned(form.value(node)),
    }
}

/// What a stored value reads out of the name of a node: the groups of its pattern, `$1` first. None
/// where it is no template, or the name does not match.
pub fn groups(stored: &str, node: &str) -> Option<Vec<String>> {
    let pattern = match Form::of(stored)? {
        Form::Slash { pattern, .. } | Form::Bar { pattern, .. } => Cow::Borrowed(pattern),
        Form::Easy { .. } => Cow::Owned(numbers_of(node)),
    };
    let regex = kept(&pattern)?;
    let found = regex.captures(node)?;
    let text = |group: Option<regex::Match<'_>>| group.map(|group| group.as_str().to_owned());
    Some(found.iter().skip(1).map(|group| text(group).unwrap_or_default()).collect())
}

/// Whether a value that is to be stored can be understood.
///
/// # Errors
/// What is wrong with it. Expressions are read as for a name that matches as a whole; whether they
/// have a value (`1/0` has none) depends on the name.
pub fn check(stored: &str) -> Result<(), TemplateError> {
    let Some(form) = Form::of(stored) else { return Ok(()) };
    if stored.len() > LONGEST {
        return Err(TemplateError::TooLong);
    }
    if let Form::Slash { pattern, .. } | Form::Bar { pattern, .. } = form
        && let Err(error) = compile(pattern)
    {
        let why =
            error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        return Err(TemplateError::Pattern { pattern: pattern.to_owned(), why });
    }
    let (Form::Bar { text, .. } | Form::Easy { text }) = form else { return Ok(()) };
    let mut rest = text;
    let mut brackets = 0;
    while let Some((_, bracket, after)) = first_bracket(rest) {
        Expression::read(bracket)
            .map(drop)
            .map_err(|source| TemplateError::Expression { text: bracket.to_owned(), source })?;
        rest = after;
        brackets += 1;
    }
    if brackets > BRACKETS { Err(TemplateError::TooLong) } else { Ok(()) }
}

impl<'a> Form<'a> {
    fn of(stored: &'a str) -> Option<Self> {
        if let Some(inner) = stored.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
            let (pattern, text) = inner.split_once('/')?;
            return (!text.contains('/')).then_some(Self::Slash { pattern, text });
        }
        let inner = stored.strip_prefix('|')?.strip_suffix('|')?;
        Some(match inner.split_once('|') {
            Some((pattern, text)) => Self::Bar { pattern, text },
            None => Self::Easy { text: inner },
        })
    }

    fn value(self, node: &str) -> String {
        let regex = match self {
            Self::Slash { pattern, .. } | Self::Bar { pattern, .. } => kept(pattern),
            Self::Easy { .. } => kept(&numbers_of(node)),
        };
        // A pattern that is none gives no value: a node must not get a half-read one.
        let Some(regex) = regex else { return String::new() };
        let Some(groups) = regex.captures(node) else { return node.to_owned() };
        let Some(whole) = groups.get(0) else { return node.to_owned() };
        let (before, after) = (&node[..whole.start()], &node[whole.end()..]);
        let text = match self {
            Self::Slash { text, .. } => Cow::Borrowed(text),
            Self::Bar { text, .. } | Self::Easy { text } => fill(text, before, &groups, after),
        };
        if before.len() + text.len() + after.len() > LONGEST {
            return String::new();
        }
        [before, &text, after].concat()
    }
}

/// The pattern of the easy form: a group for each number of the name, without leading zeros.
fn numbers_of(node: &str) -> String {
    let digits = node.bytes().map(|b| b.is_ascii_digit());
    let mut numbers = 0;
    digits.fold(false, |before, digit| {
        numbers += usize::from(digit && !before);
        digit
    });
    // A name has at most 200 characters, so at most 100 numbers; expressions see the first 99.
    let mut pattern = r"[\D0]*(\d+)".repeat(numbers.min(99));
    pattern.push_str(".*$");
    pattern
}

/// The text with each bracket replaced by its value. What a bracket became is not read again: a
/// value that holds brackets is text (xCAT would run it).
fn fill<'t>(text: &'t str, before: &str, groups: &Captures<'_>, after: &str) -> Cow<'t, str> {
    if first_bracket(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut filled = String::new();
    let mut rest = text;
    for _ in 0..BRACKETS {
        let Some((start, bracket, end)) = first_bracket(rest) else { break };
        filled.push_str(start);
        // xCAT puts the bracket into the name and evaluates the whole, so what surrounds the match
        // becomes code; where a pattern matches the whole name, as it should, there is nothing.
        let group = |number| groups.get(number).map(|found| found.as_str());
        let read = match (before, after) {
            ("", "") => KEPT_EXPRESSIONS.with(|kept| kept.of(bracket, read)),
            _ => read(&[before, bracket, after].concat()),
        };
        let value = read.and_then(|expression| expression.value(&group).ok());
        filled.push_str(&value.unwrap_or_default());
        rest = end;
    }
    filled.push_str(rest);
    Cow::Owned(filled)
}

/// The first `(` with what it encloses: what stands before, the bracket, what stands after. None
/// where nothing closes it.
fn first_bracket(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find('(')?;
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            b'(' => open += 1,
            b')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some((text.get(..start)?, text.get(start..=at)?, text.get(at + 1..)?));
        }
    }
    None
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE).build()
}

/// A pattern, compiled; none where it is no pattern.
fn kept(pattern: &str) -> Option<Rc<Regex>> {
    KEPT_PATTERNS.with(|kept| kept.of(pattern, |pattern| compile(pattern).ok().map(Rc::new)))
}

/// An expression; none where it cannot be read.
fn read(code: &str) -> Option<Rc<Expression>> {
    Expression::read(code).ok().map(Rc::new)
}

thread_local! {
    static KEPT_PATTERNS: Kept<Regex> = const { Kept::new() };
    static KEPT_EXPRESSIONS: Kept<Expression> = const { Kept::new() };
}

/// What was read out of texts, kept because one row of a group is read for each of its nodes.
/// Counted, as a clone of a pattern starts without the memory that makes it quick.
struct Kept<T>(RefCell<Option<HashMap<String, Option<Rc<T>>>>>);

impl<T> Kept<T> {
    const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// What a text says; none where it says nothing.
    fn of(&self, text: &str, read: impl FnOnce(&str) -> Option<Rc<T>>) -> Option<Rc<T>> {
        let mut kept = self.0.borrow_mut();
        let kept = kept.get_or_insert_default();
        if let Some(known) = kept.get(text) {
            return known.clone();
        }
        if kept.len() >= KEPT {
            kept.clear();
        }
        let found = read(text);
        kept.insert(text.to_owned(), found.clone());
        found
    }
}

#[cfg(test)]
mod tests;
