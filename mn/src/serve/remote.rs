//! Operators on other machines: one link each, a stream for each command.
//!
//! Who has come this far has shown a certificate of our authority, with the role of an operator and
//! the key that the table `member` has under his name. It says who he is; what he may do, the policy
//! table says, as it does for users of this machine. When his row goes, the link is cut at once.

use std::time::Duration;

use common::report::Refusal;
use common::wire::Opening;
use common::wire::operator::{Reply, Request};
use runtime::link::connection::Link;
use runtime::link::stream::{FrameReceiver, FrameSender};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::debug;

use super::asker::Asker;
use super::desk::Desk;
use super::places::Full;
use crate::ground::Way;

/// How long a stream may take until it says what it is for.
const OPENING_LIMIT: Duration = Duration::from_secs(10);

/// What the listener does for an operator's link: it knows members and signs certificates.
pub(crate) trait Membership: Clone + Send + Sync + 'static {
    /// Whether the other end of the link is a member still.
    ///
    /// # Errors
    /// Why not.
    fn admits(&self, link: &Link) -> Result<(), &'static str>;

    /// Answers the wish for a certificate that lasts longer.
    fn renew(&self, link: &Link, public_key: &[u8]) -> common::wire::join::JoinAnswer;
}

/// Serves an operator's link until it ends or the operator is none any more.
pub(crate) async fn serve(desk: &Desk, membership: &impl Membership, name: &str, link: Link) {
    let place = match desk.links.other(name) {
        Ok(place) => place,
        Err(full) => {
            desk.refused(name, &link.peer_ip().to_string(), &full.to_string());
            return link.close(&full.to_string());
        }
    };
    let mut streams = JoinSet::new();
    let mut revisions = desk.site.book.revisions();
    loop {
        tokio::select! {
            accepted = link.accept() => {
                let Ok((sender, receiver)) = accepted else { break };
                let (desk, membership) = (desk.clone(), membership.clone());
                streams.spawn(stream(desk, membership, name.to_owned(), link.clone(), sender, receiver));
            }
            changed = revisions.changed() => {
                if changed.is_err() {
                    break;
                }
                if let Err(why) = membership.admits(&link) {
                    desk.refused(name, &link.peer_ip().to_string(), why);
                    link.refuse(why);
                    break;
                }
            }
            // Ended streams are taken out as they end.
            Some(_) = streams.join_next() => {}
        }
    }
    link.close("done");
    // A command goes on without its listener, as it does on the unix socket.
    while streams.join_next().await.is_some() {}
    drop(place);
}

async fn stream(
    desk: Desk,
    membership: impl Membership,
    name: String,
    link: Link,
    mut sender: FrameSender,
    mut receiver: FrameReceiver,
) {
    match timeout(OPENING_LIMIT, receiver.expect::<Opening>()).await {
        Ok(Ok(Opening::Command(request))) => {
            // Who was let go a moment ago gives no more, before his link is cut too.
            if let Err(why) = membership.admits(&link) {
                desk.refused(&name, &link.peer_ip().to_string(), why);
                return link.refuse(why);
            }
            command(&desk, &name, &link, request, sender, receiver).await;
        }
        Ok(Ok(Opening::Renew(wish))) => {
            let answer = membership.renew(&link, &wish.public_key);
            let sent = sender.send(&answer).await;
            sender.finish();
            if let Err(error) = sent {
                debug!(name, %error, "a renewed certificate was not taken");
            }
        }
        Ok(Ok(Opening::Control | Opening::Fetch(_))) => {
            let why = "operators give commands, and nothing else";
            desk.refused(&name, &link.peer_ip().to_string(), why);
            link.refuse(why);
        }
        Ok(Err(error)) => debug!(name, %error, "stream without an opening"),
        Err(_) => debug!(name, "stream without an opening in time"),
    }
}

async fn command(
    desk: &Desk,
    name: &str,
    link: &Link,
    request: Request,
    mut sender: FrameSender,
    mut receiver: FrameReceiver,
) {
    let asker = Asker::remote(name, link.peer_address(), &desk.site.book.read());
    // A user of this machine and an operator of the same name are two.
    match desk.places.other(&format!("operator {name}")) {
        Ok(_place) => desk.hear(asker, request, &mut receiver, Way::Remote(sender)).await,
        Err(full) => {
            desk.refused(name, &asker.from, &full.to_string());
            for reply in turned_back(full) {
                if sender.send(&reply).await.is_err() {
                    return;
                }
            }
            sender.finish();
            let _ = timeout(OPENING_LIMIT, sender.delivered()).await;
        }
    }
}

/// The answer for whom there is no place.
pub(super) fn turned_back(full: Full) -> [Reply; 2] {
    let refusal = Refusal::new("not now").because(full.to_string()).attempt("the same again, in a moment");
    [Reply::Err(format!("{}\n", refusal.render("Error"))), Reply::Done { status: 1 }]
}
