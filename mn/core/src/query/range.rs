//! Noderanges as commands use them.

use crate::change::Range;
use crate::model::Model;
use crate::noderange::{self, Options};

/// The nodes that a noderange means, all of which exist, sorted.
///
/// # Errors
/// The text for the operator.
pub(crate) fn nodes(model: &Model, range: &Range) -> Result<Vec<String>, String> {
    let options = Options { verify: true, ..Options::default() };
    let found = noderange::expand(&range.text, model, options, &|name| range.file(name));
    Ok(found.map_err(|error| error.to_string())?.nodes.iter().map(ToString::to_string).collect())
}

/// The names that a noderange means, whether or not there are such nodes: how definition commands
/// read theirs, since they may make them. A regular expression can only mean nodes that exist.
///
/// # Errors
/// The text for the operator.
pub(crate) fn names(model: &Model, range: &Range) -> Result<Vec<String>, String> {
    let verify = range.text.trim_start().starts_with('/');
    let options = Options { verify, ..Options::default() };
    let found = noderange::expand_known(&range.text, model, options, &|name| range.file(name))
        .map_err(|error| error.to_string())?;
    // Words that no node may be called are refused by whoever would make one of them.
    Ok(found.nodes.iter().map(ToString::to_string).chain(found.missing).collect())
}
