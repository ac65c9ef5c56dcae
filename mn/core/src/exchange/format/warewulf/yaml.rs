//! YAML as a tree with the lines of its keys.
//!
//! Built from the events of `saphyr-parser`, which reads without recursion and leaves aliases to who
//! asks; so depth and the growth by aliases are bounded here.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};

/// How deep a tree may be. Warewulf's has six levels.
const DEEPEST: usize = 64;

/// How many values aliases may add.
const ALIASED: usize = 1_000_000;

/// A value, and the line that it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Yaml {
    /// The line.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A text, a number, a word.
    Scalar(String),
    /// `- a`.
    List(Vec<Yaml>),
    /// `a: b`, in the order of the file.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// The value of a key of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// The entries of a map; none where it is something else.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a scalar; empty for what stands for nothing, and for everything else.
    pub(super) fn text(&self) -> &str {
        match &self.value {
            Value::Scalar(text) if !matches!(text.as_str(), "~" | "null" | "UNDEF") => text,
            _ => "",
        }
    }

    /// The texts of a list; a scalar is a list of one.
    pub(super) fn texts(&self) -> Vec<&str> {
        match &self.value {
            Value::List(items) => items.iter().map(Self::text).filter(|text| !text.is_empty()).collect(),
            _ => Some(self.text()).filter(|text| !text.is_empty()).into_iter().collect(),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) => 0,
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(entries) => entries.iter().map(|(_, value)| value.size()).sum(),
        }
    }
}

/// A list or a map that is not closed yet.
struct Open {
    node: Yaml,
    anchor: usize,
    /// A key that waits for its value, and its line.
    key: Option<(String, usize)>,
}

/// Reads the first document of a text.
///
/// # Errors
/// The line and what is wrong there.
pub(super) fn parse(text: &str) -> Result<Yaml, (usize, String)> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Yaml> = HashMap::new();
    let mut aliased = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| (error.marker().line(), error.info().to_owned()))?;
        let line = span.start.line();
        let done = match event {
            Event::Scalar(text, _, anchor, _) => {
                (Yaml { line, value: Value::Scalar(text.into_owned()) }, anchor)
            }
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) if open.len() == DEEPEST => {
                let _ = anchor;
                return Err((line, "it is nested too deep".to_owned()));
            }
            Event::SequenceStart(anchor, _) => {
                open.push(Open { node: Yaml { line, value: Value::List(Vec::new()) }, anchor, key: None });
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push(Open { node: Yaml { line, value: Value::Map(Vec::new()) }, anchor, key: None });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(closed) => (closed.node, closed.anchor),
                None => continue,
            },
            Event::Alias(anchor) => {
                let Some(node) = anchors.get(&anchor) else {
                    return Err((line, "an alias names what is not finished".to_owned()));
                };
                aliased += node.size();
                if aliased > ALIASED || depth(node) + open.len() > DEEPEST {
                    return Err((line, "its aliases stand for too much".to_owned()));
                }
                (node.clone(), 0)
            }
            Event::DocumentEnd => break,
            _ => continue,
        };
        let (node, anchor) = done;
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
            aliased += node.size();
        }
        match open.last_mut() {
            Some(parent) => put(parent, node),
            None => return Ok(node),
        }
    }
    Ok(Yaml { line: 1, value: Value::Map(Vec::new()) })
}

fn depth(node: &Yaml) -> usize {
    1 + match &node.value {
        Value::Scalar(_) => 0,
        Value::List(items) => items.iter().map(depth).max().unwrap_or_default(),
        Value::Map(entries) => entries.iter().map(|(_, value)| depth(value)).max().unwrap_or_default(),
    }
}

fn put(parent: &mut Open, node: Yaml) {
    match (&mut parent.node.value, parent.key.take()) {
        (Value::List(items), _) => items.push(node),
        (Value::Map(entries), Some((key, line))) => entries.push((key, Yaml { line, ..node })),
        // A key that is no text names nothing that is looked for.
        (Value::Map(_), None) => {
            let line = node.line;
            let text = match node.value {
                Value::Scalar(text) => text,
                _ => String::new(),
            };
            parent.key = Some((text, line));
        }
        (Value::Scalar(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tree_knows_its_lines_and_its_aliases() {
        let tree = parse("a: &x\n  - 1\n  - two\nb: *x\nc:\n  d: ~\n").unwrap();
        assert_eq!(tree.get("b").unwrap().texts(), ["1", "two"]);
        let c = tree.get("c").unwrap();
        assert_eq!((c.get("d").unwrap().line, c.get("d").unwrap().text()), (6, ""));
    }

    #[test]
    fn what_would_grow_without_end_is_refused() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..30 {
            let before = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(",")));
        }
        assert_eq!(parse(&bomb).unwrap_err().1, "its aliases stand for too much");
        assert!(parse(&"[".repeat(10_000)).is_err());
        assert!(parse("a: &a [*a]").is_err());
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "([a-z]{0,3}|[:\\-&*\\[\\]{}|>!%@\"' \n#?,]){0,60}") {
            let _ = parse(&text);
        }
    }
}
