//! `makehosts`: the hosts file is read, changed as the definitions say, and replaced.
//!
//! One at a time; what the lines are is decided in `mn_core::make::hosts`, how the file survives a
//! power cut in [`mod@file`]. The file belongs to the machine and not to the model, so the history has
//! the command with its counts and no rows.

mod file;

use std::path::{Path, PathBuf};

use common::report::Refusal;
use mn_core::change::Outcome;
use mn_core::command::Makehosts;
use mn_core::make::hosts::{self, Edited};
use mn_core::model::Model;
use mn_core::talk::Talk;
use serde_json::json;

pub(crate) use self::file::finish_interrupted;
use self::file::{FileError, Hold};
use crate::ground::Ground;
use crate::host::user_name;
use crate::store::book::Planned;

/// What a fresh file begins with, as xCAT's does.
const FRESH: &[u8] = b"127.0.0.1 localhost\n";

/// Runs the command; gives the exit status.
pub(super) async fn run(ground: &Ground, args: Makehosts) -> u8 {
    // Who may name another file, which is written with the daemon's rights, the policy has decided.
    let path = args.file.as_ref().map_or_else(|| ground.site.hosts_file.clone(), PathBuf::from);
    let (model, context, dir) = (ground.model(), ground.context.clone(), ground.site.dir.clone());
    let shown = path.clone();
    // Files and ten thousand names take their time.
    let done = tokio::task::spawn_blocking(move || {
        let mut talk = Talk::new(&context);
        let made = make(&model, &args, &path, &dir, &mut talk);
        (made, talk.finish(None))
    })
    .await;
    match done {
        Ok((Ok(what), outcome)) => conclude(ground, what, outcome).await,
        Ok((Err(error), outcome)) => {
            let refusal = refusal(&error, &shown);
            // Names that are unknown, and warnings, come before.
            let _ = ground.replies.lines(outcome.lines).await;
            ground.refuse(&[refusal]).await
        }
        Err(_) => ground.refuse(&[Refusal::new("it failed by a bug of ours")]).await,
    }
}

/// What was done.
enum Made {
    /// Nothing: the noderange cannot be read, and that was said.
    Nothing,
    /// A dry run.
    Shown,
    /// The file has these lines more and less.
    Wrote { added: usize, removed: usize },
}

fn make(
    model: &Model,
    args: &Makehosts,
    path: &Path,
    dir: &Path,
    talk: &mut Talk<'_>,
) -> Result<Made, FileError> {
    let nodes = match &args.nodes {
        None => None,
        Some(range) => match range.expand(model) {
            Ok(chosen) => {
                chosen.warnings.iter().for_each(|text| talk.warn(text));
                Some(chosen.nodes.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
            Err(refusal) => {
                talk.refuse(&refusal);
                return Ok(Made::Nothing);
            }
        },
    };
    if args.delete && nodes.is_none() {
        talk.warn("-d takes the lines of named nodes out, and none are named: nothing was changed");
        return Ok(Made::Nothing);
    }
    let hold = Hold::take(path, dir)?;
    let before = hold.read()?;
    let start: &[u8] = if args.fresh { FRESH } else { &before };
    let wanted = hosts::wanted(model, args, nodes.as_deref(), start, talk);
    let edited = match args.delete {
        true => hosts::delete(start, &wanted.entries),
        false => hosts::edit(start, &wanted.entries),
    };
    let edited = if args.fresh { edited.since(&before) } else { edited };
    show(args, path, &edited, talk);
    if args.mode.dry_run {
        return Ok(Made::Shown);
    }
    hold.write(&edited.bytes)?;
    Ok(Made::Wrote { added: edited.added.len(), removed: edited.removed.len() })
}

/// xCAT says nothing; a dry run and `-V` show the lines.
fn show(args: &Makehosts, path: &Path, edited: &Edited, talk: &mut Talk<'_>) {
    let lines = edited.removed.iter().map(|line| ("-", line));
    for (sign, line) in lines.chain(edited.added.iter().map(|line| ("+", line))) {
        if args.mode.dry_run || args.verbose {
            talk.info(format!("{sign} {line}").trim_end());
        }
        let change = if sign == "+" { "added" } else { "removed" };
        talk.record(
            || json!({ "file": path.display().to_string(), "change": change, "line": line.trim_end() }),
        );
    }
    let count = edited.added.len() + edited.removed.len();
    if args.mode.dry_run {
        talk.info(format!("Dry run: {count} lines of {} would change; nothing is changed.", path.display()));
    } else if args.verbose {
        talk.info(format!("{}: {count} lines changed", path.display()));
    }
}

async fn conclude(ground: &Ground, what: Made, outcome: Outcome) -> u8 {
    let text = match what {
        Made::Wrote { added: 0, removed: 0 } => String::new(),
        Made::Wrote { added, removed } => format!("{added} lines added, {removed} removed"),
        Made::Nothing | Made::Shown => {
            let _ = ground.replies.lines(outcome.lines).await;
            return outcome.status;
        }
    };
    let status = if text.is_empty() { 0 } else { record(ground, text).await };
    let _ = ground.replies.lines(outcome.lines).await;
    outcome.status.max(status)
}

/// Writes into the history that the file was changed.
async fn record(ground: &Ground, note: String) -> u8 {
    let by = ground.by.clone();
    let recorded =
        ground.site.book.change(by, move |_| Planned { note, record: true, ..Planned::new(None, ()) }).await;
    match recorded {
        Err(error) => ground.fault(&error).await,
        Ok(_) => 0,
    }
}

fn refusal(error: &FileError, path: &Path) -> Refusal {
    let refusal = Refusal::new(error.to_string());
    let refusal = match std::error::Error::source(error) {
        Some(cause) => refusal.because(format!(
            "{}; the daemon runs as {}",
            common::report::chain(cause),
            user_name(nix::unistd::geteuid())
        )),
        None => refusal,
    };
    match error {
        FileError::Busy { .. } => refusal.attempt("the same again, when whoever writes it is done"),
        FileError::TooLong { .. } => refusal.attempt(format!("look at {}: no hosts file is so long", path.display())),
        FileError::Disk { .. } => refusal.attempt(
            "give the daemon the right to write it (ReadWritePaths= in its unit), name another in mn.toml (hosts_file = \"/PATH\"), or makehosts --file FILE",
        ),
    }
}

#[cfg(test)]
mod tests {
    use mn_core::command::Mode;
    use mn_core::talk::{Context, Line};

    use super::*;

    #[test]
    fn a_file_that_may_not_be_written_is_refused_with_a_way_out() {
        let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = FileError::Disk { doing: "write", path: "/etc/hosts".into(), source };
        let text = refusal(&error, Path::new("/etc/hosts")).render("makehosts");
        assert!(
            text.starts_with("makehosts: cannot write /etc/hosts\n  because  permission denied"),
            "{text}"
        );
        assert!(text.contains("hosts_file = ") && text.contains("--file"), "{text}");
    }

    #[test]
    fn a_dry_run_shows_lines_as_a_diff() {
        let context = Context::default();
        let mut talk = Talk::new(&context);
        let args = Makehosts { mode: Mode { dry_run: true, ..Mode::default() }, ..Makehosts::default() };
        let edited = Edited {
            removed: vec!["10.0.0.1 a".into()],
            added: vec!["10.0.0.1 n1 ".into()],
            ..Edited::default()
        };
        show(&args, Path::new("/x/hosts"), &edited, &mut talk);
        let lines = talk.finish(None).lines;
        let text = |line: &Line| match line {
            Line::Out(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            lines.iter().map(text).collect::<Vec<_>>(),
            [
                "- 10.0.0.1 a",
                "+ 10.0.0.1 n1",
                "Dry run: 2 lines of /x/hosts would change; nothing is changed."
            ]
        );
    }
}
