//! `lsdef --template`: the templates that come with the program, shown like objects.

use serde_json::{Map, Value, json};

use crate::command::Lsdef;
use crate::object::shipped::SHIPPED;
use crate::object::stanza::{self, Stanza};
use crate::table::nearest;
use crate::talk::{Context, Line, error};

/// Shows the named templates, or all of the types that are meant; gives the exit status.
pub(super) fn answer(args: &Lsdef, names: &[String], context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    let node = ["node".to_owned()];
    let types = if args.types.is_empty() { &node[..] } else { &args.types };
    let is_meant =
        |stanza: &&Stanza| args.all || stanza.kind.as_ref().is_some_and(|kind| types.contains(kind));
    let of_types: Vec<&Stanza> = SHIPPED.iter().filter(is_meant).collect();
    for name in names {
        if !of_types.iter().any(|stanza| stanza.name == *name) {
            let text = format!("Could not find {name} in xCAT templates.");
            let close = nearest::names(name, of_types.iter().map(|stanza| stanza.name.as_str()));
            out(Line::Err(error(context, &nearest::hinted(text, &close))));
            return 1;
        }
    }
    let chosen: Vec<&Stanza> =
        of_types.into_iter().filter(|stanza| names.is_empty() || names.contains(&stanza.name)).collect();
    if args.stanza && !context.view.json {
        out(Line::Out(stanza::HEADER.to_owned()));
    }
    if chosen.is_empty() {
        out(Line::Out("Could not find any objects to display.".to_owned()));
    }
    for template in chosen {
        out(shown(args, template, context));
    }
    0
}

fn shown(args: &Lsdef, template: &Stanza, context: &Context) -> Line {
    let (name, kind) = (&template.name, template.kind.as_deref().unwrap_or_default());
    let is_wanted =
        |name: &str| args.attributes.as_ref().is_none_or(|wanted| wanted.iter().any(|known| known == name));
    let mut pairs: Vec<(&str, &str)> = template
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, value)| is_wanted(name) && !value.is_empty())
        .collect();
    pairs.sort_unstable();
    if context.view.json {
        let attributes: Map<String, Value> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        return Line::Record(json!({"name": name, "type": kind, "attributes": attributes}));
    }
    if args.stanza {
        return Line::Out(format!("\n{}", stanza::render(name, kind, pairs)));
    }
    if args.short || !args.long {
        let blank = if args.all { " " } else { "  " };
        return Line::Out(format!("{name}{blank}({kind})"));
    }
    let is_typed = args.all || args.types.len() > 1;
    let mut text = format!("Object name: {name}");
    if is_typed {
        text.push_str(&format!("  ({kind})"));
    }
    pairs.iter().for_each(|(name, value)| text.push_str(&format!("\n    {name}={value}")));
    Line::Out(text)
}
