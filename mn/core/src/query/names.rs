//! Names that begin with a text, for completion: a few, or where there are many, how they go on.

use crate::command::{Names, What};
use crate::model::Model;
use crate::object;
use crate::table::attribute;
use crate::talk::Line;

/// How many names are worth offering at once.
const MOST: usize = 200;

/// Answers with one line a name.
pub(super) fn answer(model: &Model, args: &Names, out: &mut dyn FnMut(Line)) -> u8 {
    let names: Vec<String> = match &args.what {
        What::Nodes => {
            let nodes = model.nodes().map(|node| node.as_str().to_owned());
            nodes.chain(model.group_names().map(str::to_owned)).collect()
        }
        What::Objects(kind) => match attribute::object_type(kind) {
            Some(kind) => object::names(model, kind),
            None => Vec::new(),
        },
        What::ServiceNodes => model.service_nodes().iter().map(ToString::to_string).collect(),
        What::Revisions => Vec::new(),
    };
    let fitting = names.iter().map(String::as_str).filter(|name| name.starts_with(&args.prefix));
    offered(fitting.collect(), args.prefix.len()).into_iter().for_each(|name| out(Line::Out(name)));
    0
}

/// The names, or of too many the beginnings that tell them apart: a part of the names would let a
/// shell complete to what only that part has in common.
fn offered(mut names: Vec<&str>, known: usize) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    if names.len() <= MOST {
        return names.into_iter().map(str::to_owned).collect();
    }
    let mut length = known;
    loop {
        // One character more, as long as that leaves few enough.
        let mut longer: Vec<&str> = names
            .iter()
            .map(|name| name.get(..name.ceil_char_boundary(length + 1)).unwrap_or(name))
            .collect();
        longer.dedup();
        if longer.len() > MOST {
            break;
        }
        length += 1;
        if longer.len() > 1 && longer.len() * 10 > MOST {
            break;
        }
    }
    let mut offered: Vec<String> = names
        .iter()
        .map(|name| name.get(..name.ceil_char_boundary(length)).unwrap_or(name).to_owned())
        .collect();
    offered.dedup();
    offered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[String], prefix: &str) -> Vec<String> {
        offered(
            names.iter().map(String::as_str).filter(|name| name.starts_with(prefix)).collect(),
            prefix.len(),
        )
    }

    #[test]
    fn few_names_are_offered_whole_and_many_by_their_beginnings() {
        let names: Vec<String> = (0..100_000).map(|n| format!("n{n:05}")).collect();
        assert_eq!(of(&names, "n0001").len(), 10);
        assert_eq!(of(&names, "n00").first().map(String::as_str), Some("n0000"));
        for prefix in ["", "n", "n1", "n12"] {
            let offered = of(&names, prefix);
            assert!((2..=MOST).contains(&offered.len()), "{prefix}: {}", offered.len());
            assert!(offered.iter().all(|name| name.len() > prefix.len() && name.starts_with(prefix)));
        }
        assert_eq!(of(&names, "x"), Vec::<String>::new());
    }
}
