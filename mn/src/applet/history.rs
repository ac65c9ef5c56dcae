//! `history`: what was changed and, where that is asked for, every command: when, by whom, from where,
//! with which words.

use clap::{Arg, ArgAction, ArgMatches, Command};
use mn_core::command::{Asked, Forget, History, Mode, Operation, Query, Span, When};

use super::definition::split_list;
use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, operands, option, switch, text, texts, when};

pub(super) const APPLET: Applet =
    Applet { name: "history", command, ask, usage_status: 2, bare_status: None };

/// How many revisions are shown where nobody says.
const COUNT: u64 = 25;

fn command() -> Command {
    let list = |name, value| option(name, value).action(ArgAction::Append);
    base("history", "Show what was changed, or every command: when, by whom, from where, with which words")
        .override_usage(
            "mn history [-a | --refused] [NODERANGE] [-n COUNT|all] [--since TIME] [--until TIME] [--by USER]… \
             [--from HOST]… [--command NAME]… [--table TABLE]… [--reverse]\n       mn history [--stat] REVISION\n       mn history A..B\n       mn history --prune BEFORE [--dry-run]",
        )
        .arg(option("count", "COUNT").short('n').help("How many, the newest; `all` for all [default: 25]"))
        .arg(
            list("author", "USER")
                .visible_alias("by")
                .help("Those of this user, or USER@HOST (mn: of the daemon itself)"),
        )
        .arg(list("from", "HOST").help("Those from this machine: an operator's, or localhost"))
        .arg(list("command", "NAME").help("Those of this command"))
        .arg(list("table", "TABLE").help("Those that changed this table"))
        .arg(option("since", "TIME").help("Those since then: '2026-01-31 14:30', '2h ago', or a revision"))
        .arg(option("until", "TIME").help("Those up to then"))
        .arg(option("objects", "NAMES").short('o').help("Those that changed these nodes or other objects"))
        .arg(switch("reverse").short('r').help("The oldest first"))
        .arg(switch("all").short('a').help(
            "Every command, reads and refused ones too, and what the daemon writes of its own accord",
        ))
        .arg(switch("refused").help("What was refused or did not end well, reads too"))
        .arg(switch("stat").help("Of one revision: how much it changed, and not each value"))
        .arg(option("prune", "BEFORE").help("Forget what was before this time or revision"))
        .arg(switch("dry-run").requires("prune").help("With --prune: say what would be forgotten"))
        .arg(
            Arg::new("words")
                .value_name("REVISION|A..B|NODERANGE")
                .action(ArgAction::Append)
                .num_args(0..)
                .help("One revision with all that it changed, a span of them, or whose history"),
        )
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let words = texts(matches, "words");
    if let Some(before) = text(matches, "prune") {
        if !words.is_empty() {
            return Err(Usage::new("--prune takes a time or a revision, and nothing else"));
        }
        let mode = Mode { dry_run: matches.get_flag("dry-run"), no_wait: true, ..Mode::default() };
        return Ok(Asked::Operate(Operation::Forget(Forget { mode, before: when::parse(&before)? })).into());
    }
    let lists = |name| texts(matches, name).iter().flat_map(|list| split_list(list)).collect();
    let mut query = History {
        tables: lists("table"),
        authors: lists("author"),
        commands: lists("command"),
        reverse: matches.get_flag("reverse"),
        all: matches.get_flag("all"),
        refused: matches.get_flag("refused"),
        from: lists("from"),
        stat: matches.get_flag("stat"),
        zone: when::zone(),
        ..History::default()
    };
    for name in ["since", "until"] {
        let end = text(matches, name).map(|text| when::parse(&text)).transpose()?;
        *(if name == "since" { &mut query.span.from } else { &mut query.span.to }) = end;
    }
    let mut objects = text(matches, "objects");
    for word in &words {
        take(word, &mut query, &mut objects)?;
    }
    if query.stat && query.one.is_none() {
        return Err(Usage::new(
            "--stat is about one revision: mn history --stat 812; of a span, mn diff --stat 810..812",
        ));
    }
    query.objects = objects.map(|text| intake.range(&text)).transpose()?;
    query.count = match text(matches, "count").as_deref() {
        Some("all") => None,
        Some(count) => {
            let count = count.parse().map_err(|_| Usage::new(format!("-n {count}: a number, or all")))?;
            Some(count)
        }
        // A span says how many.
        None if query.span == Span::default() => Some(COUNT),
        None => None,
    };
    Ok(Asked::Query(Query::History(query)).into())
}

/// One operand: a revision, a span, or whose history.
fn take(word: &str, query: &mut History, objects: &mut Option<String>) -> Result<(), Usage> {
    if let Ok(number) = word.parse() {
        if query.one.replace(number).is_some() {
            return Err(Usage::new("one revision at a time, or a span: 810..812"));
        }
    } else if is_span(word) {
        if query.span != Span::default() {
            return Err(Usage::new("one span only, and no --since or --until with it"));
        }
        query.span = when::span(word)?;
    } else if objects.is_some() {
        return Err(Usage::new(format!("one noderange only, and {word:?} is a second")));
    } else {
        *objects = Some(word.to_owned());
    }
    Ok(())
}

/// Whether a word is a span of the history and no noderange: names hold no two dots together.
pub(super) fn is_span(word: &str) -> bool {
    word.contains("..")
}

/// What `undo` and `diff` are about: their operands are one span, however many words it was.
///
/// # Errors
/// When there is none, or it cannot be read.
pub(super) fn span(words: &[String]) -> Result<(Span, bool), Usage> {
    if words.is_empty() {
        return Err(Usage::new("say which: a revision (812), a span (810..812), or since when ('2h ago'..)"));
    }
    let text = words.join(" ");
    let span = when::span(&text)?;
    Ok((span, !is_span(&text) && matches!(span.from, Some(When::Revision(_)))))
}

/// The operand of a command about a span.
pub(super) fn span_operand() -> Arg {
    operands("REVISION|A..B")
}
