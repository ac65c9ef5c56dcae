//! `history`: one line for each revision and, where that is asked for, for each command that made
//! none; or one revision with all that it changed.

use common::id::Revision;
use serde_json::{Value, json};

use super::{Deed, Times, command, diff, printable};
use crate::audit::{Entry, Outcome};
use crate::change::differences;
use crate::talk::{Context, Line};

/// The lines of a table of revisions and commands.
#[derive(Debug)]
pub struct Table {
    /// This machine, which is not said of each who is on it.
    server: String,
    revision_width: usize,
    /// The width of the terminal; none where there is none.
    columns: Option<usize>,
    is_json: bool,
}

impl Table {
    /// A table whose largest number is `newest`.
    pub fn new(newest: Revision, context: &Context) -> Self {
        let revision_width = newest.to_string().len().max("REVISION".len());
        Self {
            server: context.server.clone(),
            revision_width,
            columns: context.view.columns.map(usize::from),
            is_json: context.view.json,
        }
    }

    /// The line above the others.
    pub fn head(&self) -> Option<Line> {
        let width = self.revision_width;
        let text = format!("{:>width$}  {:19}  {:8}  {:>6}  COMMAND", "REVISION", "TIME", "AUTHOR", "ROWS");
        (!self.is_json).then_some(Line::Out(text))
    }

    /// The line of one revision; `entry` is what the audit log has of its command, where that was
    /// looked for.
    pub fn line(&self, deed: &Deed, entry: Option<&Entry>, times: Times<'_>) -> Line {
        if self.is_json {
            let mut record = record(deed, &self.server, times);
            outcome(&mut record, entry);
            return Line::Record(record);
        }
        // Of a refusal the first line says what; the whole is shown with the one revision.
        let note = deed.note.lines().next().map(printable);
        self.text(
            &deed.revision.to_string(),
            (&times(deed.at), &deed.author),
            &deed.rows.to_string(),
            (&deed.command(), note),
        )
    }

    /// The line of a command that made no revision, or none that is kept.
    pub fn given(&self, entry: &Entry, times: Times<'_>) -> Line {
        let is_here = entry.host == self.server || entry.host == HERE;
        let words = if entry.words.is_empty() { entry.command.clone() } else { command(&entry.words) };
        let made = entry.made.first();
        let author = match () {
            () if is_here => entry.user.clone(),
            () if entry.user.is_empty() => entry.host.clone(),
            () => format!("{}@{}", entry.user, entry.host),
        };
        if self.is_json {
            let mut record = json!({
                "kind": "command", "revision": made, "at": entry.at, "time": times(entry.at),
                "author": author, "from": entry.host, "command": words, "words": entry.words,
                "note": note(entry).unwrap_or_default(), "rows": null,
            });
            outcome(&mut record, Some(entry));
            return Line::Record(record);
        }
        let revision = made.map_or_else(|| "-".to_owned(), ToString::to_string);
        self.text(&revision, (&times(entry.at), &author), "-", (&words, note(entry)))
    }

    fn text(
        &self,
        revision: &str,
        (time, author): (&str, &str),
        rows: &str,
        (command, note): (&str, Option<String>),
    ) -> Line {
        let (width, author) = (self.revision_width, printable(author));
        let note = note.map(|note| format!("  # {note}")).unwrap_or_default();
        let text = format!("{revision:>width$}  {time:19}  {author:8}  {rows:>6}  {command}{note}");
        Line::Out(match self.columns {
            Some(columns) => cut(text, columns),
            None => text,
        })
    }
}

/// What the management node is called where its name was not looked up.
pub(super) const HERE: &str = "localhost";

/// What a line says of what became of a command, where that is not plain.
fn note(entry: &Entry) -> Option<String> {
    match &entry.outcome {
        Outcome::Ended(0) => None,
        Outcome::Ended(_) if !entry.why.is_empty() => Some(printable(&entry.why)),
        Outcome::Denied(why) => Some(format!("refused: {}", printable(why))),
        Outcome::More(count) => Some(format!("refused: {count} more like this in the same minute")),
        other => Some(other.text()),
    }
}

/// Adds what became of a command to its record.
fn outcome(record: &mut Value, entry: Option<&Entry>) {
    let Some(fields) = record.as_object_mut() else { return };
    fields.insert("outcome".to_owned(), json!(entry.map(|entry| entry.outcome.word())));
    fields.insert("status".to_owned(), json!(entry.and_then(|entry| entry.outcome.status())));
    if let Some(entry) = entry {
        fields.insert("from".to_owned(), json!(entry.host));
    }
}

/// One revision with everything that it changed.
pub fn one(deed: &Deed, stat: bool, context: &Context, times: Times<'_>, out: &mut dyn FnMut(Line)) {
    let differences = if stat { Vec::new() } else { differences(&deed.edits) };
    if context.view.json {
        let mut record = record(deed, &context.server, times);
        let changes: Vec<Value> = match stat {
            true => diff::Stat::of(&deed.edits, true).records(),
            false => differences.iter().map(crate::change::Difference::record).collect(),
        };
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
    if stat {
        diff::Stat::of(&deed.edits, true).lines().into_iter().for_each(|text| out(Line::Out(text)));
    }
}

fn record(deed: &Deed, server: &str, times: Times<'_>) -> Value {
    json!({
        "kind": "change",
        "revision": deed.revision.value(),
        "at": deed.at,
        "time": times(deed.at),
        "author": deed.author,
        "from": deed.who().1.unwrap_or(server),
        "command": deed.command(),
        "words": deed.words,
        "note": deed.note,
        "rows": deed.rows,
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
    use super::super::search::Filter;
    use super::*;
    use crate::command::History;
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
            rows: Vec::len(&edits),
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
        let model = crate::fixture::model("");
        let filter = Filter::new(args, None, &model, "mn1");
        let times = |at: u64| format!("2026-01-01 00:00:0{at}");
        let deeds = deeds();
        let chosen = deeds.iter().filter(|deed| filter.holds(deed, None));
        let lines = table.head().into_iter().chain(chosen.map(|deed| table.line(deed, None, &times)));
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
    fn a_command_that_made_no_revision_has_a_line_too() {
        let entry = |user: &str, host: &str, line: &str, outcome| Entry {
            at: 1,
            user: user.to_owned(),
            host: host.to_owned(),
            words: line.split(' ').map(str::to_owned).collect(),
            outcome,
            ..Entry::default()
        };
        let context = Context { server: "mn1".to_owned(), ..Context::default() };
        let table = Table::new(Revision::new(9), &context);
        let entries = [
            entry("root", "mn1", "/usr/bin/nodels n1", Outcome::Ended(0)),
            entry("root", "mn1", "nodels n9", Outcome::Ended(1)),
            entry("kim", "10.0.0.9", "rmdef n1", Outcome::Denied("row 6 denies it".to_owned())),
            entry("eve", "mn1", "rmdef n1", Outcome::More(480)),
        ];
        let text = entries.iter().map(|entry| match table.given(entry, &|_| "then".to_owned()) {
            Line::Out(text) => text + "\n",
            other => panic!("{other:?}"),
        });
        insta::assert_snapshot!(text.collect::<String>(), @r"
               -  then                 root           -  nodels n1
               -  then                 root           -  nodels n9  # exit 1
               -  then                 kim@10.0.0.9       -  rmdef n1  # refused: row 6 denies it
               -  then                 eve            -  rmdef n1  # refused: 480 more like this in the same minute
        ");
        let context =
            Context { view: common::wire::operator::View { json: true, ..context.view }, ..context };
        let Line::Record(record) =
            Table::new(Revision::new(9), &context).given(&entries[2], &|_| "then".to_owned())
        else {
            panic!("no record");
        };
        insta::assert_snapshot!(record, @r#"{"at":1,"author":"kim@10.0.0.9","command":"rmdef n1","from":"10.0.0.9","kind":"command","note":"refused: row 6 denies it","outcome":"refused","revision":null,"rows":null,"status":null,"time":"then","words":["rmdef","n1"]}"#);
    }

    #[test]
    fn one_revision_is_shown_with_each_cell() {
        let mut text = String::new();
        one(&deeds()[0], false, &Context::default(), &|_| "then".to_owned(), &mut |line| match line {
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
