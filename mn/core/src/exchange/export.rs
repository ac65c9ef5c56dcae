//! `export`: the definitions of the site as sorted text, one stanza an object or row.

use serde_json::{Map, Value, json};

use super::subject::{self, Subject};
use super::{text, view};
use crate::command::Export;
use crate::model::Model;
use crate::table::nearest;
use crate::talk::{Context, Line, Talk};
use crate::target::range;

/// Answers `export`; gives the exit status.
pub(crate) fn answer(model: &Model, args: &Export, context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    let mut talk = Talk::new(context);
    let chosen = choose(model, args, &mut talk);
    talk.finish(None).lines.into_iter().for_each(&mut *out);
    let Some(chosen) = chosen else { return 1 };
    if !context.view.json {
        out(Line::Out(text::HEADER.to_owned()));
    }
    for subject in chosen {
        tell(model, &subject, args.secrets, context, out);
    }
    0
}

/// The subjects that are asked for; none where the question makes no sense.
fn choose(model: &Model, args: &Export, talk: &mut Talk<'_>) -> Option<Vec<Subject>> {
    for kind in &args.types {
        if subject::tables_of(kind).is_empty() && subject::row_type(kind).is_none() {
            let text = format!("there is no type {kind} to export");
            talk.error(&nearest::hinted(text, &nearest::names(kind, subject::kinds())));
            return None;
        }
    }
    let mut subjects = match &args.nodes {
        None => subject::all(model),
        Some(nodes) => {
            let found = match range::names(model, nodes) {
                Ok(found) => found,
                Err(text) => {
                    talk.error(&text);
                    return None;
                }
            };
            found.warnings.iter().for_each(|text| talk.warn(text));
            let mut subjects = Vec::new();
            for name in found.names {
                if model.has_node(&name) {
                    subjects.extend(subject::of_node(model, &name));
                } else {
                    talk.error(&format!("Could not find an object named '{name}' of type 'node'."));
                    return None;
                }
            }
            subjects.sort_by_key(|subject| (subject.kind(), subject.clone()));
            subjects
        }
    };
    subjects.retain(|subject| args.types.is_empty() || args.types.contains(&subject.kind()));
    Some(subjects)
}

/// Writes one subject; one of which nothing is to be said is left out, but for nodes, which are
/// there by their name alone.
fn tell(model: &Model, subject: &Subject, secrets: bool, context: &Context, out: &mut dyn FnMut(Line)) {
    let attributes = view::of(model, subject);
    let is_named = subject.kind() != "group" && subject.kind() != "site";
    if attributes.is_empty() && !is_named {
        return;
    }
    let shown = |name: &str| secrets || !view::is_secret(model, subject, name);
    let told = attributes.iter().map(|(name, value)| (name.as_str(), shown(name).then_some(value.as_str())));
    if context.view.json {
        let attributes: Map<String, Value> =
            told.map(|(name, value)| (name.to_owned(), value.map_or(Value::Null, Value::from))).collect();
        out(Line::Record(json!({"type": subject.kind(), "name": subject.name(), "attributes": attributes})));
    } else {
        let stanza = text::render(&subject.name(), &subject.kind(), told);
        out(Line::Out(format!("\n{}", stanza.trim_end_matches('\n'))));
    }
}
