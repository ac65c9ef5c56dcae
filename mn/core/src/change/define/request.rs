//! What `mkdef` and `chdef` are asked to write: objects with their attributes, from words, from a
//! stanza file, and from a template.

use crate::command::Define;
use crate::model::Model;
use crate::object::stanza::{Stanza, StanzaError};
use crate::table::attribute::{self, ObjectType};
use crate::talk::Talk;

use super::template;
use crate::target;

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

/// A stanza file, read: of a whole site that takes a while, and needs no model.
pub(crate) type Stanzas = Result<Vec<Stanza>, StanzaError>;

/// All objects that are meant; none when the command as a whole makes no sense (and then it is
/// said). `has_failed` is set when some object could not be read.
pub(super) fn read(
    model: &Model,
    args: &Define,
    stanzas: Option<&Stanzas>,
    talk: &mut Talk<'_>,
    has_failed: &mut bool,
) -> Option<Vec<Wanted>> {
    let mut wanted = match stanzas {
        Some(stanzas) => from_stanzas(stanzas, talk, has_failed)?,
        None => {
            let found = target::named(model, &args.types, args.objects.as_ref(), talk)?;
            found.into_iter().map(|(kind, name)| Wanted { kind, name, attributes: Vec::new() }).collect()
        }
    };
    for object in &mut wanted {
        args.attributes.iter().for_each(|(name, value)| put(&mut object.attributes, name, value));
    }
    if let Some(name) = &args.template {
        template::fill(model, &mut wanted, name, talk)?;
    }
    Some(wanted)
}

fn from_stanzas(stanzas: &Stanzas, talk: &mut Talk<'_>, has_failed: &mut bool) -> Option<Vec<Wanted>> {
    let stanzas = match stanzas {
        Ok(stanzas) if stanzas.is_empty() => {
            talk.error("No object names were provided.");
            talk.hint("  because  the stanza file holds no object: `name:` and below it `    objtype=TYPE`");
            return None;
        }
        Ok(stanzas) => stanzas,
        Err(error) => {
            talk.error(&error.to_string());
            talk.hint(format!("  try      {}", error.attempt()));
            return None;
        }
    };
    let mut wanted: Vec<Wanted> = Vec::new();
    // Objects may be many thousands: the place of each, so that a second stanza of one adds to it.
    let mut places = std::collections::HashMap::new();
    for stanza in stanzas {
        let Some(name) = stanza.kind.as_deref() else {
            talk.error(&format!(
                "\nNo objtype value was specified for '{}'. Cannot create object definition.",
                stanza.name
            ));
            *has_failed = true;
            continue;
        };
        let Some(kind) = attribute::object_type(name) else {
            talk.error(&target::no_type(name));
            *has_failed = true;
            continue;
        };
        let place = *places.entry((kind.name, stanza.name.as_str())).or_insert_with(|| {
            wanted.push(Wanted { kind, name: stanza.name.clone(), attributes: Vec::new() });
            wanted.len() - 1
        });
        if let Some(object) = wanted.get_mut(place) {
            stanza.attributes.iter().for_each(|(name, value)| put(&mut object.attributes, name, value));
        }
    }
    Some(wanted)
}

/// Sets an attribute; the later of two wins.
fn put(attributes: &mut Vec<(String, String)>, name: &str, value: &str) {
    match attributes.iter_mut().find(|(known, _)| known == name) {
        Some((_, held)) => value.clone_into(held),
        None => attributes.push((name.to_owned(), value.to_owned())),
    }
}
