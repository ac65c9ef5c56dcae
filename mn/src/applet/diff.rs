//! `diff`: what is different between two states.
//!
//! Called by that name alone it stands before the `diff` of files in `PATH`, which scripts go on
//! calling: whatever does not read as a span of the history is handed over to that one, words and
//! all. `mn diff` never is.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use clap::{ArgAction, ArgMatches, Command};
use mn_core::command::{Asked, Diff, Query};

use super::definition::split_list;
use super::history::{span, span_operand};
use super::intake::Intake;
use super::{Applet, Parsed, Usage, base, option, switch, text, texts};

pub(crate) const APPLET: Applet = Applet { name: "diff", command, ask, usage_status: 2, bare_status: None };

fn command() -> Command {
    base("diff", "Show what is different between two states, one line a value")
        .override_usage("mn diff A..B [-o NAMES] [--table TABLE]… [-a] [--stat]\n       mn diff A")
        .arg(option("objects", "NAMES").short('o').help("Of these nodes or other objects alone"))
        .arg(option("table", "TABLE").action(ArgAction::Append).help("Of this table alone"))
        .arg(switch("all").short('a').help("Also what the daemon keeps for itself, as nodes' status"))
        .arg(switch("stat").help("How much of each table and column differs, and not each value"))
        .arg(span_operand().help(
            "From the state that A left to the state that B left; without B, to the newest. \
             Each a revision, a time or how long ago",
        ))
}

/// Set in the environment of a `diff` that was handed its words by this one.
const HANDED_OVER: &str = "DROVER_DIFF_HANDED_OVER";

/// Hands the words over to the next `diff` in `PATH`, where they are not for this one. Returns only
/// where they are, or where there is no other.
pub(crate) fn hand_over(words: &[OsString]) {
    // Two installations in one PATH must not hand over to each other for ever.
    if is_ours(words) || std::env::var_os(HANDED_OVER).is_some() {
        return;
    }
    let own = std::env::current_exe().and_then(std::fs::canonicalize).unwrap_or_default();
    if let Some(other) = next_in_path("diff", &own) {
        // Only where it cannot be started does this return; then the words are explained here.
        let _ = std::process::Command::new(other)
            .arg0("diff")
            .args(words.iter().skip(1))
            .env(HANDED_OVER, "1")
            .exec();
    }
}

/// Whether the words name a span of the history.
fn is_ours(words: &[OsString]) -> bool {
    let is_help = matches!(words, [_, word] if word == "-h" || word == "-?");
    let matches = command().try_get_matches_from(words);
    is_help || matches.is_ok_and(|matches| span(&texts(&matches, "words")).is_ok())
}

/// The first program of this name in `PATH` that is not this one.
fn next_in_path(name: &str, own: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(name));
    found.find(|program| std::fs::canonicalize(program).is_ok_and(|program| program != own))
}

fn ask(matches: &ArgMatches, intake: &mut Intake) -> Result<Parsed, Usage> {
    let (span, _) = span(&texts(matches, "words"))?;
    let objects = text(matches, "objects").map(|text| intake.range(&text)).transpose()?;
    let tables = texts(matches, "table").iter().flat_map(|list| split_list(list)).collect();
    let query = Diff { span, objects, tables, all: matches.get_flag("all"), stat: matches.get_flag("stat") };
    Ok(Asked::Query(Query::Diff(query)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_compared_by_the_other_diff() {
        let ours = |words: &str| {
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            is_ours(&words)
        };
        for line in [
            "diff 3..5",
            "diff 3",
            "diff 2h ago..",
            "diff --json 3..",
            "diff yesterday..today -o n1",
            "diff -h",
        ] {
            assert!(ours(line), "{line}");
        }
        for line in [
            "diff a b",
            "diff -u a b",
            "diff ../a ../b",
            "diff -r . ..",
            "diff",
            "diff 12 13",
            "diff --version",
        ] {
            assert!(!ours(line), "{line}");
        }
    }
}
