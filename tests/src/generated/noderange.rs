//! Noderanges by the grammar of `mn_core::noderange`, on the names of the [`super::site`].

use super::site::{GROUPS, word};
use crate::chance::Chance;

/// Columns and what is compared with them.
const SELECTIONS: [&str; 10] = [
    "nodehm.mgt==ipmi",
    "mgt=~ipmi|openbmc",
    "noderes.netboot!=pxe",
    "nodetype.os!~^deb",
    "mac.mac=~/52:.*:1[0-9a-f]$/",
    "nodelist.groups=~rack",
    "switch.switch==sw1",
    "nosuch.column==x",
    "hosts.ip==10.1.0.7",
    "nodehm.mgt==",
];

/// Expressions that are read, and some that take their time with a careless reader.
const EXPRESSIONS: [&str; 10] = [
    "n.*5$",
    "n[0-9]+",
    "(a+)+$",
    "^n1|n2$",
    "(n|n|n|n)*x",
    "n{1,1000}",
    "[^,]*",
    "(?i)N1",
    "\\d{3}",
    "((((n))))",
];

/// A noderange of several words.
pub(super) fn text(chance: &mut Chance) -> String {
    let most = if chance.one_in(50) { 400 } else { 5 };
    list(chance, most, 3)
}

fn list(chance: &mut Chance, most: u64, depth: u64) -> String {
    let mut text = String::new();
    for number in 0..=chance.below(most) {
        if number > 0 {
            text.push_str(chance.of(&[",", ",", ",", ",-", "@", ",@", ","]));
        } else if chance.one_in(20) {
            text.push('-');
        }
        text.push_str(&part(chance, depth));
    }
    text
}

fn part(chance: &mut Chance, depth: u64) -> String {
    match chance.below(16) {
        0..=2 => word(chance),
        3 => chance.of(&GROUPS).to_owned(),
        4 | 5 => brackets(chance),
        6 => dashed(chance),
        7 => format!("{}+{}", word(chance), size(chance)),
        8 => format!("/{}", chance.of(&EXPRESSIONS)),
        9 => chance.of(&SELECTIONS).to_owned(),
        10 => format!("^{}", chance.of(&["list", "long", "itself", "nosuch", "/etc/passwd"])),
        11 if depth > 0 => format!("({})", list(chance, 3, depth - 1)),
        12 => format!("n{}*", chance.below(30)),
        13 => format!("{}@{}", chance.of(&GROUPS), part(chance, depth.saturating_sub(1))),
        14 => size(chance).to_string(),
        _ => format!("{}-{}", word(chance), brackets(chance)),
    }
}

/// `n[1-5,07]`, `f[1-2]n[1-8]`, `[1-3]`. Three pairs spell ten thousands of names, and are rare so that
/// the rest has its turn.
fn brackets(chance: &mut Chance) -> String {
    let mut text = String::new();
    let pairs = match chance.below(40) {
        0 => 3,
        1..12 => 2,
        _ => 1,
    };
    for _ in 0..pairs {
        text.push_str(chance.of(&["n", "rack", "f", "", "n-", "n0"]));
        let inner = chance.list(3, ",", |chance| match chance.below(3) {
            0 => size(chance).to_string(),
            1 => format!("{}-{}", size(chance), size(chance)),
            _ => format!("{:03}-{:03}", chance.below(20), chance.below(40)),
        });
        text.push_str(&format!("[{inner}]"));
    }
    text + chance.of(&["", "", "n", "-ib0", ".dom"])
}

/// `n1-n20`, `n01-n20`, `n1:n20`.
fn dashed(chance: &mut Chance) -> String {
    let between = chance.of(&["-", "-", ":"]);
    let [first, last] = [size(chance), size(chance)];
    let start = chance.of(&["n", "rack1n", "node", "a-b-"]);
    if chance.one_in(3) {
        format!("{start}{first:04}{between}{start}{last:04}")
    } else {
        format!("{start}{first}{between}{start}{last}")
    }
}

/// A number: mostly small, rarely as large as a range may be, or larger.
fn size(chance: &mut Chance) -> u64 {
    match chance.below(2000) {
        0 => 1_000_000,
        1 => u64::MAX,
        2 => 30_000,
        3 => 4_294_967_296,
        4..100 => chance.below(400),
        _ => chance.below(30),
    }
}
