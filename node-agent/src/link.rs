//! One link with a service node: dial, say hello, carry messages both ways until either side ends.

use std::time::Duration;

use common::report::chain;
use common::wire::Opening;
use common::wire::agent::{FromAgent, ToAgent};
use runtime::link::LinkError;
use runtime::link::connection::Link;
use runtime::link::endpoint::Dialer;
use runtime::link::identity::{Identity, Role};
use tokio::sync::mpsc;

use crate::core::{Event, LinkId, Target};

/// How long a link that is given up stays for what was sent last.
const DELIVERY_LIMIT: Duration = Duration::from_secs(1);

/// What a task tells the shell.
#[derive(Debug)]
pub enum Note {
    /// For the core.
    Core(Event),
    /// The link stands; files can be fetched through it once it is followed.
    Stands(LinkId, Link),
    /// A new identity after the former was refused; none when there is none to be had.
    Joined(Option<Identity>),
}

/// Runs one attempt, and the link that comes of it, to its end, which it tells as
/// [`Event::Ended`]. It ends by itself when `outgoing` is closed, after what was sent before.
pub async fn run(
    id: LinkId,
    dialer: std::sync::Arc<Dialer>,
    target: Target,
    hello: FromAgent,
    outgoing: mpsc::Receiver<FromAgent>,
    notes: mpsc::Sender<Note>,
) {
    let ended = talk(id, &dialer, &target, hello, outgoing, &notes).await;
    let refused = match &ended {
        Ok(()) => None,
        Err(error) => error.refused_us(),
    };
    if let Err(error) = &ended {
        let (address, error) = (target.address, chain(error));
        match &refused {
            Some(reason) => tracing::warn!(%address, reason, "was refused by a service node"),
            None => tracing::debug!(%address, error, "lost or could not reach a service node"),
        }
    }
    let event = Event::Ended { link: id, refused: refused.is_some() };
    // The shell is gone only when the program stops.
    let _ = notes.send(Note::Core(event)).await;
}

async fn talk(
    id: LinkId,
    dialer: &Dialer,
    target: &Target,
    hello: FromAgent,
    mut outgoing: mpsc::Receiver<FromAgent>,
    notes: &mpsc::Sender<Note>,
) -> Result<(), LinkError> {
    let link = dial(dialer, target).await?;
    let Role::ServiceNode(sn) = link.peer().clone() else {
        link.refuse("a service node was meant");
        return Ok(());
    };
    let tell = async |note| {
        let _ = notes.send(note).await;
    };
    tell(Note::Stands(id, link.clone())).await;
    tell(Note::Core(Event::Linked { link: id, sn })).await;
    let (mut sender, mut receiver) = link.open().await?;
    sender.send(&Opening::Control).await?;
    sender.send(&hello).await?;
    loop {
        tokio::select! {
            message = receiver.recv::<ToAgent>() => match message {
                Ok(Some(message)) => {
                    tell(Note::Core(Event::Said { link: id, message: Box::new(message) })).await;
                }
                Ok(None) => {
                    link.close("the conversation has ended");
                    return Ok(());
                }
                // The end of the link says more than the end of its stream.
                Err(error) => return Err(link.close_reason().unwrap_or(error)),
            },
            message = outgoing.recv() => match message {
                Some(message) => {
                    if let Err(error) = sender.send(&message).await {
                        return Err(link.close_reason().unwrap_or(error));
                    }
                }
                None => {
                    sender.finish();
                    // When it takes longer, the report is told again on the next link.
                    let _ = tokio::time::timeout(DELIVERY_LIMIT, sender.delivered()).await;
                    link.close("another service node is followed now");
                    return Ok(());
                }
            },
        }
    }
}

async fn dial(dialer: &Dialer, target: &Target) -> Result<Link, LinkError> {
    match &target.sn {
        Some(sn) => dialer.connect(target.address, &Role::ServiceNode(sn.clone())).await,
        None => dialer.connect_any(target.address).await,
    }
}
