//! `undo`: takes revisions back.

use clap::{ArgMatches, Command};
use mn_core::command::{Asked, Mode, Operation, Undo};

use super::history::{span, span_operand};
use super::intake::Intake;
use super::{Applet, Parsed, Usage, changing, mode, switch, texts};

pub(super) const APPLET: Applet = Applet { name: "undo", command, ask, usage_status: 2, bare_status: None };

fn command() -> Command {
    changing("undo", "Take revisions back, as a new change")
        .mut_arg("atomic", |arg| arg.hide(true))
        .override_usage("undo REVISION [--dry-run [--stat]]\n       undo A..B [--dry-run [--stat]]")
        .arg(
            switch("stat")
                .requires("dry-run")
                .help("With --dry-run: how much would change, and not each value"),
        )
        .arg(span_operand().help("Which: one, or from A to B, both taken back; without B, up to the newest"))
}

fn ask(matches: &ArgMatches, _: &mut Intake) -> Result<Parsed, Usage> {
    let (span, is_one) = span(&texts(matches, "words"))?;
    if span.from.is_none() {
        return Err(Usage::new("say where to begin: undo 810..812"));
    }
    let mode = Mode { atomic: true, ..mode(matches) };
    Ok(Asked::Operate(Operation::Undo(Undo { mode, span, is_one, stat: matches.get_flag("stat") })).into())
}
