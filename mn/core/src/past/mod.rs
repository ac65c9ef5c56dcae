//! The history as people see it: what a transaction did, when, by whom, and why a value is what it
//! is.
//!
//! Pure like the rest: whoever has the journal hands its records over as [`Deed`]s, and times are
//! put into words by a function that is handed in, as clocks and time zones are not known here.

pub mod diff;
pub mod explain;
pub mod list;
pub mod search;
pub mod undo;

use common::id::Revision;
use common::report::Refusal;

use crate::command::Range;
use crate::model::Model;
use crate::table::{Edit, TableId};

/// A transaction of the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    /// Its number.
    pub revision: Revision,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Who.
    pub author: String,
    /// The command as typed.
    pub words: Vec<String>,
    /// What became of it, where that is not plain.
    pub note: String,
    /// How many rows it changed.
    pub rows: usize,
    /// What it changed; none where only the rest was read.
    pub edits: Vec<Edit>,
}

impl Deed {
    /// The command as a shell would take it, its folder left out.
    pub fn command(&self) -> String {
        command(&self.words)
    }

    /// The name of the command.
    pub fn name(&self) -> &str {
        program(&self.words)
    }

    /// Who it was, and the machine where that is another than the management node.
    pub fn who(&self) -> (&str, Option<&str>) {
        self.author.rsplit_once('@').map_or((&self.author, None), |(user, from)| (user, Some(from)))
    }
}

/// Words as a shell would take them, the folder of the first left out.
pub(crate) fn command(words: &[String]) -> String {
    let shown = words.iter().enumerate().map(|(at, word)| {
        let word = if at == 0 { word.rsplit('/').next().unwrap_or(word) } else { word };
        // What the daemon did of its own accord is one sentence and no command.
        if words.len() == 1 { printable(word) } else { quoted(word) }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// What the first of some words names.
pub(crate) fn program(words: &[String]) -> &str {
    let word = words.first().map_or("", String::as_str);
    word.rsplit('/').next().unwrap_or(word)
}

/// Puts a time, in seconds since 1970, into words.
pub type Times<'a> = &'a dyn Fn(u64) -> String;

/// Whether the daemon keeps a column for itself: Drover's own tables (ownership, files, tokens, moves)
/// and what nodes report of themselves. It is no definition: an undo leaves it alone, and lists leave
/// it out unless they are asked for it.
pub fn is_bookkeeping(table: TableId, column: &str) -> bool {
    const REPORTED: [&str; 6] =
        ["status", "statustime", "updatestatus", "updatestatustime", "appstatus", "appstatustime"];
    table.table().own || (table == crate::table::schema::NODELIST && REPORTED.contains(&column))
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "%+,-./:=@_^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    printable(&format!("'{}'", word.replace('\'', r"'\''")))
}

/// A text on one line: what a terminal would obey is shown as it is written in programs.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// The names among which those of the objects of an edit are looked for.
#[derive(Clone, Debug)]
pub struct Names(std::collections::BTreeSet<String>);

impl Names {
    /// These names.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// The names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether it is one of them.
    pub fn holds(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Whether an edit is about one of them: the first part of its key, or the column that names the
    /// object where that is another (a network's `netname`).
    pub fn has(&self, edit: &Edit) -> bool {
        let is_it = |name: &str| self.0.contains(name);
        let named = naming_column(edit.table).and_then(|column| {
            [&edit.before, &edit.after]
                .into_iter()
                .flatten()
                .find_map(|row| row.cell(column).filter(|n| is_it(n)))
        });
        edit.key.parts().next().is_some_and(is_it) || named.is_some()
    }
}

/// The objects that a text means: the nodes of a noderange, there or gone, and whatever else is
/// called by one of its words.
///
/// # Errors
/// When it cannot be read as a noderange.
pub fn names(model: &Model, range: &Range) -> Result<Names, Refusal> {
    let found = crate::target::range::names(model, range).map_err(|text| {
        Refusal::new(text).attempt("a noderange, or names with commas between: n1,rack2,mgtnet")
    })?;
    let words = crate::model::split(&range.text).map(str::to_owned);
    Ok(Names::new(words.chain(found.names)))
}

/// The column that names the objects of a table, where that is not the first of its key.
pub fn naming_column(table: TableId) -> Option<&'static str> {
    let first = table.table().key.first();
    let mut kinds = crate::table::attribute::object_types();
    kinds.find_map(|kind| {
        let key = kind.attributes.iter().find(|attribute| attribute.name == kind.key)?;
        (key.table == table && Some(&key.column) != first).then_some(key.column)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Row, RowKey, schema};

    #[test]
    fn a_command_can_be_typed_again() {
        let words = ["/usr/bin/chdef", "n1", "usercomment=it's here", "", "a\nb"];
        let deed = Deed { words: words.map(str::to_owned).to_vec(), ..Deed::default() };
        assert_eq!(deed.command(), r"chdef n1 'usercomment=it'\''s here' '' 'a\nb'");
        assert_eq!(deed.name(), "chdef");
        let deed = Deed { words: vec!["reports from sn1".to_owned()], ..Deed::default() };
        assert_eq!(deed.command(), "reports from sn1");
    }

    #[test]
    fn an_edit_is_about_the_object_that_its_row_names() {
        let row = Row::new().with("netname", "mgt").with("net", "10.0.0.0").with("mask", "255.0.0.0");
        let key = row.key(schema::NETWORKS);
        let edit = Edit { table: schema::NETWORKS, key, before: Some(row), after: None };
        for (name, expected) in [("mgt", true), ("10.0.0.0", true), ("255.0.0.0", false), ("n1", false)] {
            assert_eq!(Names::new([name.to_owned()]).has(&edit), expected, "{name}");
        }
        let edit = Edit { table: schema::HOSTS, key: RowKey::one("n1"), before: None, after: None };
        assert!(Names::new(["n1".to_owned()]).has(&edit));
    }

    #[test]
    fn reports_are_no_definitions() {
        assert!(is_bookkeeping(schema::NODELIST, "status") && is_bookkeeping(schema::OWNERSHIP, "epoch"));
        assert!(!is_bookkeeping(schema::NODELIST, "groups") && !is_bookkeeping(schema::SITE, "value"));
    }
}
