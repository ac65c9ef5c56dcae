//! `tabprune auditlog`: the audit log is no part of the model, so it is laid in, the command planned as
//! on any table, and what it would remove is taken out of the log's files instead of the store.

use mn_core::command::Command;
use mn_core::table::schema::AUDITLOG;
use mn_core::talk::Line;

use super::execute::with_audit;
use crate::audit::Prune;
use crate::ground::Ground;

/// Whether a command prunes the audit log.
pub(super) fn is_for_audit(command: &Command) -> bool {
    matches!(command, Command::Tabprune(args) if args.table == AUDITLOG.name())
}

/// Prunes it; gives the exit status.
pub(super) async fn prune(ground: &Ground, command: Command) -> u8 {
    let model = match with_audit(ground, |_| true).await {
        Ok(model) => model,
        Err(refusal) => return ground.refuse(&[refusal]).await,
    };
    let context = ground.context.clone();
    let planning = tokio::task::spawn_blocking(move || mn_core::plan(&model, &command, &context));
    let Ok(outcome) = planning.await else { return 1 };
    // What goes is always the oldest, so that the newest of it says all.
    let edits = outcome.change.iter().flat_map(|change| change.edits());
    let gone = edits.filter(|edit| edit.table == AUDITLOG && edit.after.is_none());
    let last = gone.filter_map(|edit| edit.key.as_str().parse::<u64>().ok()).max();
    if let Some(last) = last
        && let Err(error) = ground.site.audit.prune(Prune::Below(last.saturating_add(1))).await
    {
        let _ = ground.say(Line::Err(format!("tabprune: the audit log cannot be written: {error}"))).await;
        return 1;
    }
    // Who has gone does not hear it; it is done.
    let _ = ground.replies.lines(outcome.lines).await;
    outcome.status
}
