//! Templates: attributes that many objects of a kind have, to begin with.
//!
//! Those that come with the program are in `templates.txt`, a stanza file that is compiled in. A
//! value there that starts with `MANDATORY:` must be given, one that starts with `OPTIONAL:` may
//! be. Any object can be a template, too.

use super::request::Wanted;
use crate::model::Model;
use crate::object;
use crate::object::shipped::SHIPPED;
use crate::object::stanza::Stanza;
use crate::table::nearest;
use crate::talk::Talk;

/// What is one machine's alone, or is found out about it: never taken from another object.
const ITS_OWN: &[&str] = &[
    "appstatus",
    "appstatustime",
    "asset",
    "currchain",
    "currstate",
    "hostnames",
    "ip",
    "mac",
    "nicips",
    "primarysn",
    "serial",
    "status",
    "statustime",
    "switchport",
    "updatestatus",
    "updatestatustime",
    "uuid",
];

/// Fills in what the template has and the objects are not given.
pub(super) fn fill(model: &Model, wanted: &mut [Wanted], name: &str, talk: &mut Talk<'_>) -> Option<()> {
    for object in wanted {
        let is_it =
            |stanza: &&Stanza| stanza.name == name && stanza.kind.as_deref() == Some(object.kind.name);
        match SHIPPED.iter().find(is_it) {
            Some(stanza) => fill_shipped(object, stanza, talk)?,
            None => fill_like(model, object, name, talk)?,
        }
    }
    Some(())
}

fn fill_shipped(object: &mut Wanted, template: &Stanza, talk: &mut Talk<'_>) -> Option<()> {
    for (name, value) in &template.attributes {
        let is_given = object.attributes.iter().any(|(known, value)| known == name && !value.is_empty());
        if is_given || value.is_empty() || value.starts_with("OPTIONAL:") {
            continue;
        }
        if let Some(what) = value.strip_prefix("MANDATORY:") {
            talk.error(&format!("The attribute \"{name}\" must be specified!"));
            talk.hint(format!("  because  it is {what}"));
            return None;
        }
        object.attributes.push((name.clone(), value.clone()));
    }
    Some(())
}

/// Takes what another object of the type says of itself.
fn fill_like(model: &Model, object: &mut Wanted, name: &str, talk: &mut Talk<'_>) -> Option<()> {
    let kind = object.kind;
    if !object::exists(model, kind, name) {
        talk.error(&format!("Could not find the template object named '{name}' of type '{}'.", kind.name));
        let shipped = SHIPPED.iter().filter(|stanza| stanza.kind.as_deref() == Some(kind.name));
        let close = nearest::names(name, shipped.map(|stanza| stanza.name.as_str()));
        let close = if close.is_empty() { vec!["lsdef --template, to see those there are"] } else { close };
        talk.hint(format!("  try      {}", close.join(", ")));
        return None;
    }
    if object.name == name {
        talk.error("The template node cannot be the same as the node to create.");
        return None;
    }
    for (name, value) in object::own(model, kind, name) {
        if ITS_OWN.contains(&name.as_str()) && kind.name == "node" {
            continue;
        }
        if !object.attributes.iter().any(|(given, _)| *given == name) {
            object.attributes.push((name, value));
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::attribute;

    #[test]
    fn every_shipped_template_is_of_attributes_that_there_are() {
        assert!(SHIPPED.len() > 8, "{}", SHIPPED.len());
        assert!(SHIPPED.windows(2).all(|pair| pair[0].name < pair[1].name), "each once");
        for template in SHIPPED.iter() {
            let kind = template.kind.as_deref().unwrap();
            for (name, _) in &template.attributes {
                assert!(attribute::named(kind, name).next().is_some(), "{}: {name}", template.name);
            }
        }
    }
}
