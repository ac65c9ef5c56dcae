//! How a command of one step answers that changes something: once the change is on the disk.

use std::time::Duration;

use common::id::Revision;
use mn_core::change::Outcome;
use mn_core::command::Mode;
use mn_core::member;
use mn_core::model::Model;
use mn_core::talk::Line;

use super::Ground;
use crate::store::book::Planned;

/// Plans a change on the newest model, commits it, says what was planned to be said, and waits for
/// the service nodes that it touches; gives the exit status.
pub(crate) async fn perform(
    ground: &Ground,
    mode: Mode,
    plan: impl FnOnce(&Model) -> Outcome + Send + 'static,
) -> u8 {
    let change = ground.site.book.change(ground.by.clone(), move |model| {
        let outcome = plan(model);
        let note = note(&outcome.lines, outcome.status);
        let value = (outcome.lines, outcome.status);
        Planned { note, ..Planned::new(outcome.change, value) }
    });
    let committed = match ground.replies.patiently("making the change", change).await {
        Ok(committed) => committed,
        Err(error) => return ground.fault(&error).await,
    };
    let (lines, status) = committed.value;
    if ground.replies.lines(lines).await.is_err() {
        return status;
    }
    if let Some(revision) = committed.revision.filter(|_| !mode.no_wait && !mode.dry_run) {
        wait(ground, revision, ground.site.wait).await;
    }
    status
}

/// What is on record of a command that was refused, wholly or in part.
fn note(lines: &[Line], status: u8) -> String {
    let first = lines.iter().find_map(|line| match line {
        Line::Err(text) if status != 0 => Some(text),
        _ => None,
    });
    first.map(|text| text.chars().take(500).collect()).unwrap_or_default()
}

/// Waits until the service nodes that a change touches have applied it, and says which have not. One
/// that has never joined is no machine yet: a site is often defined before its service nodes are
/// installed, and each command would say so of each of them. `lsslice` shows them.
async fn wait(ground: &Ground, revision: Revision, limit: Duration) {
    let delivery = &ground.site.delivery;
    let Ok(touched) = tokio::time::timeout(limit, delivery.touched_since(revision)).await else {
        let text = format!("{}: the change is stored; its slices are still being made", ground.command());
        let _ = ground.replies.err(text).await;
        return;
    };
    let model = ground.model();
    let joined = touched.into_iter().filter(|sn| member::has_joined(&model, sn));
    for (sn, why) in delivery.wait_all(joined, revision, limit).await {
        let text = format!("{}: {sn} has not applied this yet: {why}", ground.command());
        if ground.replies.err(text).await.is_err() {
            return;
        }
    }
}
