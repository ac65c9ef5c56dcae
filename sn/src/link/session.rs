//! One conversation with the management node: [`common::wire::push`].
//!
//! Reading and writing are two loops that run beside each other, so that neither side can wait for
//! the other to read while it writes itself.

use std::collections::HashMap;
use std::time::Duration;

use common::slice::Stamp;
use common::wire::join::JoinAnswer;
use common::wire::push::{Ack, FromSn, Hello, Outcome, ToSn};
use common::wire::{Opening, PROTOCOL};
use runtime::link::LinkError;
use runtime::link::connection::Link;
use runtime::link::stream::{FrameReceiver, FrameSender};
use runtime::supervise::Nursery;
use tokio::sync::{mpsc, oneshot, watch};

use super::Parts;
use super::deliver::Delivery;
use crate::interfaces;
use crate::slice::keeper::Frame;
use crate::upstream::{Out, Upstream};

/// How long the management node may take to welcome.
const WELCOME: Duration = Duration::from_secs(5);

/// How often the addresses of this machine are looked at.
const INTERFACES: Duration = Duration::from_secs(3);

/// Acknowledgements that wait to be written; the management node pushes one slice after the other.
const ACKS: usize = 16;

/// The most strangers' questions that are open on one link.
const JOINS: usize = 1024;

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The link or the stream did.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The management node ended it.
    #[error("the management node ended the conversation")]
    Finished,
    /// Nothing came after our greeting.
    #[error("the management node did not welcome in time")]
    Slow,
    /// It began with something else.
    #[error("the management node did not begin with Welcome")]
    NoWelcome,
    /// It has numbers of reports or log lines that were lost here; they are numbered anew.
    #[error("the management node has later reports or log lines; numbering anew")]
    Renumbered,
    /// The disk did not do its part.
    #[error("the spool cannot be read or written: {0}")]
    Disk(String),
}

/// What the reading loop tells the writing loop.
enum Note {
    Ack(Ack),
    ReportsStored(u64),
    LogsStored(u64),
    Joined(u64, JoinAnswer),
}

/// Talks on a fresh link until it ends.
pub(super) async fn run(
    parts: &Parts,
    upstream: &Upstream,
    out: &mut mpsc::Receiver<Out>,
    link: &Link,
    nursery: &Nursery,
) -> Ended {
    let greeted = match tokio::time::timeout(WELCOME, greet(parts, link)).await {
        Err(_) => Err(Ended::Slow),
        Ok(greeted) => greeted,
    };
    let (sender, receiver, delivery, told) = match greeted {
        Ok(greeted) => greeted,
        Err(ended) => return ended,
    };
    upstream.set_link(Some(link.clone()));
    tracing::info!(mn = %link.peer_address(), "connected with the management node");
    let (notes, notes_in) = mpsc::channel(ACKS);
    let reading = read(parts, upstream, receiver, notes, nursery);
    let writer = Writing { parts, sender, delivery, told, joins: HashMap::new(), asked: 0, fetching: None };
    let writing = writer.run(out, notes_in);
    let ended = tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
    };
    match ended {
        Ok(()) => Ended::Finished,
        Err(ended) => ended,
    }
}

type Greeted = (FrameSender, FrameReceiver, Delivery, Vec<common::wire::push::InterfaceAddress>);

async fn greet(parts: &Parts, link: &Link) -> Result<Greeted, Ended> {
    let (mut sender, mut receiver) = link.open().await?;
    let addresses = addresses(parts);
    let hello = Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        holds: parts.keeper.serving().borrow().stamp.clone(),
        addresses: addresses.clone(),
        series: parts.reports.state().series,
    };
    sender.send(&Opening::Control).await?;
    sender.send(&FromSn::Hello(hello)).await?;
    let welcome = match receiver.recv::<ToSn>().await {
        Ok(Some(welcome)) => welcome,
        // Why we are not welcome is in the link's end, which says more than the stream's.
        Ok(None) => return Err(link.closed().await.into()),
        Err(error) => return Err(link.close_reason().unwrap_or(error).into()),
    };
    let ToSn::Welcome { reports_through, logs_through, .. } = welcome else {
        return Err(Ended::NoWelcome);
    };
    let delivery = Delivery::new(parts.reports.clone(), parts.logs.clone(), reports_through, logs_through)?;
    Ok((sender, receiver, delivery, addresses))
}

fn addresses(parts: &Parts) -> Vec<common::wire::push::InterfaceAddress> {
    interfaces::told(parts.config.bind).unwrap_or_else(|error| {
        tracing::warn!(%error, "could not list the addresses of this machine");
        Vec::new()
    })
}

/// Reads until the management node ends the stream.
async fn read(
    parts: &Parts,
    upstream: &Upstream,
    mut receiver: FrameReceiver,
    notes: mpsc::Sender<Note>,
    nursery: &Nursery,
) -> Result<(), Ended> {
    while let Some(message) = receiver.recv::<ToSn>().await? {
        let note = match message {
            ToSn::Welcome { .. } => None,
            ToSn::Push(head) => parts.keeper.frame(Frame::Head(head)).await.map(Note::Ack),
            ToSn::Part(delta) => parts.keeper.frame(Frame::Part(delta)).await.map(Note::Ack),
            ToSn::PushEnd => parts.keeper.frame(Frame::End).await.map(Note::Ack),
            ToSn::Joined { ask, answer } => Some(Note::Joined(ask, answer)),
            ToSn::ReportsStored(through) => Some(Note::ReportsStored(through)),
            ToSn::LogsStored(through) => Some(Note::LogsStored(through)),
            ToSn::Run(run) => {
                parts.agents.run_on_nodes(run).await;
                None
            }
            ToSn::AskPeer { ask, sn, addresses } => {
                let (peers, upstream) = (parts.peers.clone(), upstream.clone());
                let errand = async move {
                    let word = peers.ask(&sn, &addresses).await;
                    upstream.send(FromSn::PeerSays { ask, word }).await;
                };
                if !nursery.try_spawn(errand) {
                    tracing::warn!("left a question to a peer: too many are open");
                }
                None
            }
        };
        if let Some(note) = note
            && notes.send(note).await.is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}

struct Writing<'a> {
    parts: &'a Parts,
    sender: FrameSender,
    delivery: Delivery,
    told: Vec<common::wire::push::InterfaceAddress>,
    joins: HashMap<u64, oneshot::Sender<JoinAnswer>>,
    asked: u64,
    /// The slice whose content was missing when it was acknowledged.
    fetching: Option<Stamp>,
}

impl Writing<'_> {
    async fn run(
        mut self,
        out: &mut mpsc::Receiver<Out>,
        mut notes: mpsc::Receiver<Note>,
    ) -> Result<(), Ended> {
        let mut content: watch::Receiver<u64> = self.parts.content.changes();
        let mut interfaces = tokio::time::interval(INTERFACES);
        interfaces.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.content_of_a_restart().await?;
        loop {
            tokio::select! {
                Some(note) = notes.recv() => self.note(note).await?,
                Some(message) = out.recv() => self.pass_on(message).await?,
                message = self.delivery.next() => {
                    let message = message?;
                    self.sender.send(&message).await?;
                }
                Ok(()) = content.changed() => self.content_arrived().await?,
                _ = interfaces.tick() => {
                    let now = addresses(self.parts);
                    if now != self.told {
                        self.told.clone_from(&now);
                        self.sender.send(&FromSn::Addresses(now)).await?;
                    }
                }
                else => return Ok(()),
            }
        }
    }

    async fn note(&mut self, note: Note) -> Result<(), Ended> {
        match note {
            Note::Ack(Ack { stamp, outcome: Outcome::Applied }) => self.applied(stamp).await?,
            Note::Ack(ack) => self.sender.send(&FromSn::Ack(ack)).await?,
            Note::ReportsStored(through) => self.delivery.reports_stored(through).await?,
            Note::LogsStored(through) => self.delivery.logs_stored(through).await?,
            Note::Joined(ask, answer) => {
                if let Some(waiting) = self.joins.remove(&ask) {
                    // The stranger may have gone.
                    let _ = waiting.send(answer);
                }
            }
        }
        Ok(())
    }

    async fn pass_on(&mut self, message: Out) -> Result<(), Ended> {
        let message = match message {
            Out::Message(message) => message,
            Out::Join(join, waiting) => {
                self.joins.retain(|_, waiting| !waiting.is_closed());
                if self.joins.len() >= JOINS {
                    // Dropped, it reads as "later".
                    return Ok(());
                }
                self.asked += 1;
                self.joins.insert(self.asked, waiting);
                FromSn::Join { ask: self.asked, join }
            }
        };
        Ok(self.sender.send(&message).await?)
    }

    /// Acknowledges a slice that is applied, with what is still to come.
    async fn applied(&mut self, stamp: Stamp) -> Result<(), Ended> {
        let serving = self.parts.keeper.serving();
        let slice = std::sync::Arc::clone(&serving.borrow().slice);
        let missing = self.parts.content.missing(&slice);
        let outcome = if missing.files == 0 {
            self.fetching = None;
            Outcome::Applied
        } else {
            self.fetching = Some(stamp.clone());
            Outcome::Fetching { files: missing.files, bytes: missing.bytes }
        };
        Ok(self.sender.send(&FromSn::Ack(Ack { stamp, outcome })).await?)
    }

    /// After a restart in the middle of a transfer the management node must not take what is held
    /// for ready.
    async fn content_of_a_restart(&mut self) -> Result<(), Ended> {
        let serving = std::sync::Arc::clone(&self.parts.keeper.serving().borrow());
        match &serving.stamp {
            Some(stamp) if self.parts.content.missing(&serving.slice).files > 0 => {
                self.applied(stamp.clone()).await
            }
            _ => Ok(()),
        }
    }

    async fn content_arrived(&mut self) -> Result<(), Ended> {
        let serving = std::sync::Arc::clone(&self.parts.keeper.serving().borrow());
        let Some(stamp) = self.fetching.clone() else { return Ok(()) };
        // A newer slice is acknowledged by itself.
        if serving.stamp.as_ref() == Some(&stamp) && self.parts.content.missing(&serving.slice).files == 0 {
            self.applied(stamp).await?;
        }
        Ok(())
    }
}
