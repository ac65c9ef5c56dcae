//! What `mkdef` and `chdef` are asked to write: objects with their attributes, from words, from a
//! stanza file, and from a template.

use crate::change::stanza;
use crate::change::{Define, Talk};
use crate::model::Model;
use crate::query::object;
use crate::table::attribute::{self, ObjectType};

use super::targets;

/// An object with what is to be written to it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its type.
    pub kind: &'static ObjectType,
    /// Its name.
    pub name: String,
    /// Attributes with values, each attribute once.
    pub attributes: Vec<(String, String)>,
}

/// All objects that are meant; none when the command as a whole makes no sense (and then it is
/// said).
pub(super) fn read(model: &Model, args: &Define, talk: &mut Talk<'_>) -> Option<Vec<Wanted>> {
    let mut wanted = match &args.stanza {
        Some(text) => from_stanza(model, args, text, talk)?,
        None => {
            let found = targets::named(model, &args.types, args.objects.as_ref(), talk)?;
            found.into_iter().map(|(kind, name)| Wanted { kind, name, attributes: Vec::new() }).collect()
        }
    };
    for object in &mut wanted {
        args.attributes.iter().for_each(|(name, value)| put(&mut object.attributes, name, value));
        if let Some(template) = &args.template {
            add_template(model, object, template, talk)?;
        }
    }
    Some(wanted)
}

fn from_stanza(model: &Model, args: &Define, text: &str, talk: &mut Talk<'_>) -> Option<Vec<Wanted>> {
    let stanzas = match stanza::parse(text) {
        Ok(stanzas) if stanzas.is_empty() => {
            talk.error("No objects were found in the stanza file.");
            return None;
        }
        Ok(stanzas) => stanzas,
        Err(error) => {
            talk.error(&error.to_string());
            return None;
        }
    };
    let default = targets::kinds(&args.types, talk)?;
    // With -t or -o, only those of the file.
    let only = match (&args.objects, default.first()) {
        (Some(range), Some(kind)) => Some(targets::names(model, kind, range, talk)?),
        _ => None,
    };
    let mut wanted: Vec<Wanted> = Vec::new();
    // Objects may be many thousands: the place of each, so that a second stanza of one adds to it.
    let mut places = std::collections::HashMap::new();
    for stanza in stanzas {
        if only.as_ref().is_some_and(|only| !only.contains(&stanza.name)) {
            continue;
        }
        let kind = match stanza.kind.as_deref().map(|name| (name, attribute::object_type(name))) {
            Some((_, Some(kind))) => kind,
            Some((name, None)) => {
                talk.error(&format!("\nType '{name}' is not a valid xCAT object type."));
                return None;
            }
            None => *default.first()?,
        };
        let place = *places.entry((kind.name, stanza.name.clone())).or_insert_with(|| {
            wanted.push(Wanted { kind, name: stanza.name.clone(), attributes: Vec::new() });
            wanted.len() - 1
        });
        if let Some(object) = wanted.get_mut(place) {
            stanza.attributes.iter().for_each(|(name, value)| put(&mut object.attributes, name, value));
        }
    }
    Some(wanted)
}

/// Fills in what the template has and the object is not given.
fn add_template(model: &Model, object: &mut Wanted, template: &str, talk: &mut Talk<'_>) -> Option<()> {
    if !object::exists(model, object.kind, template) {
        talk.error(&format!("Could not find an object named '{template}' of type '{}'.", object.kind.name));
        return None;
    }
    for (name, value) in object::own(model, object.kind, template) {
        if !object.attributes.iter().any(|(given, _)| *given == name) {
            object.attributes.push((name, value));
        }
    }
    Some(())
}

/// Sets an attribute; the later of two wins.
fn put(attributes: &mut Vec<(String, String)>, name: &str, value: &str) {
    match attributes.iter_mut().find(|(known, _)| known == name) {
        Some((_, held)) => value.clone_into(held),
        None => attributes.push((name.to_owned(), value.to_owned())),
    }
}
