//! Noderanges as commands use them.

use crate::change::Range;
use crate::model::Model;
use crate::noderange::{self, Options};

/// The nodes that a noderange means, all of which exist, sorted.
///
/// # Errors
/// The text for the operator.
pub(crate) fn nodes(model: &Model, range: &Range) -> Result<Vec<String>, String> {
    expand(model, range, true)
}

/// The names that a noderange means, whether or not there are such nodes: how definition commands
/// read theirs, since they may make them. A regular expression can only mean nodes that exist.
///
/// # Errors
/// The text for the operator.
pub(crate) fn names(model: &Model, range: &Range) -> Result<Vec<String>, String> {
    expand(model, range, range.text.trim_start().starts_with('/'))
}

fn expand(model: &Model, range: &Range, verify: bool) -> Result<Vec<String>, String> {
    let options = Options { verify, ..Options::default() };
    let files = |name: &str| range.file(name);
    let found = if verify {
        noderange::expand(&range.text, model, options, &files)
    } else {
        noderange::expand_known(&range.text, model, options, &files)
    };
    let found = found.map_err(|error| error.to_string())?;
    let mut names: Vec<String> = found.nodes.iter().map(ToString::to_string).collect();
    // Words that no node may be called: the command says so of each by its own rules.
    names.extend(found.missing);
    Ok(names)
}
