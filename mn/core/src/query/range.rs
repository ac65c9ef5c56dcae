//! Noderanges as commands use them.

use crate::change::Range;
use crate::model::Model;

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
    let mut found: Vec<String> = Vec::new();
    let mut missing: Vec<&str> = Vec::new();
    for item in range.text.split(',').filter(|item| !item.is_empty()) {
        if model.has_node(item) {
            found.push(item.to_owned());
        } else if model.has_group(item) {
            found.extend(model.members(item).iter().map(ToString::to_string));
        } else if verify {
            missing.push(item);
        } else {
            found.push(item.to_owned());
        }
    }
    if !missing.is_empty() {
        return Err(format!("Invalid nodes and/or groups in noderange: {}", missing.join(",")));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
