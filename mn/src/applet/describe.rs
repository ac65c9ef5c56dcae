//! What attributes mean (`lsdef -h -t network -i mask`), out of the registry.

use mn_core::table::attribute::{self, Attribute, ObjectType};

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
        let chosen = choose(kind, only)?;
        text.push_str(&format!("The valid attribute names for object type '{name}' are:\n\n"));
        for (name, doc, places) in chosen {
            text.push_str(&format!("{name}:\t{doc} ({})\n\n", places.join(", ")));
        }
    }
    Ok(text)
}

type Shown = (&'static str, &'static str, Vec<String>);

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
        match shown.last_mut().filter(|(name, ..)| *name == attribute.name) {
            Some((.., places)) => places.push(place),
            None => shown.push((attribute.name, attribute.doc, vec![place])),
        }
    }
    let Some(only) = only else { return Ok(shown) };
    if let Some(unknown) = only.iter().find(|name| !shown.iter().any(|(known, ..)| known == name)) {
        return Err(Usage::new(format!(
            "'{unknown}' is not a valid attribute name for an object type of '{}'.",
            kind.name
        )));
    }
    shown.retain(|(name, ..)| only.iter().any(|wanted| wanted == name));
    Ok(shown)
}
