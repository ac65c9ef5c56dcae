//! The QUIC listener: one port for strangers who join and for members.

use std::net::SocketAddr;
use std::sync::Arc;

use common::wire::join::{JoinAnswer, Kind};
use runtime::link::authority::Authority;
use runtime::link::connection::Link;
use runtime::link::endpoint::{Arrived, Incoming, Listener};
use runtime::link::identity::Role;
use runtime::link::join::JoinLink;
use runtime::supervise::{BoxError, Nursery};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::reports::Reports;
use super::{Delivery, join, session};
use crate::content::Content;
use crate::logs::Logs;
use crate::serve::Desk;
use crate::serve::remote::{self, Membership};
use crate::store::book::Book;
use crate::token;

/// How many links there may be at once: each service node's one, during a reconnect two, and
/// strangers. 10,000 idle links were measured at 65 KB each.
const LINKS: usize = 4096;

/// What is behind the doors: everything that a link may reach.
#[derive(Clone, Debug)]
pub struct Doors {
    /// The model and its writer.
    pub book: Book,
    /// Who holds what.
    pub delivery: Delivery,
    /// The log lines of nodes.
    pub logs: Logs,
    /// The files that service nodes fetch.
    pub content: Content,
    /// The reports of nodes.
    pub reports: Reports,
    /// Who signs.
    pub authority: Arc<Authority>,
    /// Where operators' commands are heard.
    pub desk: Desk,
}

impl Membership for Doors {
    fn admits(&self, link: &Link) -> Result<(), &'static str> {
        Self::admits(self, link)
    }

    fn renew(&self, link: &Link, public_key: &[u8]) -> JoinAnswer {
        join::renew(self, link, public_key)
    }
}

impl Doors {
    /// Whether a link's other end is a member still: its row is there, with its key.
    pub(super) fn admits(&self, link: &Link) -> Result<(), &'static str> {
        let (kind, name) = match link.peer() {
            Role::ServiceNode(sn) => (Kind::ServiceNode, sn.as_str()),
            Role::Operator(name) => (Kind::Operator, name.as_str()),
            Role::Agent(_) => return Err("agents speak to their service node"),
            Role::ManagementNode => return Err("there is one management node here"),
        };
        let model = self.book.read();
        match token::member_key(&model, kind, name) {
            Some(key) if key == link.peer_key() => Ok(()),
            Some(_) => Err("another machine has joined under this name since; join again with a new token"),
            None => Err("this name is no member any more; join again with a new token"),
        }
    }
}

/// Serves the listener until `stop`.
///
/// # Errors
/// When the socket broke.
pub async fn listen(listener: Listener, doors: Doors, stop: CancellationToken) -> Result<(), BoxError> {
    let links = Nursery::new("link", LINKS, stop.clone());
    loop {
        let incoming = tokio::select! {
            () = stop.cancelled() => break,
            incoming = listener.accept() => incoming,
        };
        let Some(incoming) = incoming else { return Err("the QUIC socket broke".into()) };
        let address = incoming.peer_address();
        if !links.try_spawn(welcome(incoming, doors.clone())) {
            debug!(%address, "too many links; one was dropped");
        }
    }
    listener.close();
    links.drained().await;
    listener.drained().await;
    Ok(())
}

async fn welcome(incoming: Incoming, doors: Doors) {
    let address = incoming.peer_address();
    match incoming.establish().await {
        Ok(Arrived::Stranger(stranger)) => joins(stranger, &doors, address).await,
        Ok(Arrived::Member(link)) => member(link, doors).await,
        // Anyone can cause this, so it is not for the log of an ordinary day.
        Err(error) => {
            if let Some(why) = error.we_refused() {
                doors.desk.refused("", &address.ip().to_canonical().to_string(), why);
            }
            debug!(%address, %error, "handshake failed");
        }
    }
}

async fn joins(mut stranger: JoinLink, doors: &Doors, address: SocketAddr) {
    let relayed = match stranger.request().await {
        Ok(relayed) => relayed,
        Err(error) => return debug!(%address, %error, "stranger asked nothing"),
    };
    let answer = join::answer(doors, &relayed, None).await;
    if let Err(error) = stranger.answer(answer).await {
        debug!(%address, %error, "stranger did not take the answer");
    }
}

async fn member(link: Link, doors: Doors) {
    if let Err(why) = doors.admits(&link) {
        info!(peer = %link.peer(), address = %link.peer_address(), why, "member was refused");
        doors.desk.refused(&link.peer().to_string(), &remote::from(&link), why);
        return link.refuse(why);
    }
    match link.peer().clone() {
        Role::ServiceNode(sn) => session::serve(doors, sn, link).await,
        Role::Operator(name) => {
            info!(operator = %name, address = %link.peer_address(), "operator connected");
            remote::serve(&doors.desk, &doors, name.as_str(), link).await;
        }
        // Not admitted; see above.
        Role::Agent(_) | Role::ManagementNode => link.refuse("not served here"),
    }
}
