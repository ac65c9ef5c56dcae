//! `makenetworks`: this machine is looked at, and what follows is one change. Of a service node that
//! is away what it reported last counts, and that is said.

use common::id::SnName;
use common::report::Refusal;
use mn_core::change::networks;
use mn_core::command::Makenetworks;
use mn_core::member;
use mn_core::talk::{Line, warning};

use crate::ground::Ground;
use crate::host::interfaces;
use crate::push::PeerView;
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
    let context = ground.context.clone();
    let committed = ground
        .site
        .book
        .change(ground.by.clone(), move |model| {
            let outcome = networks::plan(model, &own, &args, &context);
            Planned::new(outcome.change, (outcome.lines, outcome.status))
        })
        .await;
    match committed {
        Ok(committed) => {
            let (lines, status) = committed.value;
            // Whoever has gone does not hear it; what was done is in the history.
            let _ = ground.replies.lines(lines).await;
            let _ = ground.replies.lines(away(ground)).await;
            status
        }
        Err(error) => ground.fault(&error).await,
    }
}

/// A warning for each service node that may have other networks by now. One that never joined has
/// none that anybody knows.
fn away(ground: &Ground) -> Vec<Line> {
    let (view, model) = (ground.site.delivery.view(), ground.model());
    let is_away = |(sn, peer): &(&SnName, &PeerView)| !peer.is_connected() && member::has_joined(&model, sn);
    let away = view.peers.iter().filter(is_away);
    let said = away.map(|(sn, _)| {
        let text = format!("{sn} is not connected: of its networks, those count that it reported last");
        Line::Err(warning(&ground.context, &text))
    });
    said.collect()
}
