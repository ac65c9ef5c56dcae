//! `history`: one line for each revision, or one revision with all that it changed.

use common::id::Revision;
use serde_json::{Value, json};

use super::{Deed, Names, Times, printable};
use crate::change::differences;
use crate::command::History;
use crate::talk::{Context, Line};

/// What is looked for in the history, looked up once.
#[derive(Debug)]
pub struct Filter<'a> {
    args: &'a History,
    names: Option<&'a Names>,
}

impl<'a> Filter<'a> {
    /// As the arguments say; `names` are what their objects mean.
    pub const fn new(args: &'a History, names: Option<&'a Names>) -> Self {
        Self { args, names }
    }

    /// Whether a transaction is to be shown.
    pub fn holds(&self, deed: &Deed) -> bool {
        let any = |wanted: &[String], is: &dyn Fn(&str) -> bool| {
            wanted.is_empty() || wanted.iter().any(|wanted| is(wanted))
        };
        let is_asked_for = self.args.all || !self.args.authors.is_empty();
        (is_asked_for || !is_daemon(deed))
            && any(&self.args.authors, &|author| deed.author == author)
            && any(&self.args.commands, &|name| deed.name() == name)
            && any(&self.args.tables, &|table| deed.edits.iter().any(|edit| edit.table.name() == table))
            && self.names.is_none_or(|names| deed.edits.iter().any(|edit| names.has(edit)))
    }
}

/// Whether the daemon did it of its own accord.
fn is_daemon(deed: &Deed) -> bool {
    deed.author == "mn"
}

/// The lines of a table of revisions.
#[derive(Debug)]
pub struct Table {
    revision_width: usize,
    /// The width of the terminal; none where there is none.
    columns: Option<usize>,
    is_json: bool,
}

impl Table {
    /// A table whose largest number is `newest`.
    pub fn new(newest: Revision, context: &Context) -> Self {
        let revision_width = newest.to_string().len().max("REVISION".len());
        Self { revision_width, columns: context.view.columns.map(usize::from), is_json: context.view.json }
    }

    /// The line above the others.
    pub fn head(&self) -> Option<Line> {
        let width = self.revision_width;
        let text = format!("{:>width$}  {:19}  {:8}  {:>6}  COMMAND", "REVISION", "TIME", "AUTHOR", "ROWS");
        (!self.is_json).then_some(Line::Out(text))
    }

    /// The line of one revision.
    pub fn line(&self, deed: &Deed, times: Times<'_>) -> Line {
        if self.is_json {
            return Line::Record(record(deed, times));
        }
        let width = self.revision_width;
        // Of a refusal the first line says what; the whole is shown with the one revision.
        let note = deed.note.lines().next().map(|note| format!("  # {}", printable(note)));
        let note = note.unwrap_or_default();
        let text = format!(
            "{:>width$}  {:19}  {:8}  {:>6}  {}{note}",
            deed.revision.to_string(),
            times(deed.at),
            printable(&deed.author),
            deed.edits.len(),
            deed.command(),
        );
        Line::Out(match self.columns {
            Some(columns) => cut(text, columns),
            None => text,
        })
    }
}

/// One revision with everything that it changed.
pub fn one(deed: &Deed, context: &Context, times: Times<'_>, out: &mut dyn FnMut(Line)) {
    let differences = differences(&deed.edits);
    if context.view.json {
        let mut record = record(deed, times);
        let changes: Vec<Value> = differences.iter().map(crate::change::Difference::record).collect();
        if let Some(fields) = record.as_object_mut() {
            fields.insert("changes".to_owned(), Value::Array(changes));
        }
        out(Line::Record(record));
        return;
    }
    let note = deed.note.lines().map(printable).collect::<Vec<_>>().join("\n          ");
    let note = Some(note).filter(|note| !note.is_empty());
    for (name, text) in [
        ("revision", Some(deed.revision.to_string())),
        ("time", Some(times(deed.at))),
        ("author", Some(printable(&deed.author))),
        ("command", Some(deed.command())),
        ("note", note),
    ] {
        out(Line::Out(text.map(|text| format!("{name:8}  {text}")).unwrap_or_default()));
    }
    for difference in differences {
        out(Line::Out(difference.text()));
    }
}

fn record(deed: &Deed, times: Times<'_>) -> Value {
    json!({
        "revision": deed.revision.value(),
        "at": deed.at,
        "time": times(deed.at),
        "author": deed.author,
        "command": deed.command(),
        "words": deed.words,
        "note": deed.note,
        "rows": deed.edits.len(),
    })
}

/// A text that fits into so many columns.
fn cut(text: String, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text;
    }
    let mut kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Edit, Row, RowKey, schema};

    fn deeds() -> Vec<Deed> {
        let edit = Edit {
            table: schema::HOSTS,
            key: RowKey::one("n1"),
            before: Some(Row::new().with("node", "n1").with("ip", "10.0.0.1")),
            after: Some(Row::new().with("node", "n1").with("ip", "10.0.0.2")),
        };
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let deed = |revision, author: &str, text: &str, note: &str, edits| Deed {
            revision: Revision::new(revision),
            at: revision,
            author: author.to_owned(),
            words: words(text),
            note: note.to_owned(),
            edits,
        };
        vec![
            deed(7, "root", "/usr/bin/chdef n1 ip=10.0.0.2", "", vec![edit]),
            deed(8, "mn", "reports", "", vec![]),
            deed(9, "uid 1000", "rmdef n1", "refused: only root may", vec![]),
        ]
    }

    fn shown(args: &History, columns: Option<u16>) -> String {
        let mut context = Context::default();
        context.view.columns = columns;
        let table = Table::new(Revision::new(9), &context);
        let filter = Filter::new(args, None);
        let times = |at: u64| format!("2026-01-01 00:00:0{at}");
        let deeds = deeds();
        let chosen = deeds.iter().filter(|deed| filter.holds(deed));
        let lines = table.head().into_iter().chain(chosen.map(|deed| table.line(deed, &times)));
        let text = lines.map(|line| match line {
            Line::Out(text) => text,
            other => panic!("{other:?}"),
        });
        text.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_line_says_who_did_what_when() {
        insta::assert_snapshot!(shown(&History::default(), None), @r"
        REVISION  TIME                 AUTHOR      ROWS  COMMAND
               7  2026-01-01 00:00:07  root           1  chdef n1 ip=10.0.0.2
               9  2026-01-01 00:00:09  uid 1000       0  rmdef n1  # refused: only root may
        ");
    }

    #[test]
    fn a_terminal_is_never_overrun() {
        let text = shown(&History { all: true, ..History::default() }, Some(60));
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.contains("chdef n1 i…"), "{text}");
    }

    #[test]
    fn what_is_asked_for_is_shown() {
        let count = |args: History| shown(&args, None).lines().count() - 1;
        let texts = |text: &str| vec![text.to_owned()];
        assert_eq!(count(History { all: true, ..History::default() }), 3);
        assert_eq!(count(History { authors: texts("mn"), ..History::default() }), 1);
        assert_eq!(count(History { commands: texts("chdef"), ..History::default() }), 1);
        assert_eq!(count(History { tables: texts("hosts"), ..History::default() }), 1);
        assert_eq!(count(History { tables: texts("mac"), ..History::default() }), 0);
    }

    #[test]
    fn one_revision_is_shown_with_each_cell() {
        let mut text = String::new();
        one(&deeds()[0], &Context::default(), &|_| "then".to_owned(), &mut |line| match line {
            Line::Out(line) => text.push_str(&format!("{line}\n")),
            other => panic!("{other:?}"),
        });
        insta::assert_snapshot!(text, @r"
        revision  7
        time      then
        author    root
        command   chdef n1 ip=10.0.0.2

        n1: ip: 10.0.0.1 -> 10.0.0.2
        ");
    }
}
