//! `lsdef`: definitions of objects, in xCAT's shapes.

mod image;
mod template;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::command::Lsdef;
use crate::model::Model;
use crate::object::select::{self, Selection};
use crate::object::{self, Reader, Shown, stanza};
use crate::table::attribute::{self, ObjectType};
use crate::table::schema;
use crate::talk::{Context, Line, Talk, error};
use crate::target;

/// Answers `lsdef`; gives the exit status.
pub(super) fn answer(model: &Model, args: &Lsdef, context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
    if let Some(names) = &args.template {
        return template::answer(args, names, context, out);
    }
    let mut talk = Talk::new(context);
    let plan = Listing::new(model, args, &mut talk);
    let outcome = talk.finish(None);
    outcome.lines.into_iter().for_each(&mut *out);
    let Some(mut listing) = plan else { return 1 };
    listing.status = outcome.status;
    listing.run(context, out)
}

/// What is shown of each object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// `NAME  (TYPE)`.
    Short,
    /// A header and indented attributes.
    Long,
    /// `NAME: ATTR=VALUE`.
    Compressed,
    /// A stanza file.
    Stanza,
}

struct Listing<'a> {
    model: &'a Model,
    args: &'a Lsdef,
    kinds: Vec<&'static ObjectType>,
    selections: Vec<Selection>,
    shape: Shape,
    status: u8,
    printed: usize,
    /// How many names are of nothing.
    missing: usize,
}

impl<'a> Listing<'a> {
    fn new(model: &'a Model, args: &'a Lsdef, talk: &mut Talk<'_>) -> Option<Self> {
        let kinds = match args.all {
            // Logs may be long; they are shown when they are asked for by name.
            true => attribute::object_types().filter(|kind| !kind.name.ends_with("log")).collect(),
            false => target::kinds(&args.types, talk)?,
        };
        warn_unknown(args, &kinds, talk);
        let mut selections = Vec::new();
        for text in &args.select {
            let Ok(selection) = Selection::parse(text) else {
                talk.error("Incorrect selection string specified with -w flag.");
                return None;
            };
            selections.push(selection);
        }
        let is_long = args.long || args.objects.is_some() || args.attributes.is_some() || args.nics;
        let shape = match (args.stanza, args.compress, args.short) {
            (true, ..) => Shape::Stanza,
            (_, true, _) => Shape::Compressed,
            (.., true) => Shape::Short,
            _ if is_long => Shape::Long,
            _ => Shape::Short,
        };
        refuse_unknown(args, &kinds, talk);
        Some(Self { model, args, kinds, selections, shape, status: 0, printed: 0, missing: 0 })
    }

    fn run(&mut self, context: &Context, out: &mut dyn FnMut(Line)) -> u8 {
        let (mut was_hidden, mut is_any) = (false, false);
        for kind in self.kinds.clone() {
            let reader = Reader::new(self.model, kind, self.args.attributes.as_deref());
            let Some(names) = self.names(kind, context, out) else { return 1 };
            let is_first = !is_any && (!names.is_empty() || self.args.objects.is_some());
            if is_first && self.shape == Shape::Stanza && !context.view.json {
                out(Line::Out(stanza::HEADER.to_owned()));
            }
            is_any |= is_first;
            for name in &names {
                if self.is_hidden(kind, name) {
                    was_hidden |= self.is_selected(kind, name);
                    continue;
                }
                if self.args.objects.is_some() && !object::exists(self.model, kind, name) {
                    // With several types, a name need be of one of them only.
                    if !self.kinds.iter().any(|other| object::exists(self.model, other, name)) {
                        let text = target::missing(self.model, kind, name, self.missing);
                        out(Line::Err(error(context, &text)));
                        self.missing += 1;
                        self.status = 1;
                    }
                } else if self.is_selected(kind, name) {
                    self.print(&reader, kind, name, context, out);
                }
            }
        }
        if !is_any && !context.view.json {
            out(Line::Out("Could not find any object definitions to display.".to_owned()));
        } else if self.printed == 0 && !was_hidden && !context.view.json && self.shape != Shape::Stanza {
            out(Line::Out("No object definitions have been found".to_owned()));
        }
        self.status
    }

    fn names(
        &self,
        kind: &'static ObjectType,
        context: &Context,
        out: &mut dyn FnMut(Line),
    ) -> Option<Vec<String>> {
        let Some(range) = &self.args.objects else { return Some(object::names(self.model, kind)) };
        let mut talk = Talk::new(context);
        let names = target::names(self.model, kind, range, &mut talk);
        talk.finish(None).lines.into_iter().for_each(out);
        names
    }

    fn is_hidden(&self, kind: &ObjectType, name: &str) -> bool {
        !self.args.hidden
            && kind.name == "node"
            && object::cell(self.model, schema::NODELIST, name, "hidden").is_some_and(|hidden| hidden == "1")
    }

    fn is_selected(&self, kind: &'static ObjectType, name: &str) -> bool {
        let value = |selection: &Selection| {
            let own = object::value(self.model, kind, name, &selection.name);
            let is_script = matches!(selection.name.as_str(), "postscripts" | "postbootscripts");
            if !is_script || kind.name != "node" || self.shape == Shape::Stanza {
                return own;
            }
            // Selected is by what is shown.
            let defaults = self.default_scripts(name, &selection.name);
            Some(joined(&defaults, &own.unwrap_or_default())).filter(|scripts| !scripts.is_empty())
        };
        self.selections.iter().all(|selection| value(selection).is_some_and(|value| selection.holds(&value)))
    }

    fn print(
        &mut self,
        reader: &Reader<'a>,
        kind: &'static ObjectType,
        name: &str,
        context: &Context,
        out: &mut dyn FnMut(Line),
    ) {
        self.printed += 1;
        if self.shape == Shape::Stanza && self.args.short && !context.view.json {
            out(Line::Out(format!("\n{name}:")));
            return;
        }
        if self.shape == Shape::Short {
            let blank = if self.args.all { " " } else { "  " };
            out(match context.view.json {
                true => Line::Record(json!({"name": name, "type": kind.name})),
                false => Line::Out(format!("{name}{blank}({})", kind.name)),
            });
            return;
        }
        let mut image = None;
        if self.args.osimage && kind.name == "node" {
            let (found, said) = image::attributes(self.model, name);
            said.into_iter().for_each(|said| out(said.line(context)));
            self.status |= u8::from(found.is_none());
            image = found;
        }
        let mut shown = self.attributes(reader, kind, name);
        shown.extend(image.unwrap_or_default());
        if self.shape == Shape::Compressed && shown.is_empty() {
            return;
        }
        if context.view.json {
            let attributes: Map<String, Value> =
                shown.iter().map(|shown| (shown.name.to_string(), json!(shown.value))).collect();
            out(Line::Record(json!({"name": name, "type": kind.name, "attributes": attributes})));
            return;
        }
        out(Line::Out(match self.shape {
            Shape::Stanza => {
                let pairs = shown.iter().map(|shown| (shown.name.as_ref(), shown.value.as_ref()));
                format!("\n{}", stanza::render(name, kind.name, pairs))
            }
            Shape::Compressed => {
                let lines: Vec<String> =
                    shown.iter().map(|shown| format!("{name}: {}={}", shown.name, shown.value)).collect();
                lines.join("\n")
            }
            Shape::Short | Shape::Long => self.long(kind, name, &shown),
        }));
    }

    fn long(&self, kind: &ObjectType, name: &str, shown: &[Shown<'_>]) -> String {
        let mut text = format!("Object name: {name}");
        if self.kinds.len() > 1 {
            text.push_str(&format!("  ({})", kind.name));
        }
        for attribute in shown {
            text.push_str(&format!("\n    {}={}", attribute.name, attribute.value));
            if self.args.verbose {
                text.push_str(&annotation(kind, attribute));
            }
        }
        text
    }

    /// The attributes to show, by name.
    fn attributes<'n>(
        &'n self,
        reader: &Reader<'a>,
        kind: &'static ObjectType,
        name: &'n str,
    ) -> Vec<Shown<'n>> {
        let mut shown = reader.read(name);
        if kind.name == "node" && self.shape != Shape::Stanza {
            self.add_default_scripts(name, &mut shown);
        }
        if self.args.nics {
            shown.retain(|attribute| attribute.place.is_some_and(|(table, ..)| table == schema::NICS));
        }
        match &self.args.attributes {
            Some(wanted) => only(kind, wanted, shown),
            None => shown,
        }
    }

    /// Scripts that a node runs besides its own: every node those of `xcatdefaults`, first, and a
    /// service node those of `service` too.
    fn default_scripts(&self, name: &str, column: &str) -> Vec<&'a str> {
        let row = |key| object::cell(self.model, schema::POSTSCRIPTS, key, column);
        let service = row("service").filter(|_| self.model.is_member(name, "service"));
        row("xcatdefaults").into_iter().chain(service).collect()
    }

    fn add_default_scripts(&self, name: &str, shown: &mut Vec<Shown<'_>>) {
        for column in ["postbootscripts", "postscripts"] {
            let defaults = self.default_scripts(name, column);
            if defaults.is_empty() {
                continue;
            }
            match shown.binary_search_by(|known| known.name.as_ref().cmp(column)) {
                Ok(at) => {
                    if let Some(known) = shown.get_mut(at) {
                        known.value = joined(&defaults, &known.value).into();
                    }
                }
                Err(at) => shown.insert(
                    at,
                    Shown {
                        name: column.into(),
                        value: joined(&defaults, "").into(),
                        place: Some((schema::POSTSCRIPTS, "node", column)),
                    },
                ),
            }
        }
    }
}

/// Where an attribute is kept, as `-V` says it: rows of nodes are looked up otherwise than others.
fn annotation(kind: &ObjectType, attribute: &Shown<'_>) -> String {
    let Some((table, key, column)) = attribute.place else { return String::new() };
    match (kind.name, table) {
        ("site", _) => format!("\t(Table:{table} - Key:{})", attribute.name),
        (_, schema::MONSETTING) => format!("\t(Table:{table})"),
        ("auditlog" | "eventlog", _) => format!("\t(Table:{table} - Key:{column})"),
        ("group", _) if attribute.name == "members" => String::new(),
        _ if key == "node" => format!("\t(Table:{table} - Key:{key} - Column:{column})"),
        _ => format!("\t(Table:{table} - Key: {key} - Column:{column})"),
    }
}

/// Lists after one another, each item once: a member of the group `service` has the row `service`
/// twice over, as a default and by inheritance.
fn joined(lists: &[&str], last: &str) -> String {
    let mut items: Vec<&str> = Vec::new();
    for item in lists.iter().copied().chain([last]).flat_map(|list| list.split(',')).map(str::trim) {
        if !item.is_empty() && !items.contains(&item) {
            items.push(item);
        }
    }
    items.join(",")
}

/// A selection by an attribute that no type has selects nothing, which is hardly meant.
fn warn_unknown(args: &Lsdef, kinds: &[&'static ObjectType], talk: &mut Talk<'_>) {
    for name in args.select.iter().filter_map(|text| select::split(text)).map(|(name, ..)| name) {
        if let (Some(kind), true) = (kinds.first(), kinds.iter().all(|kind| !is_shown_name(kind, name))) {
            let text =
                format!("'{name}' is not a valid attribute name for an object type of '{}'.", kind.name);
            talk.warn(&text);
            let nearest = attribute::nearest(kind.name, name);
            if !nearest.is_empty() {
                talk.hint(format!("  try      {}", nearest.join(", ")));
            }
        }
    }
}

/// Attributes that a type does not have are said for each type, and the others are shown.
fn refuse_unknown(args: &Lsdef, kinds: &[&'static ObjectType], talk: &mut Talk<'_>) {
    for kind in kinds {
        for name in args.attributes.iter().flatten().filter(|name| !is_shown_name(kind, name)) {
            talk.error(&format!(
                "'{name}' is not a valid attribute name for an object type of '{}'.",
                kind.name
            ));
            let nearest = attribute::nearest(kind.name, name);
            if !nearest.is_empty() {
                talk.hint(format!("  try      {}", nearest.join(", ")));
            }
        }
    }
}

/// Whether `-i` may name it: an attribute, or one interface of a nic attribute.
fn is_shown_name(kind: &ObjectType, name: &str) -> bool {
    object::is_known(kind, name)
}

/// The named attributes alone, sorted, unset ones empty.
fn only<'n>(kind: &ObjectType, wanted: &'n [String], shown: Vec<Shown<'n>>) -> Vec<Shown<'n>> {
    let mut wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut chosen = Vec::new();
    for name in wanted {
        // `nicips` stands for all of its interfaces.
        let is_it = |known: &Shown<'_>| {
            known.name == name || object::split_nic(&known.name).is_some_and(|(packed, _)| packed == name)
        };
        let found: Vec<Shown<'n>> = shown.iter().filter(|known| is_it(known)).cloned().collect();
        // What has no fixed columns shows what is there; so does one interface of several.
        let is_fixed = !matches!(kind.name, "site" | "monitoring") && !name.starts_with("nic");
        if found.is_empty() && is_fixed && is_shown_name(kind, name) {
            chosen.push(Shown { name: name.into(), value: Cow::Borrowed(""), place: None });
        }
        chosen.extend(found);
    }
    chosen
}
