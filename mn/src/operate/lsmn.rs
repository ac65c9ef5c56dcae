//! `lsmn`: what the daemon knows of itself.

use mn_core::command::Lsmn;
use mn_core::delivery::Standing;
use mn_core::query::{Daemon, lsmn};

use crate::ground::Ground;

/// Runs the command; gives the exit status.
pub(super) async fn run(ground: &Ground, args: Lsmn) -> u8 {
    let view = ground.site.delivery.view();
    let count = |wanted: &dyn Fn(&crate::push::PeerView) -> bool| {
        view.peers.values().filter(|peer| wanted(peer)).count()
    };
    let daemon = Daemon {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        dir: ground.site.dir.display().to_string(),
        listening: ground.site.listening.to_string(),
        connected: count(&|peer| peer.is_connected()),
        current: count(&|peer| matches!(peer.standing, Standing::Current)),
    };
    let mut lines = Vec::new();
    lsmn(&ground.model(), &daemon, args, &ground.context, &mut |line| lines.push(line));
    // Who has gone needs no answer.
    let _ = ground.replies.lines(lines).await;
    0
}
