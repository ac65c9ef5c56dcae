//! Completion of command lines: `mn complete SHELL INDEX -- WORDS`, which the scripts of
//! `install-applets` call at each tab.
//!
//! Options, types, tables and attributes are known here; names of nodes, groups and other objects and
//! revisions are the daemon's, which is asked within [`PATIENCE`]. Where it does not answer, nothing
//! is offered and nothing is said: a tab must not break the line that is being typed.
//!
//! What stands where is read from the commands' own definitions ([`place`]): the value names of
//! options and operands (`NODERANGE`, `TABLE`, `ATTR=VALUE` …) say what is offered ([`offer`]), so that a
//! new command is completed without a line here.

mod offer;
mod place;
mod scripts;

use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use common::wire::PROTOCOL;
use common::wire::operator::{Reply, Request, View};
use mn_core::command::{Asked, Names, Query, Sent, What};

pub(super) use self::scripts::{Shell, script};
use crate::applet::place::{Place, unsaid};
use crate::applet::print;
use crate::client;
use crate::client::remote::{Far, home};

/// How long the daemon may take. What takes longer is felt as a line that hangs.
const PATIENCE: Duration = Duration::from_millis(300);

/// The status that tells a script to offer names of files.
const FILES: u8 = 3;

/// What may stand at a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Offers {
    /// Whole words, each with what it means, where that is worth saying.
    words: Vec<(String, String)>,
    /// Whether names of files fit too.
    files: bool,
}

/// Answers a shell; gives the exit status.
pub(super) fn run(words: &[OsString]) -> u8 {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let [_, _, shell, index, _, line @ ..] = words.as_slice() else { return 1 };
    let (Some(shell), Ok(index)) = (Shell::named(shell), index.parse::<usize>()) else { return 1 };
    let breaks = std::env::var("COMP_WORDBREAKS").unwrap_or_default();
    let (line, index) = match shell {
        Shell::Bash => place::rejoined(line, index),
        Shell::Fish | Shell::Zsh => (line.to_vec(), index),
    };
    let current = line.get(index).cloned().unwrap_or_default();
    let whom = whom(&line);
    let ask = |what: What, prefix: &str| names(&whom, what, prefix);
    let offers = offers(&line, index, &ask);
    print::out(&scripts::reply(shell, &current, &breaks, offers.words));
    if offers.files { FILES } else { 0 }
}

/// What may stand at the word of this number; the words end with it.
fn offers(line: &[String], index: usize, ask: &dyn Fn(What, &str) -> Vec<String>) -> Offers {
    let current = line.get(index).map_or("", String::as_str);
    let before = line.get(..index).unwrap_or_default();
    let mut offers = match place::of(before, current) {
        Some(place) => offer::at(&place, ask),
        None => Offers::default(),
    };
    offers.words.retain(|(word, _)| word.starts_with(current));
    offers.words.sort();
    offers.words.dedup_by(|a, b| a.0 == b.0);
    offers
}

/// Whom to ask: what the line says goes before the environment, as with the command itself.
fn whom(line: &[String]) -> Place {
    let said = |option: &str| {
        let after = line.iter().position(|word| word == option).and_then(|at| line.get(at + 1));
        let glued = line.iter().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
        after.map(String::as_str).or(glued).map(str::to_owned)
    };
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let here = |dir: String| Place::Here(runtime::disk::absolute(Path::new(&dir)));
    let far = |server: String| Place::Far(Far { home: home(), server: Some(server) });
    let typed = said("--dir").map(here).or_else(|| said("--mn").map(far));
    typed.or_else(|| set("DROVER_DIR").map(here)).or_else(|| set("DROVER_MN").map(far)).unwrap_or_else(unsaid)
}

/// Names that the daemon knows; none where it does not answer in time.
fn names(whom: &Place, what: What, prefix: &str) -> Vec<String> {
    let asked = Asked::Query(Query::Names(Names { what, prefix: prefix.to_owned() }));
    let Ok(command) = postcard::to_stdvec(&Sent::V1(asked)) else { return Vec::new() };
    let words = vec!["complete".to_owned()];
    let request = Request { protocol: PROTOCOL, words, command, view: View::default(), parts: 0 };
    let (answer, answered) = sync_channel(1);
    let whom = whom.clone();
    // A thread that is left behind ends with the process, a moment later.
    std::thread::spawn(move || {
        let mut text = String::new();
        let take = |reply| {
            if let Reply::Out(more) = reply {
                text.push_str(&more);
            }
        };
        let is_answered = match &whom {
            Place::Here(dir) => matches!(client::call(dir, request, take), Ok(0)),
            Place::Far(far) => matches!(client::remote::call(far, request, take), Ok(0)),
        };
        // Nobody waits any more where it took too long.
        let _ = answer.send(if is_answered { text } else { String::new() });
    });
    let text = answered.recv_timeout(PATIENCE).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
