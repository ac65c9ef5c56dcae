//! Where in a command line a word stands: which option it is the value of, or which operand.

use clap::{Arg, Command};

use super::super::manage;
use crate::applet::{APPLETS, find};

/// A place in a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The command's name.
    pub(super) command: String,
    /// The word so far.
    pub(super) current: String,
    /// What of it stands before the value: `--author=`.
    pub(super) fixed: String,
    /// What is wanted there.
    pub(super) wanted: Wanted,
    /// The type of the objects (`-t`), where one was given.
    pub(super) kind: Option<String>,
    /// Whether the objects are named already (`-o`).
    pub(super) is_named: bool,
}

/// What is wanted at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A name of an option: these, each with its help.
    Options(Vec<(String, String)>),
    /// A sub-command: these.
    Commands(Vec<(String, String)>),
    /// The value of an option, or an operand, by what its definition calls it.
    Value {
        /// Its id; empty for an operand.
        id: String,
        /// The alternatives: `NODERANGE`, `ATTR=VALUE`.
        names: Vec<String>,
        /// How many operands stand before it.
        operands: usize,
    },
}

/// The words of bash, which splits them at `=`, `:` and `@` too, put together again; and the number of
/// the current one.
pub(super) fn rejoined(words: &[String], index: usize) -> (Vec<String>, usize) {
    let is_break = |word: &str| !word.is_empty() && word.chars().all(|c| "=:@".contains(c));
    let mut joined: Vec<String> = Vec::new();
    let mut at = 0;
    let mut glue = false;
    for (number, word) in words.iter().enumerate().take(index + 1) {
        match joined.last_mut() {
            Some(last) if number > 1 && (glue || is_break(word)) => last.push_str(word),
            _ => joined.push(word.clone()),
        }
        glue = is_break(word);
        at = joined.len() - 1;
    }
    if words.len() <= index {
        joined.push(String::new());
        at = joined.len() - 1;
    }
    (joined, at)
}

/// Where `current` stands behind these words, the program's name first; none where no such command
/// is known.
pub(super) fn of(before: &[String], current: &str) -> Option<Place> {
    let (program, mut rest) = before.split_first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    if name != "mn" {
        return scan(find(name)?.definition(), rest, current);
    }
    // `mn --dir DIR NAME …`.
    if let [dir, _, after @ ..] = rest
        && dir == "--dir"
    {
        rest = after;
    }
    let Some((name, after)) = rest.split_first() else {
        let mut command = manage::command();
        command.build();
        let own = command.get_subcommands().map(|sub| (sub.get_name().to_owned(), about(sub)));
        let applets = APPLETS.iter().map(|applet| (applet.name.to_owned(), about(&applet.definition())));
        let wanted = Wanted::Commands(own.chain(applets).collect());
        return Some(place(command.get_name(), current, wanted));
    };
    match find(name) {
        Some(applet) => scan(applet.definition(), after, current),
        None => scan(manage::command(), rest, current),
    }
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn place(command: &str, current: &str, wanted: Wanted) -> Place {
    let (command, current) = (command.to_owned(), current.to_owned());
    Place { command, current, fixed: String::new(), wanted, kind: None, is_named: false }
}

/// Reads the words before, then says what the current one is.
fn scan(mut command: Command, before: &[String], current: &str) -> Option<Place> {
    command.build();
    let mut command = &command;
    let mut expected: Option<&Arg> = None;
    let (mut operands, mut is_escaped) = (0, false);
    let (mut kind, mut is_named) = (None, false);
    for word in before {
        if let Some(arg) = expected.take() {
            if arg.get_id() == "type" {
                kind = word.split(',').next().map(str::to_owned);
            }
            is_named |= arg.get_id() == "objects";
        } else if is_escaped || !word.starts_with('-') || word == "-" {
            match command.find_subcommand(word) {
                Some(sub) if operands == 0 => command = sub,
                _ => operands += 1,
            }
        } else if word == "--" {
            is_escaped = true;
        } else {
            expected = awaiting(command, word);
        }
    }
    let mut found = if let Some(arg) = expected {
        place(command.get_name(), current, value(arg, 0))
    } else if current.starts_with('-') && !is_escaped {
        option(command, current)
    } else if operands == 0 && command.has_subcommands() {
        let subs = command.get_subcommands().map(|sub| (sub.get_name().to_owned(), about(sub)));
        place(command.get_name(), current, Wanted::Commands(subs.collect()))
    } else {
        let operand = command.get_positionals().last()?;
        place(command.get_name(), current, value(operand, operands))
    };
    (found.kind, found.is_named) = (kind, is_named);
    Some(found)
}

/// The option whose value is the next word.
fn awaiting<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    if let Some(long) = word.strip_prefix("--") {
        return command.get_arguments().find(|arg| arg.get_long() == Some(long) && takes_value(arg));
    }
    let letters = word.strip_prefix('-')?;
    let valued =
        |letter| command.get_arguments().find(|arg| arg.get_short() == Some(letter) && takes_value(arg));
    let (at, arg) =
        letters.char_indices().find_map(|(at, letter)| Some((at + letter.len_utf8(), valued(letter)?)))?;
    // `-tnode` holds its value.
    (at == letters.len()).then_some(arg)
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// A word that begins with a dash: the name of an option, or one with its value.
fn option(command: &Command, current: &str) -> Place {
    if let Some((long, _)) = current.strip_prefix("--").and_then(|rest| rest.split_once('='))
        && let Some(arg) = command.get_arguments().find(|arg| arg.get_long() == Some(long))
    {
        let mut found = place(command.get_name(), current, value(arg, 0));
        found.fixed = format!("--{long}=");
        return found;
    }
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional());
    let names = shown.flat_map(|arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let long = arg.get_long().map(|long| format!("--{long}"));
        let short = arg.get_short().map(|short| format!("-{short}"));
        long.into_iter().chain(short).map(move |name| (name, help.clone()))
    });
    place(command.get_name(), current, Wanted::Options(names.collect()))
}

/// What a definition calls its value: of operands the word of their number, or the last.
fn value(arg: &Arg, operands: usize) -> Wanted {
    let called: Vec<String> = arg
        .get_value_names()
        .unwrap_or_default()
        .iter()
        .flat_map(|names| names.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let names = called.get(operands).or_else(|| called.last()).map(String::as_str).unwrap_or_default();
    let names = names.split('|').map(|name| name.trim_matches(['[', ']', '…', ',']).to_owned()).collect();
    let id = if arg.is_positional() { String::new() } else { arg.get_id().to_string() };
    Wanted::Value { id, names, operands }
}
