//! One conversation with a peer.

use std::time::Duration;

use common::id::SnName;
use common::wire::Opening;
use common::wire::peer::PeerMessage;
use runtime::link::LinkError;
use runtime::link::connection::Link;
use runtime::link::stream::{FrameReceiver, FrameSender};
use sn_proto::peer::{Reaction, Talk, TalkError, claims};

use super::{Confirming, Inner};

/// How long the other side may take to open the stream, or to say its first word.
const GREETING: Duration = Duration::from_secs(5);

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Talk(#[from] TalkError),
    #[error("it did not greet in time")]
    Slow,
    #[error("it opened a stream that is not for a peer")]
    Opening,
    #[error("its claims cannot be kept on disk")]
    Disk,
}

/// Talks until the link ends. `confirmed` always says which claims the peer obeys.
pub(super) async fn run(
    inner: &Inner,
    sn: &SnName,
    link: &Link,
    dialed: bool,
    confirmed: &Confirming,
) -> Result<(), Ended> {
    let (mut sender, mut receiver) =
        tokio::time::timeout(GREETING, open(link, dialed)).await.map_err(|_| Ended::Slow)??;
    let mut talk = Talk::default();
    let mut serving = inner.keeper.serving();
    sender.send(&Talk::hello()).await?;
    loop {
        let claimed = std::sync::Arc::clone(&serving.borrow_and_update().claimed);
        for message in talk.tell(claims(&claimed, sn)) {
            sender.send(&message).await?;
        }
        confirmed.send_replace(talk.confirmed().map(<[_]>::to_vec));
        tokio::select! {
            message = receiver.recv::<PeerMessage>() => {
                let Some(message) = message? else { return Ok(()) };
                if let Reaction::Obey { claims, number } = talk.take(message)? {
                    // Unconfirmed, the peer and the management node know that they cannot rely on it.
                    if !inner.keeper.claims(sn.clone(), claims).await {
                        return Err(Ended::Disk);
                    }
                    sender.send(&PeerMessage::Heard(number)).await?;
                    inner.heard.send_if_modified(|heard| heard.insert(sn.clone()));
                }
            }
            changed = serving.changed() => if changed.is_err() { return Ok(()) },
        }
    }
}

async fn open(link: &Link, dialed: bool) -> Result<(FrameSender, FrameReceiver), Ended> {
    if dialed {
        let (mut sender, receiver) = link.open().await?;
        sender.send(&Opening::Control).await?;
        return Ok((sender, receiver));
    }
    let (sender, mut receiver) = link.accept().await?;
    match receiver.expect::<Opening>().await? {
        Opening::Control => Ok((sender, receiver)),
        Opening::Fetch(_) | Opening::Command(_) | Opening::Renew(_) => Err(Ended::Opening),
    }
}
