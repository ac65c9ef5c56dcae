//! Stanzas, flat files for `apply`, Perceus's lists.

use std::fmt::Write as _;
use std::sync::LazyLock;

use mn_core::table::attribute::{self, ObjectType};
use mn_core::table::value;

use super::site::word;
use crate::chance::Chance;

static TYPES: LazyLock<Vec<&'static ObjectType>> = LazyLock::new(|| attribute::object_types().collect());

/// Values that mean something to some attribute, right and wrong.
const VALUES: [&str; 26] = [
    "",
    "1",
    "yes",
    "ipmi",
    "xnba",
    "all,compute",
    "10.1.0.7",
    "10.1.0.300",
    "fd00::1",
    "52:54:00:00:00:07",
    "52:54:00:00:00:07!n7-ib|52:54:00:00:00:08!*NOIP*",
    "|n(\\d+)|10.1.(($1/250)%250).($1%250+1)|",
    "|\\D+(\\d+).*$|(($1*999999999999))|",
    "|(.*)|($1$1$1$1$1$1)|",
    "/n(.*)/x$1/",
    "sn1,sn2",
    "eth0!10.1.0.7,ib0!10.2.0.7|10.3.0.7",
    "\"quoted\"",
    "a=b=c",
    "10.1.0.0-10.1.0.250",
    "<xcatmaster>",
    "mgt==ipmi::netboot=~x.*",
    "dynamic",
    "!remote!/opt/x",
    "netboot",
    "no such thing: at all",
];

/// A stanza file.
pub(super) fn stanzas(chance: &mut Chance) -> String {
    let mut text = String::new();
    if !chance.one_in(5) {
        text.push_str("# <xCAT data object stanza file>\n\n");
    }
    if chance.one_in(8) {
        text.push_str("default-node:\n    objtype=node\n    groups=all\n    mgt=ipmi\n\n");
    }
    let most = if chance.one_in(60) { 300 } else { 5 };
    for _ in 0..=chance.below(most) {
        object(&mut text, chance, "    ");
    }
    text
}

/// A file for `apply`: stanzas, more of them comments and types, sometimes twice the same object.
pub(super) fn flat(chance: &mut Chance) -> String {
    let mut text = String::new();
    for _ in 0..=chance.below(4) {
        if chance.one_in(3) {
            text.push_str("# a comment: not=anything\n\n");
        }
        let indent = chance.of(&["    ", "\t", " "]);
        object(&mut text, chance, indent);
    }
    if chance.one_in(10) {
        text = text.repeat(2);
    }
    text
}

fn object(text: &mut String, chance: &mut Chance, indent: &str) {
    let node = || TYPES.iter().find(|one| one.name == "node").copied();
    let kind = if chance.one_in(4) { None } else { node() }.unwrap_or_else(|| chance.of(&TYPES));
    // Writing into memory does not fail.
    let _ = write!(text, "{}:\n{indent}objtype={}\n", name(kind.name, chance), kind.name);
    // Each may be wrong for a reason of its own, so that many of them rarely are right.
    let most = if chance.one_in(4) { 6 } else { 2 };
    for _ in 0..chance.below(most) {
        let (name, value) = pair(kind, chance);
        let _ = writeln!(text, "{indent}{name}={value}");
    }
    text.push('\n');
}

fn name(kind: &str, chance: &mut Chance) -> String {
    match kind {
        "site" => "clustersite".to_owned(),
        "policy" => format!("{}", chance.below(9)),
        _ => word(chance),
    }
}

/// An attribute of the type, with a value that it may have as often as not.
fn pair(kind: &'static ObjectType, chance: &mut Chance) -> (&'static str, String) {
    if kind.attributes.is_empty() || chance.one_in(40) {
        return (chance.of(&["nosuch", "nics.eth0", "nicips.eth0", "groups"]), chance.of(&VALUES).to_owned());
    }
    let attribute = &kind.attributes[chance.index(kind.attributes.len())];
    let fits = value::of(attribute.table, attribute.column);
    let mut text = chance.of(&VALUES).to_owned();
    for _ in 0..12 {
        if fits.kind.refusal(&text).is_none() || chance.one_in(12) {
            break;
        }
        chance.of(&VALUES).clone_into(&mut text);
    }
    (attribute.name, text)
}

/// A list of Perceus's: name, hardware address, group, VNFS, address.
pub(super) fn perceus(chance: &mut Chance) -> String {
    let mut text = String::new();
    for _ in 0..=chance.below(20) {
        if chance.one_in(10) {
            text.push_str("# a remark\n");
        }
        let number = chance.below(5000);
        let (high, low) = (number / 200, number % 200 + 1);
        let group = chance.of(&["cluster", "-", "rack1", "all"]);
        let image = chance.of(&["debian", "-", ""]);
        let _ = writeln!(
            text,
            "n{number:04}\t52:54:00:{:02x}:{high:02x}:{low:02x} {group} {image} 10.9.{high}.{low}",
            chance.below(256)
        );
    }
    text
}
