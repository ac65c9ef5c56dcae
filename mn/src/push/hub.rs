//! The task that keeps every service node at what it shall hold.
//!
//! It follows the model (`mn_core::derive::Derivation`: a change costs what it touched), tells
//! `mn_core::delivery::Machine`, and carries out what that says: a number is stored before it is
//! pushed. It never waits for a service node: a session takes what the hub has for it from a
//! bounded channel, and one that is full is a session that hangs, and is dropped.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use common::id::{Generation, Moment, NodeName, Revision, SnName};
use common::slice::{Delta, Stamp};
use common::wire::push::{Ack, PeerWord, ToSn};
use common::wire::work::{RunAnswer, RunResult, Work};
use mn_core::delivery::{Action, Event, Machine};
use mn_core::derive::{Derivation, Facts};
use mn_core::model::Model;
use mn_core::table::Tables;
use runtime::link::authority::Authority;
use runtime::link::connection::Link;
use runtime::supervise::BoxError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Delivery, PeerView, View, parts_of_run, unanswered};
use crate::store::Issued;
use crate::store::book::Book;

/// How many events may wait for the hub; sessions wait in `send` beyond that.
const EVENTS: usize = 256;

/// How many messages may wait for a session's link: the pushes of a machine (one at a time), runs
/// and questions. A full one hangs, and is dropped.
pub(super) const OUT: usize = 64;

/// How often the hub looks at the whole although nothing has happened.
const TICK: Duration = Duration::from_secs(2);

/// What is told to the hub.
#[derive(Debug)]
pub(super) enum ToHub {
    /// A service node has said hello.
    Connected {
        session: u64,
        sn: SnName,
        holds: Option<Stamp>,
        version: String,
        out: mpsc::Sender<Out>,
        link: Link,
    },
    /// Its session has ended.
    Disconnected { session: u64, sn: SnName },
    /// It answered a push.
    Acked { session: u64, sn: SnName, ack: Ack },
    /// It answered a question about a peer.
    PeerSays { by: SnName, ask: u64, word: PeerWord },
    /// A node answered a run, through this service node.
    Ran { by: SnName, result: RunResult },
    /// Ask it about a peer.
    AskPeer {
        via: SnName,
        about: SnName,
        addresses: Vec<Ipv4Addr>,
        ask: u64,
        answer: oneshot::Sender<PeerWord>,
    },
    /// Run something.
    Run {
        run: u64,
        owners: BTreeMap<SnName, Vec<NodeName>>,
        work: Work,
        until: Moment,
        results: mpsc::Sender<RunResult>,
    },
}

/// What a session is to send.
#[derive(Debug)]
pub(super) enum Out {
    /// One message.
    Send(ToSn),
    /// A push, which the session cuts into parts.
    Push { stamp: Stamp, signature: Vec<u8>, base: Option<Generation>, delta: Delta },
}

#[derive(Debug)]
struct Session {
    number: u64,
    out: mpsc::Sender<Out>,
    link: Link,
}

#[derive(Debug)]
struct Running {
    waiting: BTreeMap<NodeName, SnName>,
    until: Moment,
    results: mpsc::Sender<RunResult>,
}

impl Running {
    /// Passes a result on, where it comes from the service node that was to bring it.
    fn take(&mut self, by: &SnName, result: RunResult) {
        if self.waiting.get(&result.node) == Some(by) {
            self.waiting.remove(&result.node);
            let _ = self.results.try_send(result);
        }
    }
}

/// The hub. [`Hub::run`] it under the supervisor.
#[derive(Debug)]
pub struct Hub {
    book: Book,
    authority: Arc<Authority>,
    events: mpsc::Receiver<ToHub>,
    view: watch::Sender<Arc<View>>,
    machine: Machine,
    derivation: Derivation,
    model: Arc<Model>,
    sessions: BTreeMap<SnName, Session>,
    versions: BTreeMap<SnName, String>,
    changed: BTreeMap<SnName, Revision>,
    questions: BTreeMap<u64, (SnName, oneshot::Sender<PeerWord>)>,
    runs: BTreeMap<u64, Running>,
    actions: Vec<Action>,
}

impl Hub {
    /// The hub, which knows these generations, and its handle.
    pub fn new(
        book: Book,
        authority: Arc<Authority>,
        generations: &BTreeMap<SnName, Issued>,
    ) -> (Self, Delivery) {
        let (sender, events) = mpsc::channel(EVENTS);
        let (view, watching) = watch::channel(Arc::new(View::default()));
        let numbers = generations.iter().map(|(sn, issued)| Stamp {
            sn: sn.clone(),
            generation: issued.generation,
            digest: issued.digest,
        });
        let facts = Facts { authority: authority.fingerprint() };
        let hub = Self {
            book,
            authority,
            events,
            view,
            machine: Machine::new(numbers),
            derivation: Derivation::empty(facts),
            model: Arc::new(Model::new(Tables::new(), Revision::ZERO)),
            sessions: BTreeMap::new(),
            versions: BTreeMap::new(),
            changed: BTreeMap::new(),
            questions: BTreeMap::new(),
            runs: BTreeMap::new(),
            actions: Vec::new(),
        };
        // Numbers of questions and runs start anywhere, so that an answer from before a restart is
        // not taken for one of today's.
        let first = runtime::link::authority::random_u64() >> 1;
        (hub, Delivery { events: sender, view: watching, numbers: Arc::new(AtomicU64::new(first)) })
    }

    /// Runs until `stop`.
    ///
    /// # Errors
    /// When the store is gone; the daemon ends then anyway.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), BoxError> {
        let mut revisions = self.book.revisions();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.derive_all().await?;
        loop {
            self.follow().await?;
            self.act().await?;
            self.publish();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                // An error means that the writer is gone, and the daemon is ending.
                changed = revisions.changed() => if changed.is_err() { stop.cancelled().await },
                event = self.events.recv() => {
                    if let Some(event) = event {
                        self.take(event);
                    }
                    while let Ok(event) = self.events.try_recv() {
                        self.take(event);
                    }
                }
                _ = tick.tick() => {
                    self.sweep();
                    self.look_at_the_whole();
                }
            }
        }
    }

    /// Derives everything. Commands are answered meanwhile: a large site takes seconds.
    async fn derive_all(&mut self) -> Result<(), BoxError> {
        let model = self.book.read();
        let facts = Facts { authority: self.authority.fingerprint() };
        let newest = Arc::clone(&model);
        self.derivation = tokio::task::spawn_blocking(move || Derivation::new(&newest, facts)).await?;
        self.model = model;
        self.look_at_the_whole();
        Ok(())
    }

    /// Follows the model to its newest revision, on a thread that may compute for long: a change of
    /// the site is one of every slice.
    async fn follow(&mut self) -> Result<(), BoxError> {
        let newest = self.book.read();
        let revision = newest.revision();
        if revision == self.model.revision() {
            return Ok(());
        }
        let facts = Facts { authority: self.authority.fingerprint() };
        let mut derivation = std::mem::replace(&mut self.derivation, Derivation::empty(facts));
        let before = std::mem::replace(&mut self.model, Arc::clone(&newest));
        let (derivation, touched) = tokio::task::spawn_blocking(move || {
            let edits = newest.tables().edits_since(before.tables());
            let touched = derivation.follow(&before, &newest, &edits);
            (derivation, touched)
        })
        .await?;
        self.derivation = derivation;
        for sn in touched {
            self.changed.insert(sn.clone(), revision);
            self.desire(sn);
        }
        Ok(())
    }

    /// Tells the machine what a service node shall hold.
    fn desire(&mut self, sn: SnName) {
        let event = match self.derivation.outline(&sn) {
            Some(slice) => Event::Desired { sn, slice: slice.clone() },
            None => Event::Gone(sn),
        };
        self.machine.handle(event, &mut self.actions);
    }

    /// Does what is missing anywhere, whatever the reason.
    fn look_at_the_whole(&mut self) {
        let all: Vec<SnName> = self.derivation.outlines().map(|(sn, _)| sn.clone()).collect();
        all.into_iter().for_each(|sn| self.desire(sn));
    }

    fn take(&mut self, event: ToHub) {
        match event {
            ToHub::Connected { session, sn, holds, version, out, link } => {
                let from = link.peer_address().ip();
                let new = Session { number: session, out, link };
                if let Some(old) = self.sessions.get(&sn).map(|old| old.link.peer_address().ip())
                    && old != from
                {
                    // One machine with two addresses does this now and then; two machines without end.
                    warn!(%sn, ip = %from, %old, "service node connected from another address while it was connected; its key may have been copied");
                }
                if let Some(old) = self.sessions.insert(sn.clone(), new) {
                    old.link.close("another link of yours is newer");
                    self.lose(&sn);
                }
                self.versions.insert(sn.clone(), version);
                info!(%sn, generation = ?holds.as_ref().map(|held| held.generation.value()), "service node connected");
                self.machine.handle(Event::Connected { sn, holds }, &mut self.actions);
            }
            ToHub::Disconnected { session, sn } => {
                if self.sessions.get(&sn).is_some_and(|known| known.number == session) {
                    self.end(&sn);
                }
            }
            ToHub::Acked { session, sn, ack } => {
                let current = self.sessions.get(&sn).is_some_and(|known| known.number == session);
                if current && ack.stamp.sn == sn {
                    debug!(%sn, generation = %ack.stamp.generation, outcome = ?ack.outcome, "slice answered");
                    self.machine.handle(Event::Acked(ack), &mut self.actions);
                }
            }
            ToHub::PeerSays { by, ask, word } => {
                // Only from whom it was asked: another's word must not silence an owner on paper.
                if self.questions.get(&ask).is_some_and(|(via, _)| *via == by)
                    && let Some((_, answer)) = self.questions.remove(&ask)
                {
                    // Who asked may have stopped waiting.
                    let _ = answer.send(word);
                }
            }
            ToHub::Ran { by, result } => self.ran(&by, result),
            ToHub::AskPeer { via, about, addresses, ask, answer } => {
                if self.send(&via, Out::Send(ToSn::AskPeer { ask, sn: about, addresses })) {
                    self.questions.insert(ask, (via, answer));
                }
            }
            ToHub::Run { run, owners, work, until, results } => {
                self.start(run, owners, &work, until, results)
            }
        }
    }

    /// Hands a message to a session; says `false`, and drops the session, where it hangs.
    fn send(&mut self, sn: &SnName, out: Out) -> bool {
        let Some(session) = self.sessions.get(sn) else { return false };
        match session.out.try_send(out) {
            Ok(()) => true,
            Err(error) => {
                warn!(%sn, %error, "service node takes nothing; its link was closed");
                session.link.close("you take nothing");
                self.end(sn);
                false
            }
        }
    }

    /// A session has ended.
    fn end(&mut self, sn: &SnName) {
        self.sessions.remove(sn);
        info!(%sn, "service node disconnected");
        self.machine.handle(Event::Disconnected(sn.clone()), &mut self.actions);
        self.lose(sn);
    }

    /// What was asked of a service node is not answered any more.
    fn lose(&mut self, sn: &SnName) {
        self.questions.retain(|_, (via, _)| via != sn);
        for (run, running) in &mut self.runs {
            let lost: Vec<NodeName> = running
                .waiting
                .iter()
                .filter(|(_, owner)| *owner == sn)
                .map(|(node, _)| node.clone())
                .collect();
            for node in lost {
                running.waiting.remove(&node);
                // There is a place for each node; a closed channel means that nobody waits.
                let _ = running.results.try_send(unanswered(*run, node, RunAnswer::Lost));
            }
        }
        self.runs.retain(|_, running| !running.waiting.is_empty());
    }

    fn start(
        &mut self,
        run: u64,
        owners: BTreeMap<SnName, Vec<NodeName>>,
        work: &Work,
        until: Moment,
        results: mpsc::Sender<RunResult>,
    ) {
        let mut waiting = BTreeMap::new();
        for (sn, nodes) in owners {
            let reached = parts_of_run(run, &nodes, work)
                .into_iter()
                .all(|part| self.send(&sn, Out::Send(ToSn::Run(part))));
            for node in nodes {
                if reached {
                    waiting.insert(node, sn.clone());
                } else {
                    let _ = results.try_send(unanswered(run, node, RunAnswer::NotConnected));
                }
            }
        }
        if !waiting.is_empty() {
            // Of a run that is under way some nodes are asked for again, elsewhere.
            let running =
                self.runs.entry(run).or_insert_with(|| Running { waiting: BTreeMap::new(), until, results });
            running.waiting.append(&mut waiting);
        }
    }

    fn ran(&mut self, by: &SnName, result: RunResult) {
        let Some(running) = self.runs.get_mut(&result.run) else { return };
        let run = result.run;
        running.take(by, result);
        if running.waiting.is_empty() {
            self.runs.remove(&run);
        }
    }

    /// Takes out what has ended without a word, and what has taken too long.
    fn sweep(&mut self) {
        let ended: Vec<SnName> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.out.is_closed())
            .map(|(sn, _)| sn.clone())
            .collect();
        ended.iter().for_each(|sn| self.end(sn));
        self.questions.retain(|_, (_, answer)| !answer.is_closed());
        let now = runtime::clock::now();
        self.runs.retain(|run, running| {
            if now < running.until && !running.results.is_closed() {
                return true;
            }
            for node in running.waiting.keys() {
                let _ = running.results.try_send(unanswered(*run, node.clone(), RunAnswer::Lost));
            }
            false
        });
    }

    /// Carries out what the machine wants: all new numbers in one write, then the pushes.
    async fn act(&mut self) -> Result<(), BoxError> {
        while !self.actions.is_empty() {
            let mut numbers = BTreeMap::new();
            for action in std::mem::take(&mut self.actions) {
                match action {
                    Action::Number(stamp) => {
                        numbers.insert(stamp.sn.clone(), stamp);
                    }
                    Action::Push { stamp, base, changed } => {
                        let delta = self.derivation.filled(&self.model, &stamp.sn, &changed);
                        let (sn, generation) = (stamp.sn.clone(), stamp.generation);
                        let signature = self.authority.sign_stamp(&stamp);
                        if self.send(&sn, Out::Push { stamp, signature, base, delta }) {
                            debug!(%sn, %generation, ?base, "slice pushed");
                        }
                    }
                    Action::Alarm { sn, text } => warn!(%sn, text, "service node needs attention"),
                }
            }
            if numbers.is_empty() {
                continue;
            }
            let issued = numbers.iter().map(|(sn, stamp)| {
                (sn.clone(), Issued { generation: stamp.generation, digest: stamp.digest })
            });
            self.book.issue(issued.collect()).await?;
            for stamp in numbers.into_values() {
                self.machine.handle(Event::Numbered(stamp), &mut self.actions);
            }
        }
        Ok(())
    }

    fn publish(&self) {
        let peers = self.machine.service_nodes().filter_map(|sn| {
            let view = PeerView {
                standing: self.machine.standing(sn)?,
                stamp: self.machine.stamp(sn).cloned(),
                held: self.machine.held(sn).cloned(),
                outline: Some(self.machine.desired(sn)?.clone()),
                changed: self.changed.get(sn).copied().unwrap_or_default(),
                version: self.versions.get(sn).cloned(),
            };
            Some((sn.clone(), view))
        });
        let mut peers: BTreeMap<SnName, PeerView> = peers.collect();
        for sn in self.model.service_nodes() {
            peers.entry(sn).or_insert_with(PeerView::stranger);
        }
        self.view.send_replace(Arc::new(View { revision: self.model.revision(), peers }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_counts_from_the_service_node_that_was_asked_for_it_alone() {
        let (results, mut came) = mpsc::channel(1);
        let [sn1, sn2]: [SnName; 2] = ["sn1", "sn2"].map(|name| name.parse().unwrap());
        let node: NodeName = "n1".parse().unwrap();
        let waiting = BTreeMap::from([(node.clone(), sn1.clone())]);
        let mut running = Running { waiting, until: Moment::START, results };
        let result = RunResult { run: 7, node, answer: RunAnswer::Done(Vec::new()) };
        running.take(&sn2, result.clone());
        assert!(came.try_recv().is_err() && running.waiting.len() == 1);
        running.take(&sn1, result.clone());
        assert_eq!(came.try_recv(), Ok(result));
        assert!(running.waiting.is_empty());
    }
}
