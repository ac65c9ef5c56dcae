//! Noderanges as commands use them.

use common::report::Refusal;

use crate::command::Range;
use crate::model::Model;
use crate::noderange::{self, Expansion, Options};

/// Names of nodes, and what is odd in the text that means them.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// The names.
    pub(crate) names: Vec<String>,
    /// For the operator, on standard error: the exit status stays.
    pub(crate) warnings: Vec<String>,
}

/// How a noderange of a command is read: as its operator's environment and options say.
fn options(range: &Range, verify: bool) -> Options<'_> {
    Options {
        verify,
        max: range.max_nodes.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX),
        prefix: range.prefix.as_deref().unwrap_or(noderange::PREFIX),
        suffix: range.suffix.as_deref().unwrap_or_default(),
        ..Options::default()
    }
}

/// The nodes that a noderange means and that exist, whatever else stands in it.
///
/// # Errors
/// When the text cannot be read.
pub(crate) fn existing(model: &Model, range: &Range) -> Result<Expansion, noderange::NoderangeError> {
    noderange::expand_known(&range.text, model, options(range, true), &|name| range.file(name))
}

/// The nodes that a noderange means, all of which exist, sorted.
///
/// # Errors
/// When a name is unknown or the text cannot be read.
pub(crate) fn nodes(model: &Model, range: &Range) -> Result<Expansion, Refusal> {
    let found = noderange::expand(&range.text, model, options(range, true), &|name| range.file(name));
    found.map_err(|error| error.refusal(model))
}

/// The names that a noderange spells, whether or not there are such nodes, and whether or not a
/// node may be called so; sorted.
///
/// # Errors
/// When the text cannot be read.
pub(crate) fn spelt(model: &Model, range: &Range) -> Result<Names, Refusal> {
    let found = noderange::expand_known(&range.text, model, options(range, false), &|name| range.file(name));
    let found = found.map_err(|error| error.refusal(model))?;
    let mut names: Vec<String> = found.nodes.iter().map(ToString::to_string).chain(found.missing).collect();
    names.sort_unstable();
    names.dedup();
    Ok(Names { names, warnings: found.warnings })
}

/// The names that a noderange means, whether or not there are such nodes: how definition commands
/// read theirs, since they may make them. A regular expression can only mean nodes that exist.
///
/// # Errors
/// The text for the operator.
pub(crate) fn names(model: &Model, range: &Range) -> Result<Names, String> {
    let verify = range.text.trim_start().starts_with('/');
    let found = noderange::expand_known(&range.text, model, options(range, verify), &|name| range.file(name))
        .map_err(|error| error.to_string())?;
    // Words that no node may be called are refused by whoever would make one of them.
    let names = found.nodes.iter().map(ToString::to_string).chain(found.missing).collect();
    Ok(Names { names, warnings: found.warnings })
}
