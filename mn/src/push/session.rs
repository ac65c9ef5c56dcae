//! One service node's link: its conversation, and the files it fetches.
//!
//! Reading and writing run beside each other, so that a push goes out while reports come in. A report
//! is acknowledged only when it is committed, log lines only when they are synced; log lines have a
//! task of their own, so that a disk busy with them holds up no acknowledgement of a slice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::id::{Digest, SnName};
use common::slice::{Delta, Key, Outline, Stamp};
use common::wire::push::{FromSn, Hello, PushHead, ToSn};
use common::wire::{MAX_LIST, Opening, PROTOCOL};
use mn_core::model::Model;
use mn_core::table::schema::FILE;
use runtime::link::LinkError;
use runtime::link::connection::Link;
use runtime::link::stream::{FrameReceiver, FrameSender};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::doors::Doors;
use super::hub::{OUT, Out, ToHub};
use super::{join, reports};
use crate::logs::LogBatch;

/// How much of a slice goes into one frame, in bytes. A frame may have a mebibyte; smaller ones let
/// other messages through in between.
const PART: usize = 256 << 10;

/// How many keys go into one frame: the longest, a file's path, has a kibibyte.
const PART_KEYS: usize = 200;

/// How long a stream may take until it says what it is for.
const OPENING_LIMIT: Duration = Duration::from_secs(10);

/// How many messages with log lines may wait for the disk before this session reads no further.
const LOG_QUEUE: usize = 4;

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    /// The link failed or said something else than it should.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The first message was not a hello.
    #[error("the first message was no hello")]
    NoHello,
    /// It speaks no version that we do.
    #[error("it speaks version {0} of the protocol")]
    Protocol(u32),
    /// A list is longer than a message may have.
    #[error("it sent a list of {0} items")]
    TooMany(usize),
    /// The daemon stops, or a newer link has replaced this one.
    #[error("it is not wanted any more")]
    Over,
}

/// Serves a service node's link until it ends or the service node is no member any more.
pub(crate) async fn serve(doors: Doors, sn: SnName, link: Link) {
    let mut streams = JoinSet::new();
    let mut revisions = doors.book.revisions();
    loop {
        tokio::select! {
            accepted = link.accept() => match accepted {
                Ok((sender, receiver)) => {
                    streams.spawn(stream(doors.clone(), sn.clone(), link.clone(), sender, receiver));
                }
                Err(error) => {
                    debug!(%sn, %error, "link ended");
                    break;
                }
            },
            changed = revisions.changed() => {
                if changed.is_err() {
                    break;
                }
                if let Err(why) = doors.admits(&link) {
                    warn!(%sn, why, "member was refused");
                    link.refuse(why);
                    break;
                }
            }
            // Ended streams are taken out as they end.
            Some(_) = streams.join_next() => {}
        }
    }
    link.close("done");
    while streams.join_next().await.is_some() {}
}

async fn stream(doors: Doors, sn: SnName, link: Link, mut sender: FrameSender, mut receiver: FrameReceiver) {
    let opening = match timeout(OPENING_LIMIT, receiver.expect::<Opening>()).await {
        Ok(Ok(opening)) => opening,
        // Which stream it was to be is not known: if it was the conversation, the other side waits for
        // our welcome, and would go on waiting.
        Ok(Err(error)) => {
            debug!(%sn, %error, "stream without an opening");
            return link.close("a stream began with something that is no opening");
        }
        Err(_) => {
            debug!(%sn, "stream without an opening in time");
            return link.close("a stream began with nothing");
        }
    };
    match opening {
        Opening::Control => {
            if let Err(error) = converse(&doors, &sn, &link, sender, receiver).await {
                debug!(%sn, %error, "conversation ended");
                // Without a conversation a link is of no use, and the other side must know that it ended.
                link.close("the conversation could not go on");
            }
        }
        Opening::Fetch(fetch) => {
            let view = doors.delivery.view();
            let outline = view.peers.get(&sn).and_then(|peer| peer.outline.as_ref());
            let allowed = outline.is_some_and(|outline| names(outline, &doors.book.read(), fetch.hash));
            if let Err(error) = doors.content.serve(&fetch, allowed, &mut sender).await {
                debug!(%sn, hash = %fetch.hash, %error, "content was not sent whole");
            }
        }
        Opening::Command(_) => {
            let why = "service nodes give no commands";
            doors.audit.refused(
                &doors.book.read(),
                &link.peer().to_string(),
                &link.peer_ip().to_string(),
                why,
            );
            link.refuse(why);
        }
        Opening::Renew(_) => link.refuse("service nodes keep their certificates"),
    }
}

/// Whether a slice names this content; a service node gets no other. Scripts are files of it too.
fn names(outline: &Outline, model: &Model, hash: Digest) -> bool {
    let hash = hash.to_string();
    outline.keys().any(|key| match key {
        Key::File(path) => {
            let row = model.tables().row(FILE, path.as_str());
            row.is_some_and(|row| row.cell("hash") == Some(hash.as_str()))
        }
        _ => false,
    })
}

async fn converse(
    doors: &Doors,
    sn: &SnName,
    link: &Link,
    mut sender: FrameSender,
    mut receiver: FrameReceiver,
) -> Result<(), SessionError> {
    let first =
        timeout(OPENING_LIMIT, receiver.expect::<FromSn>()).await.map_err(|_| SessionError::NoHello)??;
    let FromSn::Hello(hello) = first else { return Err(SessionError::NoHello) };
    if hello.protocol == 0 {
        return Err(SessionError::Protocol(hello.protocol));
    }
    bounded(hello.addresses.len())?;
    let welcome = ToSn::Welcome {
        protocol: PROTOCOL.min(hello.protocol),
        reports_through: doors.reports.through(sn, hello.series),
        logs_through: doors.logs.through(sn, hello.series),
    };
    sender.send(&welcome).await?;
    reports::addresses(&doors.book, sn, &hello.addresses).await;

    static SESSIONS: AtomicU64 = AtomicU64::new(0);
    let session = SESSIONS.fetch_add(1, Ordering::Relaxed);
    let (out, orders) = mpsc::channel(OUT);
    let (logs, log_batches) = mpsc::channel(LOG_QUEUE);
    let Hello { holds, version, series, .. } = hello;
    let version: String = version.chars().filter(|c| !c.is_control()).take(64).collect();
    let connected =
        ToHub::Connected { session, sn: sn.clone(), holds, version, out: out.clone(), link: link.clone() };
    if !doors.delivery.tell(connected).await {
        return Err(SessionError::Over);
    }
    let reader = Reader { doors, sn, session, series, out: out.downgrade(), logs };
    drop(out);
    let ended = tokio::select! {
        ended = reader.run(&mut receiver) => ended,
        ended = write(&mut sender, orders) => ended,
        () = store_logs(doors, log_batches, &reader.out) => Err(SessionError::Over),
    };
    doors.delivery.tell(ToHub::Disconnected { session, sn: sn.clone() }).await;
    ended
}

fn bounded(len: usize) -> Result<(), SessionError> {
    if len > MAX_LIST { Err(SessionError::TooMany(len)) } else { Ok(()) }
}

/// What is read of a conversation, and where it goes.
///
/// It holds its session's channel weakly: the hub alone keeps a session going, so that a newer link
/// ends this one by taking its place there.
struct Reader<'a> {
    doors: &'a Doors,
    sn: &'a SnName,
    session: u64,
    series: u64,
    out: mpsc::WeakSender<Out>,
    logs: mpsc::Sender<LogBatch>,
}

impl Reader<'_> {
    async fn run(&self, receiver: &mut FrameReceiver) -> Result<(), SessionError> {
        while let Some(message) = receiver.recv::<FromSn>().await? {
            self.take(message).await?;
        }
        Ok(())
    }

    async fn take(&self, message: FromSn) -> Result<(), SessionError> {
        let sn = self.sn;
        let event = match message {
            FromSn::Hello(_) => return Err(SessionError::NoHello),
            FromSn::Ack(ack) => ToHub::Acked { session: self.session, sn: sn.clone(), ack },
            FromSn::PeerSays { ask, word } => ToHub::PeerSays { by: sn.clone(), ask, word },
            FromSn::RunResult(result) => ToHub::Ran { by: sn.clone(), result },
            FromSn::Reports { through, reports } => {
                bounded(reports.len())?;
                let stored =
                    self.doors.reports.store(&self.doors.book, sn, (self.series, through), reports).await;
                return if stored {
                    self.answer(ToSn::ReportsStored(through)).await
                } else {
                    Err(SessionError::Over)
                };
            }
            FromSn::Logs { through, lines } => {
                bounded(lines.len())?;
                let batch = LogBatch { sn: sn.clone(), series: self.series, through, lines };
                return self.logs.send(batch).await.map_err(|_| SessionError::Over);
            }
            FromSn::Join { ask, join } => {
                let answer = join::answer(self.doors, &join, Some(sn)).await;
                return self.answer(ToSn::Joined { ask, answer }).await;
            }
            FromSn::Addresses(addresses) => {
                bounded(addresses.len())?;
                reports::addresses(&self.doors.book, sn, &addresses).await;
                return Ok(());
            }
        };
        if self.doors.delivery.tell(event).await { Ok(()) } else { Err(SessionError::Over) }
    }

    async fn answer(&self, message: ToSn) -> Result<(), SessionError> {
        answer(&self.out, message).await
    }
}

async fn answer(out: &mpsc::WeakSender<Out>, message: ToSn) -> Result<(), SessionError> {
    let out = out.upgrade().ok_or(SessionError::Over)?;
    out.send(Out::Send(message)).await.map_err(|_| SessionError::Over)
}

async fn store_logs(doors: &Doors, mut batches: mpsc::Receiver<LogBatch>, out: &mpsc::WeakSender<Out>) {
    while let Some(batch) = batches.recv().await {
        let through = batch.through;
        // What is not stored is not acknowledged, and comes again on the next link.
        if !doors.logs.store(batch).await || answer(out, ToSn::LogsStored(through)).await.is_err() {
            return;
        }
    }
}

async fn write(sender: &mut FrameSender, mut orders: mpsc::Receiver<Out>) -> Result<(), SessionError> {
    while let Some(order) = orders.recv().await {
        match order {
            Out::Send(message) => sender.send(&message).await?,
            Out::Push { stamp, signature, base, delta } => {
                push(sender, stamp, signature, base, delta).await?
            }
        }
    }
    Err(SessionError::Over)
}

async fn push(
    sender: &mut FrameSender,
    stamp: Stamp,
    signature: Vec<u8>,
    base: Option<common::id::Generation>,
    delta: Delta,
) -> Result<(), SessionError> {
    sender.send(&ToSn::Push(PushHead { stamp, signature, base })).await?;
    for part in parts(delta) {
        sender.send(&ToSn::Part(part)).await?;
    }
    sender.send(&ToSn::PushEnd).await?;
    Ok(())
}

/// A delta in parts that fit into frames.
fn parts(delta: Delta) -> impl Iterator<Item = Delta> {
    let (mut put, mut delete) = (delta.put.into_iter().peekable(), delta.delete.into_iter().peekable());
    std::iter::from_fn(move || {
        let mut part = Delta::default();
        let mut size = 0;
        while part.delete.len() < PART_KEYS {
            let Some(key) = delete.next() else { break };
            part.delete.push(key);
        }
        while size < PART && part.put.len() < MAX_LIST {
            let Some(entry) = put.next() else { break };
            size += entry.bytes.len();
            part.put.push(entry);
        }
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::slice::{Entry, Host, Key, Slice};

    #[test]
    fn the_parts_of_a_push_fit_into_frames_and_make_the_whole() {
        let mut want = Slice::new();
        for n in 0..9_000u32 {
            let name = format!("host{n:05}");
            let aliases = vec!["a".repeat(200)];
            want.put(Entry::Host(Host { name, aliases, addresses: Vec::new() })).unwrap();
        }
        let mut delta = Slice::new().delta_to(&want);
        delta.delete = (0..5_000).map(|n| Key::Host(format!("gone{n}"))).collect();
        let mut got = Slice::new();
        for part in parts(delta) {
            let frame = common::wire::frame::encode(&ToSn::Part(part.clone())).unwrap();
            assert!(frame.len() < common::wire::frame::MAX_FRAME);
            got.apply(part).unwrap();
        }
        assert_eq!(got.digest(), want.digest());
    }
}
