//! The QUIC listener: one port for strangers who join, for service nodes and for operators.

use std::net::SocketAddr;

use common::wire::join::{JoinAnswer, Kind};
use runtime::link::connection::Link;
use runtime::link::endpoint::{Arrived, Incoming, Listener};
use runtime::link::identity::Role;
use runtime::link::join::JoinLink;
use runtime::supervise::{BoxError, Nursery};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::push::{Doors, join, session};
use crate::serve::Desk;
use crate::serve::remote::{self, Membership};

/// How many links there may be at once: each service node's one, during a reconnect two, and
/// strangers. 10,000 idle links were measured at 65 KB each.
const LINKS: usize = 4096;

impl Membership for Doors {
    fn admits(&self, link: &Link) -> Result<(), &'static str> {
        Self::admits(self, link)
    }

    fn renew(&self, link: &Link, public_key: &[u8]) -> JoinAnswer {
        join::renew(self, link, public_key)
    }
}

/// Serves the listener until `stop`.
///
/// # Errors
/// When the socket broke.
pub(crate) async fn listen(
    listener: Listener,
    doors: Doors,
    desk: Desk,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let links = Nursery::new("link", LINKS, stop.clone());
    loop {
        let incoming = tokio::select! {
            () = stop.cancelled() => break,
            incoming = listener.accept() => incoming,
        };
        let Some(incoming) = incoming else { return Err("the QUIC socket broke".into()) };
        let address = incoming.peer_address();
        if !links.try_spawn(welcome(incoming, doors.clone(), desk.clone())) {
            debug!(%address, "too many links; one was dropped");
        }
    }
    listener.close();
    links.drained().await;
    listener.drained().await;
    Ok(())
}

async fn welcome(incoming: Incoming, doors: Doors, desk: Desk) {
    let address = incoming.peer_address();
    match incoming.establish().await {
        Ok(Arrived::Stranger(stranger)) => joins(stranger, &doors, &desk, address).await,
        Ok(Arrived::Member(link)) => member(link, doors, desk).await,
        // Anyone can cause this, so it is not for the log of an ordinary day.
        Err(error) => {
            if let Some(why) = error.we_refused() {
                desk.refused("", &address.ip().to_canonical().to_string(), why);
            }
            debug!(%address, %error, "handshake failed");
        }
    }
}

async fn joins(mut stranger: JoinLink, doors: &Doors, desk: &Desk, address: SocketAddr) {
    let relayed = match stranger.request().await {
        Ok(relayed) => relayed,
        Err(error) => return debug!(%address, %error, "stranger asked nothing"),
    };
    let answer = join::answer(doors, &relayed, None).await;
    if relayed.request.kind == Kind::Operator {
        let (name, from) = (relayed.request.name.as_str(), address.ip().to_canonical().to_string());
        match &answer {
            JoinAnswer::Welcome { .. } => desk.joined(name, &from),
            JoinAnswer::Refused(why) => desk.refused(&format!("operator {name}"), &from, why),
            JoinAnswer::Later(_) => {}
        }
    }
    if let Err(error) = stranger.answer(answer).await {
        debug!(%address, %error, "stranger did not take the answer");
    }
}

async fn member(link: Link, doors: Doors, desk: Desk) {
    if let Err(why) = doors.admits(&link) {
        info!(peer = %link.peer(), address = %link.peer_address(), why, "member was refused");
        desk.refused(&link.peer().to_string(), &link.peer_ip().to_string(), why);
        return link.refuse(why);
    }
    match link.peer().clone() {
        Role::ServiceNode(sn) => session::serve(doors, sn, link).await,
        Role::Operator(name) => {
            info!(operator = %name, address = %link.peer_address(), "operator connected");
            remote::serve(&desk, &doors, name.as_str(), link).await;
        }
        // Not admitted; see above.
        Role::Agent(_) | Role::ManagementNode => link.refuse("not served here"),
    }
}
