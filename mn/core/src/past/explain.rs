//! `explain`: why an attribute has its value, and who said so.
//!
//! The value is `lsdef`'s. Its sources are the cells that it was made of, in the order in which they
//! were joined: the object's own row, a row of its groups, a row for all (`xcatdefaults`, `service`).
//! What no cell says comes from the site, the node's network, its owner or is built in; that is shown
//! too ([`fallback`]), so that `explain` never answers "nothing" where a node is told something.
//! Each cell knows the transaction that set it; whoever has the journal looks that up.

mod fallback;

use common::report::Refusal;
use serde_json::{Value, json};

use super::{Times, printable};
use crate::command::Explain;
use crate::model::{Model, Origin};
use crate::object::{self, Reader, Shown, split_nic};
use crate::table::attribute::{self, ObjectType};
use crate::table::scope;
use crate::table::{RowKey, TableId, nearest, schema};
use crate::talk::{Context, Line, warning};
use crate::target::range;
use crate::template;

/// The transaction that set a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setter {
    /// Its number.
    pub revision: u64,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Who.
    pub author: String,
    /// The command as typed.
    pub command: String,
}

/// Finds the transaction that gave a cell the value that it has; none where that is forgotten.
pub type Setters<'a> = &'a mut dyn FnMut(TableId, &RowKey, &str) -> Option<Setter>;

/// A cell, or something else, that a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    /// In words: `its own row`, `group compute`, `network mgt`, `built in`.
    from: String,
    /// The cell; none for what is built in.
    cell: Option<(TableId, RowKey, &'static str)>,
    /// What stands there.
    stored: String,
    /// What a template read out of the name.
    groups: Option<Vec<String>>,
}

impl Source {
    /// Whether it is a password or a key: where it comes from is explained, and not what it is.
    fn is_secret(&self) -> bool {
        let cell = self.cell.as_ref();
        cell.is_some_and(|(table, key, column)| scope::is_secret(*table, key.as_str(), column))
    }
}

/// What is shown of a secret; `lsdef` shows those that it shows in xCAT.
const SECRET: &str = "<secret>";

/// An attribute and why it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reason {
    name: String,
    value: String,
    sources: Vec<Source>,
}

/// Explains the attributes of objects; gives the exit status.
pub fn answer(
    model: &Model,
    args: &Explain,
    context: &Context,
    (setters, times): (Setters<'_>, Times<'_>),
    out: &mut dyn FnMut(Line),
) -> u8 {
    let (kind, names) = match objects(model, args, context, out) {
        Ok(found) => found,
        Err(refusals) => {
            refusals.iter().for_each(|refusal| out(Line::Err(refusal.render("explain"))));
            return 1;
        }
    };
    let reader = Reader::new(model, kind, None);
    for name in &names {
        let mut reasons = reasons(model, kind, &reader, name);
        if !args.attributes.is_empty() {
            reasons = chosen(kind, &args.attributes, reasons);
        }
        if !context.view.json {
            out(Line::Out(format!("{name} ({})", kind.name)));
        }
        for reason in &reasons {
            say(kind, name, reason, context, (&mut *setters, times), out);
        }
    }
    0
}

/// The type and the names of the objects, all of which exist.
fn objects(
    model: &Model,
    args: &Explain,
    context: &Context,
    out: &mut dyn FnMut(Line),
) -> Result<(&'static ObjectType, Vec<String>), Vec<Refusal>> {
    let name = if args.kind.is_empty() { "node" } else { args.kind.as_str() };
    let kind = attribute::object_type(name).ok_or_else(|| {
        let kinds = attribute::object_types().map(|kind| kind.name);
        vec![advised(
            Refusal::new(format!("{name} is no type of object")),
            &nearest::names(name, kinds),
            || {
                let kinds: Vec<&str> = attribute::object_types().map(|kind| kind.name).collect();
                kinds.join(", ")
            },
        )]
    })?;
    let unknown =
        args.attributes.iter().filter(|name| !object::is_known(kind, name) && !fallback::is_one(name));
    let refusals: Vec<Refusal> = unknown
        .map(|attribute| {
            let refusal = Refusal::new(format!("{attribute} is no attribute of a {name}"));
            let help = || format!("lsdef -h -t {name}, to see them all");
            advised(refusal, &attribute::nearest(name, attribute), help)
        })
        .collect();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    if kind.name == "node" {
        let found = range::nodes(model, &args.objects).map_err(|refusal| vec![refusal])?;
        found.warnings.iter().for_each(|text| out(Line::Err(warning(context, text))));
        return Ok((kind, found.nodes.iter().map(ToString::to_string).collect()));
    }
    let names: Vec<String> = crate::model::split(&args.objects.text).map(str::to_owned).collect();
    let absent = names.iter().filter(|object| !object::exists(model, kind, object));
    let refusals: Vec<Refusal> = absent
        .map(|object| {
            let known = object::names(model, kind);
            let close = nearest::names(object, known.iter().map(String::as_str));
            let refusal = Refusal::new(format!("there is no {name} {object}"));
            advised(refusal, &close, || format!("lsdef -t {name}, to see them all"))
        })
        .collect();
    if refusals.is_empty() { Ok((kind, names)) } else { Err(refusals) }
}

/// The refusal with the nearest names, or where to find all of them.
fn advised(refusal: Refusal, close: &[&str], otherwise: impl Fn() -> String) -> Refusal {
    refusal.attempt(if close.is_empty() { otherwise() } else { close.join(", ") })
}

/// The named attributes alone; those that nothing says stand there as unset.
fn chosen(kind: &ObjectType, wanted: &[String], reasons: Vec<Reason>) -> Vec<Reason> {
    let mut chosen: Vec<Reason> = Vec::new();
    for name in wanted {
        let is_it = |reason: &&Reason| {
            reason.name == *name || split_nic(&reason.name).is_some_and(|(packed, _)| packed == name)
        };
        let mut found: Vec<Reason> = reasons.iter().filter(is_it).cloned().collect();
        if found.is_empty() {
            let why = match attribute::named(kind.name, name).find_map(|a| a.condition.as_ref()) {
                Some(condition) => format!(
                    "nothing sets it, or {} is not {}",
                    condition.attribute,
                    condition.values.join(" or ")
                ),
                None => "nothing sets it".to_owned(),
            };
            let source = Source { from: why, cell: None, stored: String::new(), groups: None };
            found.push(Reason { name: name.clone(), value: String::new(), sources: vec![source] });
        }
        chosen.extend(found);
    }
    chosen
}

/// All attributes of an object, by name.
fn reasons<'a>(
    model: &'a Model,
    kind: &'static ObjectType,
    reader: &Reader<'a>,
    name: &'a str,
) -> Vec<Reason> {
    let shown = reader.read(name);
    let mut reasons: Vec<Reason> = shown
        .iter()
        .map(|shown| Reason {
            name: shown.name.to_string(),
            value: shown.value.to_string(),
            sources: sources(model, kind, name, shown),
        })
        .collect();
    if kind.name == "node" {
        fallback::add(model, name, &mut reasons);
        reasons.sort_by(|a, b| a.name.cmp(&b.name));
    }
    reasons
}

/// The cells that a value is made of.
fn sources(model: &Model, kind: &'static ObjectType, name: &str, shown: &Shown<'_>) -> Vec<Source> {
    if kind.name == "site" {
        return vec![own(schema::SITE, RowKey::one(&shown.name), "value", &shown.value)];
    }
    let base = split_nic(&shown.name).map_or_else(|| shown.name.as_ref(), |(packed, _)| packed);
    let place = |a: &&attribute::Attribute| {
        shown.place.is_some_and(|(table, _, column)| a.table == table && a.column == column)
    };
    let Some(attribute) = attribute::named(kind.name, base).find(place) else {
        return vec![made(if base == "members" { "the members' own lists of groups" } else { "built in" })];
    };
    if !object::is_cell(attribute) {
        // Of a table with several rows a node, the model says whose rows count.
        let inherits = kind.name == "node" && attribute.table.table().is_inherited();
        let records = inherits.then(|| model.records(attribute.table, name, &[attribute.column]));
        let origin = records.iter().flatten().find_map(|record| record.sourced(0)?.origins.first().copied());
        let group = match origin {
            Some(Origin::Group(group)) => Some(group),
            _ => None,
        };
        let rows = object::rows(model, attribute, group.unwrap_or(name));
        let cells = rows.iter().filter_map(|(key, row)| {
            let cell = own(attribute.table, (*key).clone(), attribute.column, row.cell(attribute.column)?);
            let Some(group) = group else { return Some(cell) };
            let groups =
                template::is_template(&cell.stored).then(|| template::groups(&cell.stored, name)).flatten();
            Some(Source { from: format!("group {group}"), groups, ..cell })
        });
        let cells: Vec<Source> = cells.collect();
        return if cells.is_empty() { vec![made_of(base)] } else { cells };
    }
    let Some(found) = model.cell_source(attribute.table, name, attribute.column) else { return Vec::new() };
    let cells = found.origins.iter().map(|origin| {
        let (from, row) = match origin {
            Origin::Node => ("its own row".to_owned(), name),
            Origin::Group(group) => (format!("group {group}"), *group),
        };
        let rows = model.tables().rows_under(attribute.table, row);
        let cell = rows.filter_map(|(key, row)| Some((key.clone(), row.cell(attribute.column)?))).next();
        let key = cell.as_ref().map_or_else(|| RowKey::one(row), |(key, _)| key.clone());
        let stored = cell.map(|(_, stored)| stored.to_owned()).unwrap_or_default();
        let groups = template::is_template(&stored).then(|| template::groups(&stored, name)).flatten();
        Source { from, cell: Some((attribute.table, key, attribute.column)), stored, groups }
    });
    cells.collect()
}

/// What a group has without a row of its own.
fn made_of(attribute: &str) -> Source {
    made(match attribute {
        "members" => "the lists of groups of its members",
        _ => "built in",
    })
}

fn made(from: &str) -> Source {
    Source { from: from.to_owned(), cell: None, stored: String::new(), groups: None }
}

fn own(table: TableId, key: RowKey, column: &'static str, stored: &str) -> Source {
    Source {
        from: "its own row".to_owned(),
        cell: Some((table, key, column)),
        stored: stored.to_owned(),
        groups: None,
    }
}

fn say(
    kind: &ObjectType,
    object: &str,
    reason: &Reason,
    context: &Context,
    (setters, times): (Setters<'_>, Times<'_>),
    out: &mut dyn FnMut(Line),
) {
    let mut records: Vec<Value> = Vec::new();
    let is_secret = reason.sources.iter().any(Source::is_secret);
    let shown = |text: &str| if is_secret { SECRET.to_owned() } else { printable(text) };
    let mut text = format!("  {}={}", reason.name, shown(&reason.value));
    for source in &reason.sources {
        let set = source.cell.as_ref().and_then(|(table, key, column)| setters(*table, key, column));
        if context.view.json {
            records.push(record(source, is_secret, set.as_ref(), times));
            continue;
        }
        let place = match &source.cell {
            Some((table, key, column)) => format!(": {table}.{column} of {key}"),
            None => String::new(),
        };
        text.push_str(&format!("\n    from  {}{place}", source.from));
        if source.cell.is_some() && source.stored != reason.value {
            text.push_str(&format!("\n    text  {}", shown(&source.stored)));
            if let Some(groups) = source.groups.as_ref().filter(|groups| !groups.is_empty() && !is_secret) {
                let groups = (1..).zip(groups).map(|(at, group)| format!("${at}={group}"));
                text.push_str(&format!("  ({})", groups.collect::<Vec<_>>().join(", ")));
            }
        }
        match set {
            Some(Setter { revision, at, author, command }) => {
                let (at, author) = (times(at), printable(&author));
                text.push_str(&format!("\n    set   revision {revision}, {at}, {author}: {command}"));
            }
            None if source.cell.is_some() => {
                text.push_str("\n    set   before the history that is kept");
            }
            None => {}
        }
    }
    out(match context.view.json {
        true => Line::Record(json!({
            "object": object, "type": kind.name, "attribute": reason.name,
            "value": if is_secret { SECRET } else { &reason.value },
            "sources": records,
        })),
        false => Line::Out(text),
    });
}

fn record(source: &Source, is_secret: bool, set: Option<&Setter>, times: Times<'_>) -> Value {
    let cell = source.cell.as_ref();
    json!({
        "from": source.from,
        "table": cell.map(|(table, ..)| table.name()),
        "key": cell.map(|(_, key, _)| key.to_string()),
        "column": cell.map(|(.., column)| *column),
        "stored": cell.map(|_| if is_secret { SECRET } else { &source.stored }),
        "groups": source.groups.as_ref().filter(|_| !is_secret),
        "revision": set.map(|set| set.revision),
        "at": set.map(|set| set.at),
        "time": set.map(|set| times(set.at)),
        "author": set.map(|set| &set.author),
        "command": set.map(|set| &set.command),
    })
}

#[cfg(test)]
mod tests;
