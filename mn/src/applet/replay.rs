//! Whether words mean what came with them: they are read again, here in the daemon, by the applet
//! that they name, and what comes out is compared with what is about to run.
//!
//! The words of a request are a client's and may say anything. They are asked about only where a row
//! of the policy table looks at a command's arguments. What an applet would read from standard input
//! or from a file is not read here: it may be anything in what was sent.
//!
//! **Invariant**: reading words again touches no file, no environment that decides, and never panics
//! the daemon; what cannot be read again means something else.

use mn_core::command::Asked;
use serde_json::Value;

use super::intake::{Intake, REPLAYED};
use super::{Parsed, find};

/// Of a noderange, what its operator's environment says. Which nodes are meant is judged from what
/// was sent, and never from the words.
const READ_THERE: [&str; 3] = ["max_nodes", "prefix", "suffix"];

/// Whether the words, program name first, mean this.
pub(crate) fn means(words: &[String], asked: &Asked) -> bool {
    let Some(applet) = words.first().map(|word| program(word)).and_then(find) else { return false };
    if words.iter().any(|word| word.contains('\u{1}')) {
        return false;
    }
    let Ok(matches) = applet.definition().try_get_matches_from(words) else { return false };
    let Ok(Parsed::Ask(again)) = (applet.ask)(&matches, &mut Intake::replay()) else { return false };
    // A time is read again at another time; what is asked of the past is the same.
    let now;
    let asked = match asked {
        Asked::Past(_, query) if super::text(&matches, "at").is_some() => {
            now = Asked::Query(query.clone());
            &now
        }
        asked => asked,
    };
    match (serde_json::to_value(again), serde_json::to_value(asked)) {
        (Ok(again), Ok(asked)) => is_same(&again, &asked),
        _ => false,
    }
}

/// The name of a program, of the path by which it was called.
pub(crate) fn program(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Whether both are equal, but for what was not read again.
fn is_same(again: &Value, sent: &Value) -> bool {
    match (again, sent) {
        (Value::String(text), Value::String(_)) if text == REPLAYED => true,
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            let is_range = ours.contains_key("text") && ours.contains_key("files");
            let is_read = |key: &str| !(is_range && READ_THERE.contains(&key));
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .filter(|(key, _)| is_read(key))
                    .all(|(key, ours)| theirs.get(key).is_some_and(|theirs| is_same(ours, theirs)))
        }
        _ => again == sent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mn_core::command::{Command, Define, Derivation, Nodels, Query, Range};

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn nodels(nodes: &str, columns: &[&str]) -> Asked {
        let words = columns.iter().map(|word| (*word).to_owned()).collect();
        Asked::Query(Query::Nodels(Nodels { nodes: Some(Range::new(nodes)), words, ..Nodels::default() }))
    }

    #[test]
    fn words_mean_what_their_applet_makes_of_them() {
        assert!(means(&words("/usr/bin/nodels n1 groups"), &nodels("n1", &["groups"])));
        assert!(!means(&words("nodels n1 groups"), &nodels("n1", &["passwd.password"])));
        assert!(!means(&words("lsdef n1 groups"), &nodels("n1", &["groups"])));
        assert!(!means(&words("nosuch n1"), &nodels("n1", &[])));
        assert!(!means(&[], &nodels("n1", &[])));
    }

    #[test]
    fn what_was_read_where_the_operator_is_may_be_anything() {
        let mut sent = nodels("^list", &[]);
        if let Asked::Query(Query::Nodels(args)) = &mut sent {
            let files = vec![("list".to_owned(), "n1".to_owned())];
            let (prefix, max_nodes) = (Some("n".to_owned()), Some(5));
            args.nodes = Some(Range { files, prefix, max_nodes, ..Range::new("^list") });
        }
        assert!(means(&words("nodels ^list"), &sent));
        let stanza = Asked::Change(Command::Chdef(Define {
            stanza: Some("n1:\n ip=1\n".to_owned()),
            ..Define::default()
        }));
        assert!(means(&words("chdef -z"), &stanza));
        let derived = Asked::Change(Command::Mkdef(Define {
            types: vec!["osimage".to_owned()],
            objects: Some(Range::new("i1")),
            derive: Some(Derivation { files: "/a\n/b".to_owned(), ..Derivation::default() }),
            ..Define::default()
        }));
        assert!(means(&words("mkdef -t osimage i1 -u"), &derived));
    }

    #[test]
    fn a_word_that_plays_the_part_of_a_file_is_not_believed() {
        let line = format!("nodels n1 {REPLAYED}");
        assert!(!means(&words(&line), &nodels("n1", &["passwd.password"])));
    }
}
