//! The words of `nodeadd`, `nodech` and `nodegrpch`: `table.column=value`, `,=`, `^=`, and criteria.
//!
//! ```text
//! column=value  column=@value   the value, whatever it begins with
//! column=                       nothing, and what groups say counts no more
//! column,=a,b                   each item that is not there yet is put in front
//! column^=a,b                   these items go
//! column==value != =~ !~        only nodes for which this holds
//! ```

use crate::object::column::{self, Column};
use crate::object::select::{self, Selection};
use crate::talk::Talk;

/// What an empty value is stored as where rows of groups are inherited: a template that gives
/// nothing for any name, so that nothing is inherited either.
const BLOCKER: &str = "|^.*$||";

/// What the words ask for.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// What is written, in order.
    pub(super) assignments: Vec<Assignment>,
    /// What must hold for a node to be written to.
    pub(super) criteria: Vec<(Column, Selection)>,
}

/// One column and what becomes of it.
#[derive(Debug)]
pub(super) struct Assignment {
    /// The column.
    pub(super) column: Column,
    /// What is done.
    pub(super) op: Op,
    value: String,
}

/// What is done with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// `=`: the value is put in its place.
    Set,
    /// `,=`: items are put in front of the list.
    Add,
    /// `^=`: items are taken out of the list.
    Remove,
}

/// Reads the words; none, and said why, where one of them names no column that can be written. A
/// word without an operator is said and left out.
pub(super) fn read(words: &[String], talk: &mut Talk<'_>) -> Option<Words> {
    let mut read = Words::default();
    for word in words {
        let criterion = select::split(word).filter(|(_, operator, _)| *operator != "=");
        let done = if let Some((name, ..)) = criterion {
            criterion_of(word, name).map(|criterion| read.criteria.push(criterion))
        } else if let Some((name, value)) = word.split_once('=') {
            assignment_of(name, value).map(|assignment| read.assignments.push(assignment))
        } else {
            talk.error(&format!("Malformed argument {word} ignored."));
            continue;
        };
        if let Err(text) = done {
            talk.error(&text);
            return None;
        }
    }
    Some(read)
}

fn criterion_of(word: &str, name: &str) -> Result<(Column, Selection), String> {
    let column = Column::named(name).ok_or_else(|| invalid(name))?;
    Ok((column, Selection::parse(word).map_err(|error| error.to_string())?))
}

fn assignment_of(name: &str, value: &str) -> Result<Assignment, String> {
    let (name, op) = match (name.strip_suffix(','), name.strip_suffix('^')) {
        (Some(name), _) => (name, Op::Add),
        (_, Some(name)) => (name, Op::Remove),
        _ => (name, Op::Set),
    };
    let column = Column::named(name).ok_or_else(|| invalid(name))?;
    if column.table.table().own {
        return Err(format!("{column} is kept by the management node itself, and not to be written"));
    }
    if column.is_name() {
        return Err(format!("{column} names the node; give it another name with chdef -n"));
    }
    let value = value.strip_prefix('@').unwrap_or(value);
    Ok(Assignment { column, op, value: value.to_owned() })
}

/// xCAT's text; it puts a dot behind a word that has none.
fn invalid(name: &str) -> String {
    if name.contains('.') {
        return column::invalid(name);
    }
    let text = format!("{name}. not a valid table.column description");
    // `groups-=x` and `groups+=x` are what hands type that know other tools.
    let bare = name.trim_end_matches(['-', '+']);
    match (Column::named(bare), name.ends_with('-')) {
        (Some(_), true) => format!("{text}\n  try      {bare}^=ITEM, to take an item out"),
        (Some(_), false) => format!("{text}\n  try      {bare},=ITEM, to add an item"),
        (None, _) => crate::table::nearest::hinted(text, &column::similar(name)),
    }
}

impl Assignment {
    /// What the column holds afterwards, of what it holds; none where it stays as it is.
    pub(super) fn apply(&self, held: &str) -> Option<String> {
        let held = if held == BLOCKER { "" } else { held };
        let mut items: Vec<&str> = held.split(',').filter(|item| !item.is_empty()).collect();
        let given = self.value.split(',').filter(|item| !item.is_empty());
        match self.op {
            Op::Set if self.value.is_empty() && self.column.table.table().is_inherited() => {
                return Some(BLOCKER.to_owned());
            }
            Op::Set => return Some(self.value.clone()),
            // A list that is empty takes the items as they stand.
            Op::Add if items.is_empty() => return Some(self.value.clone()),
            Op::Add => given.for_each(|item| {
                if !items.contains(&item) {
                    items.insert(0, item);
                }
            }),
            Op::Remove => given.for_each(|item| items.retain(|known| *known != item)),
        }
        Some(items.join(",")).filter(|after| after != held)
    }

    /// The items of the value.
    pub(super) fn items(&self) -> impl Iterator<Item = &str> {
        self.value.split(',').map(str::trim).filter(|item| !item.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::talk::Context;

    #[track_caller]
    fn check(word: &str, held: &str, want: Option<&str>) {
        let context = Context::default();
        let read = read(&[word.to_owned()], &mut Talk::new(&context)).unwrap();
        assert_eq!(read.assignments[0].apply(held).as_deref(), want, "{word} on {held:?}");
    }

    #[test]
    fn lists_are_changed_as_xcat_does() {
        check("groups=x", "all", Some("x"));
        check("groups=@=x", "all", Some("=x"));
        check("groups,=rack1,gpu", "all,compute", Some("gpu,rack1,all,compute"));
        check("groups,=all", "all,compute", None);
        check("groups,=a,b", "", Some("a,b"));
        check("groups^=compute,nosuch", "all,compute", Some("all"));
        check("groups^=nosuch", "all", None);
        check("nodehm.mgt=", "ipmi", Some("|^.*$||"));
        check("nodehm.mgt,=a", "|^.*$||", Some("a"));
        check("groups=", "all", Some(""));
        check("nodelist.comments=a==b", "", Some("a==b"));
    }

    #[test]
    fn what_is_no_column_is_said_in_xcats_words() {
        let said = |word: &str| {
            let context = Context { server: "mn".to_owned(), ..Context::default() };
            let mut talk = Talk::new(&context);
            let read = read(&[word.to_owned()], &mut talk).is_some();
            let lines: Vec<String> = talk.finish(None).lines.iter().map(|line| format!("{line:?}")).collect();
            (read, lines.concat())
        };
        let (read, text) = said("groups-=x");
        assert!(
            !read && text.contains("Error: [mn]: groups-. not a valid table.column description"),
            "{text}"
        );
        assert!(text.contains("groups^=ITEM"), "{text}");
        assert!(said("nosuch.x=1").1.contains("nosuch.x not a valid table.column description"));
        assert!(said("foo").0);
        assert!(said("foo").1.contains("Malformed argument foo ignored."));
        assert!(said("nodehm.node=n2").1.contains("chdef -n"));
        assert!(said("ownership.epoch=7").1.contains("kept by the management node"));
        assert!(!said("nosuch.x==1").0 && !said("mgt=~(").0);
    }

    proptest::proptest! {
        #[test]
        fn no_word_panics(words in proptest::collection::vec("[a-z.,^=@!~|$]{0,16}", 0..4), held in "[a-z,|^.*$]{0,12}") {
            let context = Context::default();
            if let Some(read) = read(&words, &mut Talk::new(&context)) {
                for assignment in read.assignments {
                    let after = assignment.apply(&held);
                    proptest::prop_assert!(after.is_none_or(|after| after.len() <= held.len() + assignment.value.len() + 8));
                }
            }
        }
    }
}
