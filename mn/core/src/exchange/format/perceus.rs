//! Perceus's flat list of nodes (`/etc/perceus/nodes.conf`): `name MAC group vnfs ip`.
//!
//! Blanks between, `#` begins a comment, what follows the fifth column is a remark. Read from the
//! right columns may be missing; `-` is a column that says nothing. What the list can say of a node
//! (`mac`, `groups`, `provmethod`, `ip`) is then so; whatever else is defined of it stays.

use crate::exchange::definitions::Definition;
use crate::exchange::subject::Subject;
use crate::exchange::text::{Mistake, Said, Value, short};
use crate::model::mac;

/// The attributes of a node that a list says.
const SAID: [&str; 4] = ["mac", "groups", "provmethod", "ip"];

/// Whether a text looks like such a list: its first line has a hardware address second.
pub(crate) fn is_list(text: &str) -> bool {
    lines(text).next().is_some_and(|(_, words)| words.get(1).is_some_and(|word| is_mac(word)))
}

/// Reads a list.
///
/// # Errors
/// Every line that is none of a node.
pub(crate) fn read(text: &str) -> Result<Vec<Definition>, Vec<Mistake>> {
    let mut definitions = Vec::new();
    let mut mistakes = Vec::new();
    for (line, words) in lines(text) {
        match node(line, &words) {
            Ok(definition) => definitions.push(definition),
            Err(text) => mistakes.push(Mistake { line, text }),
        }
    }
    if definitions.is_empty() && mistakes.is_empty() {
        mistakes.push(Mistake { line: 1, text: "there is no node in the list".to_owned() });
    }
    if mistakes.is_empty() { Ok(definitions) } else { Err(mistakes) }
}

/// The words of each line that has some.
fn lines(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().take(SAID.len() + 1).collect();
        (!words.is_empty()).then_some((index + 1, words))
    })
}

fn is_mac(word: &str) -> bool {
    mac::unreadable(word).next().is_none() && word.contains(':')
}

fn node(line: usize, words: &[&str]) -> Result<Definition, String> {
    let column = |at: usize| words.get(at).copied().filter(|word| *word != "-").unwrap_or_default();
    let name = column(0);
    if words.len() < 2 || name.is_empty() {
        return Err(format!("a node is `name MAC group vnfs ip`, not {}", short(&words.join(" "))));
    }
    if !column(1).is_empty() && !is_mac(column(1)) {
        return Err(format!("{} is not a hardware address", short(column(1))));
    }
    let attributes =
        SAID.iter().enumerate().filter(|(at, _)| !column(at + 1).is_empty()).map(|(at, name)| {
            let text = column(at + 1);
            let text = if *name == "mac" { text.to_ascii_uppercase() } else { text.to_owned() };
            Said { line, name: (*name).to_owned(), value: Value::Text(text) }
        });
    Ok(Definition {
        line,
        subject: Subject::Object { kind: "node", name: name.to_owned() },
        attributes: attributes.collect(),
        members: None,
        others: Vec::new(),
        state: Vec::new(),
        only: Some(&SAID),
    })
}
