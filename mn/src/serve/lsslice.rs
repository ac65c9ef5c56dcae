//! `lsslice`: how far each service node is with its slice.
//!
//! What a service node shall hold that has never joined is not kept: it is looked up for this answer.

use common::id::{Revision, SnName};
use common::report::Refusal;
use common::slice::Role;
use mn_core::command::Lsslice;
use mn_core::delivery::Standing;
use mn_core::derive;
use mn_core::model::Model;
use mn_core::query::{self, SliceState};

use crate::ground::Ground;
use crate::push::{PeerView, View};
use crate::store::book::BookError;

/// Runs the command; gives the exit status.
pub(super) async fn run(ground: &Ground, args: Lsslice) -> u8 {
    let delivery = &ground.site.delivery;
    // Just after its start the daemon does not know yet what each of them shall hold.
    let first = tokio::time::timeout(ground.site.wait, delivery.derived(Revision::new(1))).await;
    let view = first.ok().flatten().unwrap_or_else(|| delivery.view());
    let unknown = args.service_nodes.iter().find(|name| !view.peers.contains_key(name.as_str()));
    if let Some(name) = unknown {
        let refusal = Refusal::new("is no service node").about(name);
        return ground.refuse(&[refusal.attempt("lsslice, to see them all")]).await;
    }
    let model = ground.model();
    // Looking at a hundred thousand nodes takes its time.
    let states = tokio::task::spawn_blocking(move || states(&view, &model, &args.service_nodes)).await;
    let Ok(states) = states else { return ground.fault(&BookError::Bug).await };
    let mut lines = Vec::new();
    let status = query::lsslice(&states, &ground.context, &mut |line| lines.push(line));
    let _ = ground.replies.lines(lines).await;
    status
}

fn states(view: &View, model: &Model, only: &[String]) -> Vec<SliceState> {
    let chosen =
        view.peers.iter().filter(|(sn, _)| only.is_empty() || only.iter().any(|name| name == sn.as_str()));
    chosen.map(|(sn, peer)| state(view, model, sn, peer)).collect()
}

fn state(view: &View, model: &Model, sn: &SnName, peer: &PeerView) -> SliceState {
    let roles = match &peer.outline {
        Some(outline) => outline.roles().collect(),
        None => derive::roles(model, sn),
    };
    let owned = roles.iter().filter(|role| **role == Role::Owner).count();
    let faults = match &peer.standing {
        Standing::Refused(reasons) => reasons.iter().map(|reason| fault(reason)).collect(),
        _ => Vec::new(),
    };
    SliceState {
        service_node: sn.clone(),
        connected: peer.is_connected(),
        desired: peer.stamp.as_ref().map(|stamp| stamp.generation).unwrap_or_default(),
        acknowledged: peer.held.as_ref().map(|held| held.generation),
        digest: peer.held.as_ref().map(|held| held.digest.to_string()),
        owned,
        held: roles.len() - owned,
        faults,
        revision: view.revision,
    }
}

/// A reason as a service node gives it: the service, then what it cannot do.
fn fault(reason: &str) -> (String, String) {
    let (service, text) = reason.split_once(':').unwrap_or(("slice", reason));
    (service.trim().to_owned(), text.trim().to_owned())
}
