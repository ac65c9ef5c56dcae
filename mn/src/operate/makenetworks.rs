//! `makenetworks`: this machine is looked at, and what follows is one change.

use common::report::Refusal;
use mn_core::change::networks;
use mn_core::command::Makenetworks;

use crate::ground::Ground;
use crate::host::interfaces;
use crate::store::book::Planned;

/// Runs the command; gives the exit status.
pub(super) async fn run(ground: &Ground, args: Makenetworks) -> u8 {
    let own = match interfaces::found(&ground.context.server) {
        Ok(own) => own,
        Err(error) => {
            let refusal = Refusal::new("Could not get network information.").because(error.to_string());
            return ground.refuse(&[refusal]).await;
        }
    };
    let (context, record) = (ground.context.clone(), !args.display && !args.mode.dry_run);
    let committed = ground
        .site
        .book
        .change(ground.by.clone(), move |model| {
            let outcome = networks::plan(model, &own, &args, &context);
            Planned { record, ..Planned::new(outcome.change, (outcome.lines, outcome.status)) }
        })
        .await;
    match committed {
        Ok(committed) => {
            let (lines, status) = committed.value;
            // Whoever has gone does not hear it; what was done is in the history.
            let _ = ground.replies.lines(lines).await;
            status
        }
        Err(error) => ground.fault(&error).await,
    }
}
