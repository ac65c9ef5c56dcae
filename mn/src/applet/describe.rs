//! What attributes mean (`lsdef -h -t network -i mask`), out of the registry.

use mn_core::table::attribute::{self, Attribute, ObjectType};
use mn_core::table::nearest;
use mn_core::table::value::{self, Value};

use super::Usage;

/// The attributes of the types (node where none is named), or some of them.
///
/// # Errors
/// When there is no such type or attribute.
pub(super) fn attributes(types: &[String], only: Option<&[String]>) -> Result<String, Usage> {
    let node = ["node".to_owned()];
    let types = if types.is_empty() { &node } else { types };
    let mut text = String::new();
    for name in types {
        let kind = attribute::object_type(name)
            .ok_or_else(|| Usage::new(format!("Type '{name}' is not a valid xCAT object type.")))?;
        let chosen = if kind.name == "site" { settings(only)? } else { choose(kind, only)? };
        if only.is_none() {
            text.push_str(&format!("The valid attribute names for object type '{name}' are:\n"));
        }
        text.push_str("Attribute          Description\n\n");
        for (name, doc, places) in chosen {
            let tabs = if name.len() < 7 { "\t\t" } else { "\t" };
            text.push_str(&format!("{name}:{tabs}{doc} ({})\n\n", places.join("; ")));
        }
        if kind.name == "site" {
            text.push_str("Other settings may be made, and are kept for whoever reads them.\n\n");
        }
    }
    Ok(text)
}

type Shown = (&'static str, &'static str, Vec<String>);

/// The settings of the site that are known, or some of them.
fn settings(only: Option<&[String]>) -> Result<Vec<Shown>, Usage> {
    let is_wanted = |key: &str| only.is_none_or(|only| only.iter().any(|wanted| wanted == key));
    if let Some(unknown) = only.into_iter().flatten().find(|name| value::setting(name).is_none()) {
        let close = nearest::names(unknown, value::settings().map(|setting| setting.key));
        return Err(unknown_name(unknown, "site", &close));
    }
    let shown = value::settings().filter(|setting| is_wanted(setting.key));
    Ok(shown
        .map(|setting| (setting.key, setting.doc, places("site.value".to_owned(), &setting.value)))
        .collect())
}

/// Where a value is kept, and what it is.
fn places(place: String, value: &Value) -> Vec<String> {
    [place, value.explained()].into_iter().filter(|text| !text.is_empty()).collect()
}

fn unknown_name(name: &str, kind: &str, close: &[&str]) -> Usage {
    let text = format!("'{name}' is not a valid attribute name for an object type of '{kind}'.");
    let hint = if close.is_empty() { String::new() } else { format!("\n  try      {}", close.join(", ")) };
    Usage::alone(text + &hint)
}

/// Each attribute once, by name, with all the columns that it may be.
fn choose(kind: &'static ObjectType, only: Option<&[String]>) -> Result<Vec<Shown>, Usage> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut all: Vec<&'static Attribute> = kind.attributes.iter().collect();
    all.sort_by_key(|attribute| attribute.name);
    for attribute in all {
        let condition = attribute
            .condition
            .as_ref()
            .map(|condition| format!(" if {}={}", condition.attribute, condition.values.join("|")))
            .unwrap_or_default();
        let place = format!("{}.{}{condition}", attribute.table, attribute.column);
        let places = places(place, value::of(attribute.table, attribute.column));
        match shown.last_mut().filter(|(name, ..)| *name == attribute.name) {
            // Of several columns, the type is said once where it is the same.
            Some((.., said)) => {
                said.extend(places.into_iter().filter(|text| !said.contains(text)).collect::<Vec<_>>())
            }
            None => shown.push((attribute.name, attribute.doc, places)),
        }
    }
    let Some(only) = only else { return Ok(shown) };
    // One interface of a packed column is explained by the column.
    let base = |name: &str| name.split_once('.').map_or(name, |(packed, _)| packed).to_owned();
    let only: Vec<String> = only.iter().map(|name| base(name)).collect();
    if let Some(unknown) = only.iter().find(|name| !shown.iter().any(|(known, ..)| known == name)) {
        let text =
            format!("'{unknown}' is not a valid attribute name for an object type of '{}'.", kind.name);
        let close = attribute::nearest(kind.name, unknown);
        let hint =
            if close.is_empty() { String::new() } else { format!("\n  try      {}", close.join(", ")) };
        return Err(Usage::alone(text + &hint));
    }
    shown.retain(|(name, ..)| only.iter().any(|wanted| wanted == name));
    Ok(shown)
}
