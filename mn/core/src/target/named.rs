//! Which objects the definition commands mean: types, and names or noderanges.

use common::id::{ImageName, NetworkName, NodeName};

use crate::command::Range;
use crate::model::{Model, network};
use crate::object::{self, CLUSTERSITE};
use crate::table::attribute::{self, ObjectType};
use crate::table::nearest;
use crate::talk::Talk;
use crate::target::range;

/// The types that `-t` names; none where one of them does not exist (and then it is said).
pub(crate) fn kinds(types: &[String], talk: &mut Talk<'_>) -> Option<Vec<&'static ObjectType>> {
    let node = ["node".to_owned()];
    let types = if types.is_empty() { &node } else { types };
    let mut kinds = Vec::new();
    for name in types {
        let Some(kind) = attribute::object_type(name) else {
            talk.error(&no_type(name));
            return None;
        };
        kinds.push(kind);
    }
    Some(kinds)
}

/// The objects that are named, each once, in the order given (nodes sorted).
pub(crate) fn named(
    model: &Model,
    types: &[String],
    objects: Option<&Range>,
    talk: &mut Talk<'_>,
) -> Option<Vec<(&'static ObjectType, String)>> {
    let kinds = kinds(types, talk)?;
    let mut found = Vec::new();
    for kind in kinds {
        let names = match objects {
            Some(range) => names(model, kind, range, talk)?,
            None if kind.name == "site" => vec![CLUSTERSITE.to_owned()],
            None => {
                talk.error("No object names were provided.");
                return None;
            }
        };
        found.extend(names.into_iter().map(|name| (kind, name)));
    }
    Some(found)
}

/// The names that a noderange or a list means for one type; none where it cannot be read.
///
/// Nodes that do not exist are named too: whether they must is the command's to say.
pub(crate) fn names(
    model: &Model,
    kind: &'static ObjectType,
    range: &Range,
    talk: &mut Talk<'_>,
) -> Option<Vec<String>> {
    if kind.name != "node" {
        let mut names: Vec<String> = Vec::new();
        for name in range.text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        return Some(names);
    }
    match range::names(model, range) {
        Ok(found) => {
            found.warnings.iter().for_each(|text| talk.warn(text));
            if found.names.is_empty() {
                talk.error(&format!("No node in '{}', check the noderange syntax.", range.text));
                return None;
            }
            Some(found.names)
        }
        Err(text) => {
            talk.error(&text);
            None
        }
    }
}

/// There is no such type.
pub(crate) fn no_type(name: &str) -> String {
    let text = format!("\nType '{name}' is not a valid xCAT object type.");
    let close = nearest::names(name, attribute::object_types().map(|kind| kind.name));
    nearest::hinted(text, &close)
}

/// There is no such object. The names that look like it are said for the first few that are
/// missing, since every name there is must be looked at.
pub(crate) fn missing(model: &Model, kind: &ObjectType, name: &str, count: usize) -> String {
    /// For how many.
    const HINTED: usize = 3;
    let text = format!("Could not find an object named '{name}' of type '{}'.", kind.name);
    if count >= HINTED {
        return text;
    }
    match kind.name {
        "node" => nearest::hinted(text, &nearest::names(name, model.nodes().map(|node| node.as_str()))),
        _ => {
            let names = object::names(model, kind);
            nearest::hinted(text, &nearest::names(name, names.iter().map(String::as_str)))
        }
    }
}

/// Whether no object of a type may have this name.
pub(crate) fn is_misnamed(model: &Model, kind: &ObjectType, name: &str) -> bool {
    let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let is_valid = match kind.name {
        "node" => is_plain && name.parse::<NodeName>().is_ok(),
        // A group is addressed by noderanges: its name must come out of one as itself.
        "group" => {
            let is_itself = range::names(model, &Range::new(name)).is_ok_and(|found| found.names == [name]);
            is_itself || model.has_group(name)
        }
        // xCAT calls a network of IPv6 by its address, `fd59::/64`.
        "network" => name.parse::<NetworkName>().is_ok() || network::is_ipv6(name),
        "osimage" => name.parse::<ImageName>().is_ok(),
        "site" => name == CLUSTERSITE,
        _ => !name.is_empty() && !name.chars().any(|c| c.is_control() || c.is_whitespace()),
    };
    !is_valid
}

/// Names of nodes with dots in them are refused.
pub(crate) fn dotted(names: &str) -> String {
    format!("The object name '{names}' is invalid, Cannot use '.' in node name.")
}

/// Names that cannot be are refused.
pub(crate) fn invalid(names: &str) -> String {
    format!(
        "The object name '{names}' is invalid, please refer to \"man xcatdb\" for the valid \"xCAT Object Name Format\""
    )
}
