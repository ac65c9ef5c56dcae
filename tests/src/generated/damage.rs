//! Slips of the hand, of a disk and of a mind: what makes a right text nearly right.

use crate::chance::Chance;

/// Characters that mean something to some reader, and some that nobody expects.
const ODD: [&str; 40] = [
    ",",
    "-",
    "@",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "/",
    "\\",
    "^",
    "+",
    "=",
    "~",
    "!",
    ":",
    ";",
    "|",
    "\"",
    "'",
    "#",
    "*",
    "&",
    "$",
    ".",
    "<",
    ">",
    "%",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\0",
    "\u{1f}",
    "é",
    "\u{202e}",
    "\u{1f980}",
    "0",
    "999999999999999999999",
];

/// The longest text that is made, in bytes: more than anybody types, less than a long file.
const LONGEST: usize = 256 << 10;

/// Damages a text in one to four places.
pub(super) fn damage(text: &mut String, chance: &mut Chance) {
    for _ in 0..=chance.below(4) {
        let (from, to) = span(text, chance);
        match chance.below(9) {
            0..=2 => text.insert_str(from, chance.of(&ODD)),
            3 => text.replace_range(from..to, ""),
            4 => text.truncate(from),
            5 => repeat(text, from, to, chance),
            6 => text.replace_range(from..to, chance.of(&ODD)),
            7 => {
                // A line, or what there is of it, stands once more somewhere else.
                let line = text[from..].lines().next().unwrap_or_default().to_owned();
                let (at, _) = span(text, chance);
                text.insert_str(at, &line);
            }
            _ => nest(text, from, chance),
        }
    }
}

/// A part, often a short one.
fn span(text: &str, chance: &mut Chance) -> (usize, usize) {
    let from = edge(text, chance.index(text.len() + 1));
    let longest = if chance.one_in(4) { text.len() } else { 8 };
    (from, edge(text, (from + chance.index(longest + 1)).min(text.len())))
}

/// The next character's beginning.
fn edge(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

fn repeat(text: &mut String, from: usize, to: usize, chance: &mut Chance) {
    let part = text[from..to].to_owned();
    let most = LONGEST.saturating_sub(text.len()) / part.len().max(1);
    let times = [2, 3, 50, 2000, 50_000][chance.index(5)].min(most);
    text.insert_str(to, &part.repeat(times));
}

fn nest(text: &mut String, at: usize, chance: &mut Chance) {
    let (open, close) =
        [("(", ")"), ("[", "]"), ("{", "}"), ("a {\n", "}\n"), ("- ", ""), ("(a,", ")@n1")][chance.index(6)];
    let depth = [1, 5, 100, 5000][chance.index(4)];
    let inner = text.split_off(at);
    text.push_str(&open.repeat(depth));
    text.push_str(&inner);
    text.push_str(&close.repeat(depth));
}
