//! What attributes mean (`lsdef -h -t network -i mask`), out of the registry.

use mn_core::table::attribute::{self, Attribute, ObjectType};
use mn_core::table::nearest;
use mn_core::table::value;

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
        let kind = attribute::object_type(name).ok_or_else(|| {
            let text = format!("\nType '{name}' is not a valid xCAT object type.");
            let close = nearest::names(name, attribute::object_types().map(|kind| kind.name));
            Usage::alone(hinted(text, &close))
        })?;
        let mut described = if kind.name == "site" { settings() } else { of_type(kind) };
        if let Some(only) = only {
            described = chosen(described, only, kind.name)?;
        } else {
            text.push_str(&format!("The valid attribute names for object type '{name}' are:\n"));
        }
        text.push_str("Attribute          Description\n\n");
        described.iter().for_each(|known| text.push_str(&known.text()));
        if kind.name == "site" && only.is_none() {
            text.push_str("Other settings may be made, and are kept for whoever reads them.\n\n");
        }
    }
    Ok(text)
}

/// What is said of one attribute.
struct Described {
    name: &'static str,
    doc: &'static str,
    /// The columns that it may be.
    places: Vec<String>,
    /// What those hold, each text once.
    values: Vec<String>,
}

impl Described {
    fn text(&self) -> String {
        let Self { name, doc, .. } = self;
        let tabs = if name.len() < 7 { "\t\t" } else { "\t" };
        let values = self.values.iter().filter(|text| !text.is_empty()).map(|text| format!("; {text}"));
        format!("{name}:{tabs}{doc} ({}{})\n\n", self.places.join(", "), values.collect::<String>())
    }
}

/// The settings of the site that are known.
fn settings() -> Vec<Described> {
    let described = value::settings().map(|setting| Described {
        name: setting.key,
        doc: setting.doc,
        places: vec!["site.value".to_owned()],
        values: vec![setting.value.explained()],
    });
    described.collect()
}

/// Each attribute of a type once, by name.
fn of_type(kind: &'static ObjectType) -> Vec<Described> {
    let mut found: Vec<Described> = Vec::new();
    let mut all: Vec<&'static Attribute> = kind.attributes.iter().collect();
    all.sort_by_key(|attribute| attribute.name);
    for attribute in all {
        let Attribute { name, doc, table, column, .. } = attribute;
        let condition = attribute
            .condition
            .as_ref()
            .map(|condition| format!(" if {}={}", condition.attribute, condition.values.join("|")))
            .unwrap_or_default();
        if found.last().is_none_or(|last| last.name != *name) {
            found.push(Described { name, doc, places: Vec::new(), values: Vec::new() });
        }
        if let Some(known) = found.last_mut() {
            known.places.push(format!("{table}.{column}{condition}"));
            let value = value::of(*table, column).explained();
            if !known.values.contains(&value) {
                known.values.push(value);
            }
        }
    }
    found
}

/// Those that are named.
fn chosen(mut described: Vec<Described>, only: &[String], kind: &str) -> Result<Vec<Described>, Usage> {
    // One interface of a packed column is explained by the column.
    let base = |name: &String| match name.split_once('.') {
        Some((packed, _)) if packed.starts_with("nic") => packed.to_owned(),
        _ => name.clone(),
    };
    let only: Vec<String> = only.iter().map(base).collect();
    if let Some(unknown) = only.iter().find(|name| !described.iter().any(|known| known.name == name.as_str()))
    {
        let text = format!("'{unknown}' is not a valid attribute name for an object type of '{kind}'.");
        let close = nearest::names(unknown, described.iter().map(|known| known.name));
        return Err(Usage::alone(hinted(text, &close)));
    }
    described.retain(|known| only.iter().any(|wanted| wanted == known.name));
    Ok(described)
}

fn hinted(text: String, close: &[&str]) -> String {
    if close.is_empty() { text } else { format!("{text}\n  try      {}", close.join(", ")) }
}
