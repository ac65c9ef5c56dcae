//! `lsmn`: what the daemon knows of itself.

use mn_core::command::Lsmn;
use mn_core::delivery::Standing;
use mn_core::query::{Daemon, Links, lsmn};

use crate::ground::Ground;

/// Runs the command; gives the exit status.
pub(super) async fn run(ground: &Ground, args: Lsmn) -> u8 {
    let view = ground.site.delivery.view();
    let count = |wanted: &dyn Fn(&crate::push::PeerView) -> bool| {
        view.peers.values().filter(|peer| wanted(peer)).count()
    };
    let links = Links {
        connected: count(&|peer| peer.is_connected()),
        current: count(&|peer| matches!(peer.standing, Standing::Current)),
    };
    let daemon = Daemon { links: Some(links), ..ground.site.daemon() };
    let mut lines = Vec::new();
    lsmn(&ground.model(), &daemon, args, &ground.context, &mut |line| lines.push(line));
    // Who has gone needs no answer.
    let _ = ground.replies.lines(lines).await;
    0
}
