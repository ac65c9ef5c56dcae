//! Why a noderange is refused, and what to type in its place.

use common::report::Refusal;

use super::NoderangeError;
use crate::model::Model;
use crate::table::nearest;

impl NoderangeError {
    /// For the person who typed it. What is said first is xCAT's; why and what to try are ours.
    pub fn refusal(&self, model: &Model) -> Refusal {
        let refusal = Refusal::new(self.to_string());
        match self {
            Self::Unknown(words) => match words.iter().find_map(|word| open_bracket(word)) {
                Some(why) => refusal.because(why).attempt("n[001-100], or n[001-050,060]"),
                None => refusal.attempt(similar(model, words)),
            },
            Self::Unbalanced => refusal
                .because("each ( needs its ), in regular expressions too")
                .attempt("'(n001,n002)@rack1', in quotes, since shells read parentheses"),
            Self::Pattern { source, .. } => {
                // Of several lines, the last says what is wrong; the others show where.
                let text = source.to_string();
                let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                refusal.because(why).attempt("'/n.*', in quotes")
            }
            Self::TooManyNodes { count, .. } => refusal
                .attempt(format!("fewer nodes at once, or --max-nodes {count} if all of them are meant")),
            Self::TooManyNames(_) | Self::TooMuchWork | Self::TooDeep => {
                refusal.attempt("name a group, or fewer nodes at once")
            }
        }
    }
}

/// What is wrong with the brackets of a word, if anything is.
fn open_bracket(word: &str) -> Option<String> {
    let count = |wanted| word.matches(wanted).count();
    (count('[') != count(']')).then(|| format!("a bracket of {word} has no partner"))
}

/// Names that look like the first unknown word.
fn similar(model: &Model, words: &[String]) -> String {
    let word = words.first().map_or("", String::as_str);
    let known = model.nodes().map(|node| node.as_str()).chain(model.group_names());
    match nearest::names(word, known).as_slice() {
        [] => "nodels, to see the nodes; lsdef -t group, to see the groups".to_owned(),
        found => found.join(", "),
    }
}
