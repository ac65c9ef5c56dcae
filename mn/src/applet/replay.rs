//! Whether words mean what came with them: they are read again, here in the daemon, by the applet
//! that they name, and what comes out is compared with what is about to run.
//!
//! The words of a request are a client's and may say anything. They are asked about only where a row
//! of the policy table looks at a command's arguments. What an applet would read from standard input
//! or from a file is not read here: it may be anything in what was sent. So a row can say which table
//! may be restored, and not what may stand in it.
//!
//! **Invariant**: reading words again touches no file, no environment that decides, and never panics
//! the daemon; what cannot be read again means something else.

use mn_core::command::Asked;
use serde::Serialize;
use serde_json::Value;

use super::intake::{Intake, REPLAYED};
use super::when::as_of;
use super::{Parsed, find, own, text};

/// Of a noderange, what its operator's environment says. Which nodes are meant is judged from what
/// was sent, and never from the words.
const READ_THERE: [&str; 3] = ["max_nodes", "prefix", "suffix"];

/// Whether the words, program name first, mean this.
pub(crate) fn means(words: &[String], asked: &Asked) -> bool {
    let Some(name) = words.first().map(|word| program(word)) else { return false };
    if words.iter().any(|word| word.contains('\u{1}')) {
        return false;
    }
    let Some(applet) = find(name) else {
        return own::asked(words).is_some_and(|again| is_same_value(&again, asked));
    };
    let Ok(matches) = applet.definition().try_get_matches_from(words) else { return false };
    let again = match (applet.ask)(&matches, &mut Intake::replay()) {
        Ok(Parsed::Ask(again)) => vec![*again],
        Ok(Parsed::Run(steps)) => steps.asks,
        _ => return false,
    };
    again.into_iter().any(|again| {
        let Ok(again) = as_of(text(&matches, "at"), again) else { return false };
        match (&again, asked) {
            // A time is read again at another time; what is asked of the past is the same.
            (Asked::Past(_, again), Asked::Past(_, asked)) => is_same_value(again, asked),
            (again, asked) => is_same_value(again, asked),
        }
    })
}

fn is_same_value<T: Serialize>(again: &T, sent: &T) -> bool {
    match (serde_json::to_value(again), serde_json::to_value(sent)) {
        (Ok(again), Ok(sent)) => is_same(&again, &sent),
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
        // The files of a folder: which they are, nobody types.
        (Value::Array(ours), Value::Array(_)) if ours.first().is_some_and(is_any_file) => true,
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            let has = |keys: &[&str]| keys.iter().all(|key| ours.contains_key(*key));
            let not_read: &[&str] = match () {
                () if has(&["text", "files"]) => &READ_THERE,
                // The rows of a file, and of the dump that was edited.
                () if has(&["table", "content"]) => &["content"],
                () if has(&["Edit"]) => &["Edit"],
                // The tables that the operator's environment leaves out of a dump.
                () if has(&["all", "full", "skip"]) => &["skip"],
                () => &[],
            };
            let is_read = |key: &str| !not_read.contains(&key);
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .filter(|(key, _)| is_read(key))
                    .all(|(key, ours)| theirs.get(key).is_some_and(|theirs| is_same(ours, theirs)))
        }
        _ => again == sent,
    }
}

/// Whether this stands for any files: rows of tables, or texts with their names.
fn is_any_file(file: &Value) -> bool {
    file.get("table").or_else(|| file.get(0)).is_some_and(|name| name == REPLAYED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mn_core::command::{
        Clash, Command, Define, Derivation, DumpDb, Given, How, Import, Lsmn, Mode, Nodels, Operation,
        Operator, Query, Range, RestoreDb, Source, Tabdump, Tabrestore, TokenCreate, When,
    };
    use mn_core::csv::Sheet;
    use mn_core::table::TableId;

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
    fn sub_commands_of_mn_mean_what_they_say() {
        let token = |name: &str, define, operator| {
            let name = name.to_owned();
            Asked::Operate(Operation::TokenCreate(TokenCreate {
                name,
                addresses: Vec::new(),
                define,
                operator,
            }))
        };
        assert!(means(&words("mn token create sn1 --define"), &token("sn1", true, false)));
        assert!(means(&words("/usr/bin/mn --dir /x token create sn1"), &token("sn1", false, false)));
        assert!(!means(&words("mn token create sn1"), &token("sn1", true, false)));
        assert!(!means(&words("mn token create sn1"), &token("kim", false, true)));
        assert!(!means(&words("mn operator list"), &token("kim", false, true)));
        let operator = |remove: Option<&str>| {
            Asked::Operate(Operation::Operator(Operator { remove: remove.map(str::to_owned) }))
        };
        assert!(means(&words("mn operator list"), &operator(None)));
        assert!(means(&words("mn operator rm kim"), &operator(Some("kim"))));
        assert!(!means(&words("mn operator list"), &operator(Some("kim"))));
        assert!(!means(&words("mn serve"), &operator(None)));
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

    fn file(table: &str) -> Given {
        let id = TableId::named(table).unwrap();
        let sheet = Sheet { table: id, columns: vec!["node".to_owned()], records: Vec::new() };
        Given { table: table.to_owned(), content: Ok(Some(sheet)) }
    }

    #[test]
    fn words_say_which_table_is_restored_and_nothing_says_its_rows() {
        let restore = |table: &str, how| {
            Asked::Change(Command::Tabrestore(Tabrestore { mode: Mode::default(), file: file(table), how }))
        };
        assert!(means(&words("tabrestore /tmp/hosts.csv"), &restore("hosts", How::Replace)));
        assert!(!means(&words("tabrestore /tmp/hosts.csv"), &restore("policy", How::Replace)));
        assert!(!means(&words("tabrestore /tmp/hosts.csv"), &restore("hosts", How::Add)));
        assert!(means(&words("tabrestore -a hosts.csv"), &restore("hosts", How::Add)));
        let sheet = file("hosts").content.unwrap().unwrap();
        assert!(means(&words("tabedit hosts"), &restore("hosts", How::Edit(sheet.clone()))));
        assert!(!means(&words("tabedit hosts"), &restore("mac", How::Edit(sheet))));
        assert!(!means(&words("tabedit hosts"), &restore("hosts", How::Replace)));
        let dump = |table: &str| {
            Asked::Query(Query::Tabdump(Tabdump { table: Some(table.to_owned()), ..Tabdump::default() }))
        };
        assert!(means(&words("tabedit hosts"), &dump("hosts")));
        assert!(means(&words("tabdump -f /tmp/x hosts"), &dump("hosts")));
        assert!(!means(&words("tabdump -f /tmp/x hosts"), &dump("passwd")));
    }

    #[test]
    fn a_folder_may_hold_any_tables_and_its_options_are_the_words() {
        let restore = |full| {
            let files = vec![file("hosts"), file("mac")];
            Asked::Change(Command::RestoreDb(RestoreDb { files, full, ..RestoreDb::default() }))
        };
        assert!(means(&words("restorexCATdb -p /tmp/dump"), &restore(false)));
        assert!(!means(&words("restorexCATdb -p /tmp/dump"), &restore(true)));
        let dump = |full, skip: Option<&str>| {
            let skip = skip.map(str::to_owned);
            Asked::Query(Query::DumpDb(DumpDb { full, skip, ..DumpDb::default() }))
        };
        assert!(means(&words("dumpxCATdb -p /tmp/dump"), &dump(false, None)));
        assert!(means(&words("dumpxCATdb -p /tmp/dump"), &dump(false, Some("passwd"))));
        assert!(!means(&words("dumpxCATdb -p /tmp/dump"), &dump(true, None)));
    }

    #[test]
    fn an_import_may_read_any_files() {
        let import = |source, existing| {
            let files = ["a", "b"].map(|name| (name.to_owned(), "x".to_owned())).to_vec();
            let args = Import { source, files, existing, groups: "all".to_owned(), ..import_of_nothing() };
            Asked::Change(Command::Import(args))
        };
        assert!(means(&words("import xcat /dump"), &import(Source::Xcat, false)));
        assert!(means(&words("import isc-dhcpd /dhcpd.conf"), &import(Source::IscDhcpd, false)));
        assert!(!means(&words("import xcat /dump"), &import(Source::Xcat, true)));
        assert!(!means(&words("import xcat /dump"), &import(Source::IscDhcpd, false)));
    }

    fn import_of_nothing() -> Import {
        let (mode, source, clash) = (Mode::default(), Source::Xcat, Clash::Refuse);
        let (files, groups) = (Vec::new(), String::new());
        Import { mode, source, files, clash, existing: false, groups, skip: false, verbose: false }
    }

    #[test]
    fn what_is_asked_of_the_past_is_the_same_at_another_time() {
        let past = |query| Asked::Past(When::Time(5), query);
        let words_of = |line: &str| words(line);
        let Asked::Query(query) = nodels("n1", &[]) else { panic!() };
        assert!(means(&words_of("nodels n1 --at 2h"), &past(query.clone())));
        assert!(!means(&words_of("nodels n1"), &past(query)));
        assert!(means(&words_of("lsmn --at 2h"), &past(Query::Lsmn(Lsmn::default()))));
    }

    #[test]
    fn a_word_that_plays_the_part_of_a_file_is_not_believed() {
        let line = format!("nodels n1 {REPLAYED}");
        assert!(!means(&words(&line), &nodels("n1", &["passwd.password"])));
    }
}
