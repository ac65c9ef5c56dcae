//! What may stand at a place.

use mn_core::command::What;
use mn_core::table::attribute::{self, ObjectType};
use mn_core::table::schema::{TABLES, Table};

use super::Offers;
use super::place::{Place, Wanted};
use crate::applet::APPLETS;

type Ask<'a> = &'a dyn Fn(What, &str) -> Vec<String>;

/// What may stand there.
pub(super) fn at(place: &Place, ask: Ask<'_>) -> Offers {
    match &place.wanted {
        Wanted::Options(words) | Wanted::Commands(words) => Offers { words: words.clone(), files: false },
        Wanted::Value { id, names, operands } => {
            let mut offers = Offers::default();
            for name in names {
                let more = value(place, id, name, *operands, ask);
                offers.words.extend(more.words);
                offers.files |= more.files;
            }
            offers
        }
    }
}

/// What one alternative of a value may be.
fn value(place: &Place, id: &str, name: &str, operands: usize, ask: Ask<'_>) -> Offers {
    let typed = place.current.strip_prefix(&place.fixed).unwrap_or(&place.current);
    let kind = || place.kind.clone().unwrap_or_else(|| "node".to_owned());
    let plain = |words: Vec<String>| words.into_iter().map(|word| (word, String::new())).collect::<Vec<_>>();
    let words = match name {
        "NODERANGE" | "NODES" | "NODE" | "NAMES" if id.is_empty() && (operands > 0 || place.is_named) => {
            Vec::new()
        }
        "NODERANGE" | "NODES" | "NODE" | "NAMES" => {
            let what = if kind() == "node" { What::Nodes } else { What::Objects(kind()) };
            plain(listed(typed, |prefix| ask(what.clone(), prefix)))
        }
        "NAME" if id == "command" => {
            APPLETS.iter().map(|applet| (applet.name.to_owned(), String::new())).collect()
        }
        "NAME" if id == "template" => plain(ask(What::Objects(kind()), typed)),
        "GROUPS" | "GROUP" => plain(listed(typed, |prefix| ask(What::Objects("group".to_owned()), prefix))),
        "SERVICENODE" | "SN1" | "SN2" => plain(listed(typed, |prefix| ask(What::ServiceNodes, prefix))),
        "OSIMAGE" | "IMAGE" => plain(ask(What::Objects("osimage".to_owned()), typed)),
        "NETWORK" => plain(ask(What::Objects("network".to_owned()), typed)),
        "TYPE" => {
            plain(listed(typed, |_| attribute::object_types().map(|kind| kind.name.to_owned()).collect()))
        }
        "TABLE" => TABLES.iter().map(|table| (table.name.to_owned(), table.doc.to_owned())).collect(),
        "COLUMN" | "TABLE.COLUMN" | "COLUMN=VALUE" => columns(typed, name == "COLUMN=VALUE"),
        "ATTR" => listed_described(typed, attributes(&kind(), "")),
        "ATTR=VALUE" | "ATTR==VALUE" => assignment(&kind(), typed, name, ask),
        "STATE" => states(typed, ask),
        "REVISION" | "A..B" | "TIME" | "BEFORE" => revisions(typed, ask),
        "FILE" | "DIR" | "PATH" | "DIR|FILE" => return Offers { words: Vec::new(), files: true },
        _ => Vec::new(),
    };
    let words = words.into_iter().map(|(word, help)| (format!("{}{word}", place.fixed), help)).collect();
    Offers { words, files: false }
}

/// The items of a list: what stands before the last one stays in front of each.
fn listed(typed: &str, make: impl FnOnce(&str) -> Vec<String>) -> Vec<String> {
    let (before, last) = split_last(typed);
    make(last).into_iter().map(|name| format!("{before}{name}")).collect()
}

fn listed_described(typed: &str, names: Vec<(String, String)>) -> Vec<(String, String)> {
    let (before, _) = split_last(typed);
    names.into_iter().map(|(name, help)| (format!("{before}{name}"), help)).collect()
}

/// The last item of a list or a noderange, without the sign that excludes it; and what is before.
fn split_last(typed: &str) -> (&str, &str) {
    let at = typed.rfind([',', '@', '(']).map_or(0, |at| at + 1);
    let excluded = usize::from(at > 0 && typed.get(at..).is_some_and(|rest| rest.starts_with('-')));
    typed.split_at(at + excluded)
}

/// The attributes of a type of object, each with what it means.
fn attributes(kind: &str, end: &str) -> Vec<(String, String)> {
    let all = attribute::object_type(kind).map_or(&[][..], |kind: &ObjectType| &kind.attributes);
    all.iter().map(|attribute| (format!("{}{end}", attribute.name), attribute.doc.to_owned())).collect()
}

/// `ATTR=VALUE`: the attribute, then what it may hold, where that is a name of something.
fn assignment(kind: &str, typed: &str, form: &str, ask: Ask<'_>) -> Vec<(String, String)> {
    let sign = if form == "ATTR==VALUE" { "==" } else { "=" };
    let Some((name, value)) = typed.split_once('=') else { return attributes(kind, sign) };
    let value = value.trim_start_matches('=');
    let before = typed.strip_suffix(value).unwrap_or_default();
    let what = match name {
        "groups" => Some(What::Objects("group".to_owned())),
        "members" => Some(What::Nodes),
        "servicenode" => Some(What::ServiceNodes),
        "provmethod" => Some(What::Objects("osimage".to_owned())),
        _ => None,
    };
    let known: &[&str] = match name {
        "netboot" => &["grub2", "petitboot", "pxe", "xnba"],
        "mgt" => &["ipmi", "openbmc"],
        _ => &[],
    };
    let asked = what.map(|what| listed(value, |prefix| ask(what, prefix))).unwrap_or_default();
    let all = asked.into_iter().chain(known.iter().map(|&word| word.to_owned()));
    all.map(|word| (format!("{before}{word}"), String::new())).collect()
}

/// `table.column`: the tables of nodes, then their columns.
fn columns(typed: &str, is_set: bool) -> Vec<(String, String)> {
    let end = if is_set { "=" } else { "" };
    let of_nodes = |table: &&Table| table.key.first() == Some(&"node");
    match typed.split_once('.') {
        None => {
            let tables = TABLES.iter().filter(of_nodes);
            tables.map(|table| (format!("{}.", table.name), table.doc.to_owned())).collect()
        }
        Some((name, _)) => TABLES
            .iter()
            .filter(|table| table.name == name)
            .flat_map(|table| &table.columns)
            .map(|column| (format!("{name}.{}{end}", column.name), column.doc.to_owned()))
            .collect(),
    }
}

/// The states of `nodeset`.
fn states(typed: &str, ask: Ask<'_>) -> Vec<(String, String)> {
    if let Some(image) = typed.strip_prefix("osimage=") {
        let images = ask(What::Objects("osimage".to_owned()), image);
        return images.into_iter().map(|image| (format!("osimage={image}"), String::new())).collect();
    }
    ["boot", "offline", "osimage", "osimage=", "shell", "stat"]
        .map(|word| (word.to_owned(), String::new()))
        .to_vec()
}

/// Revisions, at either end of a span.
fn revisions(typed: &str, ask: Ask<'_>) -> Vec<(String, String)> {
    let at = typed.rfind("..").map_or(0, |at| at + 2);
    let (before, last) = typed.split_at(at);
    let lines = ask(What::Revisions, last);
    lines
        .iter()
        .map(|line| line.split_once('\t').unwrap_or((line, "")))
        .map(|(revision, command)| (format!("{before}{revision}"), command.to_owned()))
        .collect()
}
