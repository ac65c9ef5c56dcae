//! What `history` looks for: which transactions of the journal, and which commands of the audit log.

use std::collections::BTreeMap;

use super::list::HERE;
use super::{Deed, Names, program};
use crate::audit::Entry;
use crate::command::{History, Range, Span, When};
use crate::model::Model;
use crate::target::range;

/// What is looked for, looked up once.
#[derive(Debug)]
pub struct Filter<'a> {
    args: &'a History,
    names: Option<&'a Names>,
    model: &'a Model,
    /// What this machine is called.
    server: &'a str,
    /// Whether noderanges that were met mean one of the names.
    ranges: BTreeMap<String, bool>,
}

/// How many noderanges are remembered; a script's commands all have the same few.
const REMEMBERED: usize = 4096;

impl<'a> Filter<'a> {
    /// As the arguments say; `names` are what their objects mean.
    pub const fn new(args: &'a History, names: Option<&'a Names>, model: &'a Model, server: &'a str) -> Self {
        Self { args, names, model, server, ranges: BTreeMap::new() }
    }

    /// Whether it looks at what transactions changed.
    pub const fn needs_edits(&self) -> bool {
        !self.args.tables.is_empty() || self.names.is_some()
    }

    /// Whether a transaction is to be shown; `entry` is what the audit log has of its command.
    pub fn holds(&self, deed: &Deed, entry: Option<&Entry>) -> bool {
        let (user, from) = deed.who();
        let is_asked_for = self.args.all || !self.args.authors.is_empty();
        let is_failed = || match entry {
            Some(entry) => entry.outcome.is_failed(),
            None => deed.rows == 0 && !deed.note.is_empty(),
        };
        (is_asked_for || !is_daemon(deed))
            && any(&self.args.authors, |author| deed.author == author || user == author)
            && any(&self.args.commands, |name| deed.name() == name)
            && any(&self.args.tables, |table| deed.edits.iter().any(|edit| edit.table.name() == table))
            && self.is_from(entry.map(|entry| entry.host.as_str()).or(from).unwrap_or(HERE))
            && (!self.args.refused || !is_daemon(deed) && is_failed())
            && self.names.is_none_or(|names| deed.edits.iter().any(|edit| names.has(edit)))
    }

    /// Whether a command that made no revision is to be shown.
    pub fn holds_command(&mut self, entry: &Entry) -> bool {
        let args = self.args;
        // A tab is no command.
        entry.command != "complete"
            && args.tables.is_empty()
            && any(&args.authors, |author| {
                entry.user == author
                    || entry.user.strip_prefix("operator ") == Some(author)
                    || format!("{}@{}", entry.user, entry.host) == author
            })
            && any(&args.commands, |name| entry.command == name || program(&entry.words) == name)
            && self.is_from(&entry.host)
            && (!args.refused || entry.outcome.is_denied() || entry.outcome.is_failed())
            && is_within(entry, &args.span)
            && self.is_about(entry)
    }

    fn is_from(&self, host: &str) -> bool {
        let is_here = host == HERE || host == self.server;
        any(&self.args.from, |from| host == from || is_here && (from == HERE || from == self.server))
    }

    /// Whether a command names one of the objects, by itself or in its noderange.
    fn is_about(&mut self, entry: &Entry) -> bool {
        let Some(names) = self.names else { return true };
        let mut words = entry.words.iter().skip(1).filter(|word| !word.starts_with('-'));
        let first = words.clone().next();
        let mut parts = words.by_ref().flat_map(|word| word.split([',', '=']));
        if parts.any(|part| names.holds(part)) {
            return true;
        }
        let nodes = if entry.nodes.is_empty() { first } else { Some(&entry.nodes) };
        let Some(nodes) = nodes else { return false };
        if let Some(known) = self.ranges.get(nodes) {
            return *known;
        }
        let meant = range::names(self.model, &Range::new(nodes.as_str()));
        let is_about = meant.is_ok_and(|meant| meant.names.iter().any(|name| names.holds(name)));
        if self.ranges.len() < REMEMBERED {
            self.ranges.insert(nodes.clone(), is_about);
        }
        is_about
    }
}

/// Whether nothing is wanted, or one of what is.
fn any(wanted: &[String], is_it: impl Fn(&str) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| is_it(wanted))
}

/// Whether the daemon did it of its own accord.
fn is_daemon(deed: &Deed) -> bool {
    deed.author == "mn"
}

/// Whether a command was given in a span of time, or while its revisions were the newest.
fn is_within(entry: &Entry, span: &Span) -> bool {
    let is_after = |when| match when {
        When::Time(time) => entry.at >= time,
        When::Revision(revision) => entry.seen >= revision,
    };
    let is_before = |when| match when {
        When::Time(time) => entry.at <= time,
        When::Revision(revision) => entry.seen <= revision,
    };
    span.from.is_none_or(is_after) && span.to.is_none_or(is_before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Outcome;
    use crate::fixture;

    fn entry(user: &str, host: &str, line: &str) -> Entry {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let command = words[0].clone();
        Entry {
            at: 100,
            seen: 7,
            user: user.to_owned(),
            host: host.to_owned(),
            command,
            words,
            ..Entry::default()
        }
    }

    /// Which of some commands are found.
    fn found(args: &History, names: Option<&[&str]>) -> String {
        let model = fixture::model("nodelist n1 groups=all,rack1\nnodelist n2 groups=all");
        let entries = [
            Entry { outcome: Outcome::Ended(0), ..entry("root", "mn1", "nodels n1") },
            Entry { outcome: Outcome::Ended(1), ..entry("root", "localhost", "lsdef n[1-2]") },
            Entry {
                outcome: Outcome::Denied("no".to_owned()),
                nodes: "rack1".to_owned(),
                at: 200,
                seen: 9,
                ..entry("kim", "10.0.0.9", "nodels rack1 groups")
            },
            Entry {
                outcome: Outcome::Denied("no".to_owned()),
                ..entry("operator kim", "10.0.0.9", "connect")
            },
            entry("root", "mn1", "complete nodes"),
        ];
        let names = names.map(|names| Names::new(names.iter().map(|name| (*name).to_owned())));
        let mut filter = Filter::new(args, names.as_ref(), &model, "mn1");
        let held = entries.iter().filter(|entry| filter.holds_command(entry));
        held.map(|entry| entry.words.join(" ")).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn commands_are_found_by_who_from_where_what_and_how_they_ended() {
        let all = History { all: true, ..History::default() };
        let texts = |text: &str| vec![text.to_owned()];
        let with = |change: &dyn Fn(&mut History)| {
            let mut args = all.clone();
            change(&mut args);
            found(&args, None)
        };
        assert_eq!(found(&all, None), "nodels n1; lsdef n[1-2]; nodels rack1 groups; connect");
        assert_eq!(with(&|args| args.refused = true), "lsdef n[1-2]; nodels rack1 groups; connect");
        assert_eq!(with(&|args| args.authors = texts("kim")), "nodels rack1 groups; connect");
        assert_eq!(with(&|args| args.authors = texts("kim@10.0.0.9")), "nodels rack1 groups");
        assert_eq!(with(&|args| args.from = texts("10.0.0.9")), "nodels rack1 groups; connect");
        assert_eq!(with(&|args| args.from = texts("mn1")), "nodels n1; lsdef n[1-2]");
        assert_eq!(with(&|args| args.from = texts("localhost")), "nodels n1; lsdef n[1-2]");
        assert_eq!(with(&|args| args.commands = texts("nodels")), "nodels n1; nodels rack1 groups");
        assert_eq!(with(&|args| args.tables = texts("hosts")), "");
        assert_eq!(with(&|args| args.span.from = Some(When::Time(150))), "nodels rack1 groups");
        assert_eq!(with(&|args| args.span.to = Some(When::Revision(8))), "nodels n1; lsdef n[1-2]; connect");
    }

    #[test]
    fn a_command_is_about_what_its_words_and_its_noderange_name() {
        let all = History { all: true, ..History::default() };
        assert_eq!(found(&all, Some(&["n1"])), "nodels n1; lsdef n[1-2]; nodels rack1 groups");
        assert_eq!(found(&all, Some(&["n2"])), "lsdef n[1-2]");
        assert_eq!(found(&all, Some(&["rack1"])), "nodels rack1 groups");
    }

    #[test]
    fn a_change_is_found_by_its_author_with_his_machine_or_without() {
        let model = fixture::model("");
        let deed =
            Deed { author: "kim@10.0.0.9".to_owned(), words: vec!["chdef".to_owned()], ..Deed::default() };
        let holds = |change: &dyn Fn(&mut History)| {
            let mut args = History::default();
            change(&mut args);
            Filter::new(&args, None, &model, "mn1").holds(&deed, None)
        };
        assert!(holds(&|args| args.authors = vec!["kim".to_owned()]));
        assert!(holds(&|args| args.authors = vec!["kim@10.0.0.9".to_owned()]));
        assert!(holds(&|args| args.from = vec!["10.0.0.9".to_owned()]));
        assert!(!holds(&|args| args.from = vec!["localhost".to_owned()]));
        assert!(!holds(&|args| args.authors = vec!["root".to_owned()]));
        assert!(!holds(&|args| args.refused = true));
        let refused = Deed { note: "refused: no".to_owned(), ..deed.clone() };
        let args = History { refused: true, ..History::default() };
        assert!(Filter::new(&args, None, &model, "mn1").holds(&refused, None));
    }
}
