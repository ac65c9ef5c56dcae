//! The way to the management node for the other parts: messages up, strangers relayed. The link itself
//! is kept in `link`.

use std::time::Duration;

use common::wire::join::{JoinAnswer, RelayedJoin};
use common::wire::push::FromSn;
use runtime::link::connection::Link;
use tokio::sync::{mpsc, oneshot, watch};

/// Messages that wait for the link: answers to a run of a thousand nodes fit, and beyond that their
/// senders wait.
const QUEUE: usize = 1024;

/// How long a joining stranger waits for the management node.
const JOIN: Duration = Duration::from_secs(10);

/// A message of another part of this service node.
#[derive(Debug)]
pub(crate) enum Out {
    Message(FromSn),
    Join(RelayedJoin, oneshot::Sender<JoinAnswer>),
}

/// The way to the management node for the other parts. Clones share it.
#[derive(Clone, Debug)]
pub struct Upstream {
    out: mpsc::Sender<Out>,
    link: watch::Sender<Option<Link>>,
}

impl Upstream {
    /// The way to a management node that is still to be reached, and what comes out at its end.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Out>) {
        let (out, came) = mpsc::channel(QUEUE);
        (Self { out, link: watch::Sender::new(None) }, came)
    }

    /// Says by which link the management node is there, if it is; gives whether it was before.
    pub(crate) fn set_link(&self, link: Option<Link>) -> bool {
        self.link.send_replace(link).is_some()
    }

    /// The link, while the management node has welcomed us on it.
    pub fn link(&self) -> watch::Receiver<Option<Link>> {
        self.link.subscribe()
    }

    /// Sends a message; drops it while the management node is away, which then does not ask for it.
    pub async fn send(&self, message: FromSn) {
        if self.link.borrow().is_some() && self.out.send(Out::Message(message)).await.is_err() {
            tracing::debug!("a message for the management node came while stopping");
        }
    }

    /// Relays a stranger's request and gives the answer.
    pub async fn join(&self, join: RelayedJoin) -> JoinAnswer {
        let later = || JoinAnswer::Later("the management node is out of reach".to_owned());
        if self.link.borrow().is_none() {
            return later();
        }
        let (answer, answered) = oneshot::channel();
        if self.out.send(Out::Join(join, answer)).await.is_err() {
            return later();
        }
        match tokio::time::timeout(JOIN, answered).await {
            Ok(Ok(answer)) => answer,
            _ => later(),
        }
    }
}
