//! Whether each service node has what it shall have: one machine for all of them.
//!
//! The machine is told what each service node shall hold ([`Event::Desired`]) and what it says it
//! holds; it answers with what to make durable and what to push. It looks at the whole each time,
//! so connect, change, timer and recovery are one code ([`Machine::converge`]).
//!
//! **Invariants**
//! - a generation is pushed only after it was made durable ([`Event::Numbered`]), so that no two
//!   slices ever carry the same number, not even after a crash;
//! - the number rises only when the digest changes, and is always above what the service node
//!   holds, even where this management node was restored from an old copy;
//! - at most one push is under way to a service node; the latest wins;
//! - each connection sees a push, be it an empty one of what is held already: it is the word that a
//!   service node waits for before it answers for what it may have lost;
//! - what was refused is pushed again as it is, after more and more looks: a disk that was full for a
//!   moment must not leave a service node behind for good.

use std::collections::BTreeMap;

use common::id::{Generation, SnName};
use common::slice::{Changed, Outline, Stamp};
use common::wire::push::{Ack, Outcome};

#[cfg(test)]
mod tests;

/// The most looks ([`Event::Desired`] with nothing new, which the hub says every other second) that
/// go by before what was refused is pushed again: about a minute.
const MOST_LOOKS: u32 = 32;

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The service node shall hold this. Sent for each service node at start and when it changes.
    Desired {
        /// Which.
        sn: SnName,
        /// What.
        slice: Outline,
    },
    /// The service node is gone from the definitions.
    Gone(SnName),
    /// The number that [`Action::Number`] asked for is durable.
    Numbered(Stamp),
    /// It has connected, and holds this.
    Connected {
        /// Which.
        sn: SnName,
        /// What it serves now.
        holds: Option<Stamp>,
    },
    /// Its connection has ended.
    Disconnected(SnName),
    /// It answered a push.
    Acked(Ack),
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make this number durable, then say [`Event::Numbered`].
    Number(Stamp),
    /// Push: what to say, on which base, and the parts.
    Push {
        /// What it holds afterwards.
        stamp: Stamp,
        /// On which generation the delta stands; none when it is the whole.
        base: Option<Generation>,
        /// Which entries, as the slice that shall be held has them now.
        changed: Changed,
    },
    /// Someone must look at this.
    Alarm {
        /// Which service node.
        sn: SnName,
        /// What is odd.
        text: String,
    },
}

/// How far a service node has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds and serves what it shall.
    Current,
    /// It is connected, and a push is under way.
    Pushing,
    /// It serves what it shall, but content is still being fetched.
    Fetching {
        /// How many files are missing.
        files: u32,
        /// How many bytes.
        bytes: u64,
    },
    /// It refused what it shall hold, for these reasons.
    Refused(Vec<String>),
    /// It is not connected.
    Away,
}

/// What is known about one service node.
#[derive(Debug, Default)]
struct Peer {
    /// What it shall hold, and its number once that is durable.
    desired: Option<Outline>,
    stamp: Option<Stamp>,
    /// The number that is being made durable.
    numbering: Option<Stamp>,
    /// The last slice that it acknowledged, to make deltas from.
    acked: Option<(Stamp, Outline)>,
    connected: bool,
    /// What it says it holds.
    holds: Option<Stamp>,
    /// The push that is under way.
    in_flight: Option<(Stamp, Outline)>,
    /// Its last word on the current stamp.
    outcome: Option<(Stamp, Outcome)>,
    /// It asked for the whole.
    whole: bool,
    /// Something was pushed on this connection, so that it knows what the newest is.
    confirmed: bool,
    /// How many looks went by since it refused what it shall hold, and how many shall.
    looks: u32,
    patience: u32,
}

/// Delivery to all service nodes.
///
/// Commands: [`Machine::handle`]. Reads: [`Machine::standing`], [`Machine::stamp`], [`Machine::held`].
#[derive(Debug, Default)]
pub struct Machine {
    peers: BTreeMap<SnName, Peer>,
}

impl Machine {
    /// The machine as it starts: with the numbers that the store has kept.
    pub fn new(numbers: impl IntoIterator<Item = Stamp>) -> Self {
        let peer = |stamp: Stamp| (stamp.sn.clone(), Peer { stamp: Some(stamp), ..Peer::default() });
        Self { peers: numbers.into_iter().map(peer).collect() }
    }

    /// Takes one event in and appends what to do.
    pub fn handle(&mut self, event: Event, actions: &mut Vec<Action>) {
        let sn = match event {
            Event::Desired { sn, slice } => {
                let peer = self.peers.entry(sn.clone()).or_default();
                if peer.desired.as_ref().is_some_and(|old| old.digest() == slice.digest()) {
                    peer.looks = peer.looks.saturating_add(1);
                } else {
                    peer.patience = 0;
                }
                peer.desired = Some(slice);
                sn
            }
            Event::Gone(sn) => {
                if let Some(peer) = self.peers.get_mut(&sn) {
                    // The number is kept: should the name return, its numbers go on rising.
                    peer.desired = None;
                    peer.numbering = None;
                }
                return;
            }
            Event::Numbered(stamp) => {
                let peer = self.peers.entry(stamp.sn.clone()).or_default();
                let sn = stamp.sn.clone();
                if peer.numbering.as_ref() == Some(&stamp) {
                    peer.numbering = None;
                    peer.stamp = Some(stamp);
                }
                sn
            }
            Event::Connected { sn, holds } => {
                let peer = self.peers.entry(sn.clone()).or_default();
                peer.connected = true;
                peer.in_flight = None;
                peer.outcome = None;
                peer.whole = false;
                peer.confirmed = false;
                peer.holds = holds;
                sn
            }
            Event::Disconnected(sn) => {
                if let Some(peer) = self.peers.get_mut(&sn) {
                    peer.connected = false;
                    peer.in_flight = None;
                }
                return;
            }
            Event::Acked(ack) => {
                let sn = ack.stamp.sn.clone();
                self.acked(ack, actions);
                sn
            }
        };
        self.converge(&sn, actions);
    }

    fn acked(&mut self, ack: Ack, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.get_mut(&ack.stamp.sn) else { return };
        let answers_flight = peer.in_flight.as_ref().is_some_and(|(stamp, _)| *stamp == ack.stamp);
        let flown = if answers_flight { peer.in_flight.take() } else { None };
        match &ack.outcome {
            Outcome::Applied | Outcome::Fetching { .. } => {
                peer.holds = Some(ack.stamp.clone());
                if let Some(flown) = flown {
                    peer.acked = Some(flown);
                    peer.whole = false;
                }
            }
            Outcome::NeedWhole => peer.whole = true,
            Outcome::Refused { reasons } => {
                peer.looks = 0;
                peer.patience = peer.patience.saturating_mul(2).clamp(1, MOST_LOOKS);
                actions.push(Action::Alarm {
                    sn: ack.stamp.sn.clone(),
                    text: format!("refused generation {}: {}", ack.stamp.generation, reasons.join("; ")),
                });
            }
        }
        peer.outcome = Some((ack.stamp, ack.outcome));
    }

    /// Does what is missing for one service node.
    fn converge(&mut self, sn: &SnName, actions: &mut Vec<Action>) {
        let Some(peer) = self.peers.get_mut(sn) else { return };
        let Some(desired) = &peer.desired else { return };
        let digest = desired.digest();
        let holds = peer.holds.as_ref().map_or(Generation::ZERO, |stamp| stamp.generation);
        let numbered = peer.stamp.as_ref().filter(|stamp| stamp.digest == digest);
        // A service node that holds a higher number, or the same number for something else, has
        // been told by a management node that knew more than this one does.
        let overtaken = numbered.is_some_and(|stamp| {
            holds > stamp.generation
                || (holds == stamp.generation
                    && peer.holds.as_ref().is_some_and(|held| held.digest != digest))
        });
        let Some(stamp) = numbered.filter(|_| !overtaken).cloned() else {
            peer.number(sn, digest, holds, overtaken, actions);
            return;
        };
        if !peer.connected || peer.in_flight.is_some() {
            return;
        }
        let confirmed = std::mem::replace(&mut peer.confirmed, true);
        if peer.holds.as_ref() == Some(&stamp) {
            if !confirmed {
                // A service node that has just started waits for our word that it holds the newest.
                peer.in_flight = Some((stamp.clone(), desired.clone()));
                let base = Some(stamp.generation);
                actions.push(Action::Push { stamp, base, changed: Changed::default() });
            }
            return;
        }
        let refused = matches!(&peer.outcome, Some((refused, Outcome::Refused { .. })) if *refused == stamp);
        if refused && peer.looks < peer.patience {
            return; // Another slice can help, or time: a full disk, a busy inbox.
        }
        let base = peer.acked.as_ref().filter(|(held, _)| !peer.whole && peer.holds.as_ref() == Some(held));
        let (base, changed) = match base {
            Some((held, slice)) => (Some(held.generation), slice.changed_to(desired)),
            None => (None, Outline::default().changed_to(desired)),
        };
        peer.in_flight = Some((stamp.clone(), desired.clone()));
        actions.push(Action::Push { stamp, base, changed });
    }

    /// How far a service node has come; none where there is no such.
    pub fn standing(&self, sn: &SnName) -> Option<Standing> {
        let peer = self.peers.get(sn)?;
        let desired = peer.desired.as_ref()?;
        if !peer.connected {
            return Some(Standing::Away);
        }
        let current = peer.stamp.as_ref().filter(|stamp| stamp.digest == desired.digest());
        let word = peer.outcome.as_ref().filter(|(stamp, _)| Some(stamp) == current).map(|(_, word)| word);
        Some(match word {
            Some(Outcome::Refused { reasons }) => Standing::Refused(reasons.clone()),
            Some(Outcome::Fetching { files, bytes }) => Standing::Fetching { files: *files, bytes: *bytes },
            _ if current.is_some() && peer.holds.as_ref() == current => Standing::Current,
            _ => Standing::Pushing,
        })
    }

    /// The number and digest of what a service node shall hold, once that is durable.
    pub fn stamp(&self, sn: &SnName) -> Option<&Stamp> {
        let peer = self.peers.get(sn)?;
        let digest = peer.desired.as_ref()?.digest();
        peer.stamp.as_ref().filter(|stamp| stamp.digest == digest)
    }

    /// What a service node says it holds, even where it is away now.
    pub fn held(&self, sn: &SnName) -> Option<&Stamp> {
        self.peers.get(sn)?.holds.as_ref()
    }

    /// What a service node shall hold.
    pub fn desired(&self, sn: &SnName) -> Option<&Outline> {
        self.peers.get(sn)?.desired.as_ref()
    }

    /// The service nodes that shall hold something.
    pub fn service_nodes(&self) -> impl Iterator<Item = &SnName> {
        self.peers.iter().filter(|(_, peer)| peer.desired.is_some()).map(|(sn, _)| sn)
    }
}

impl Peer {
    /// Asks for the next number for `digest`, unless that is under way.
    fn number(
        &mut self,
        sn: &SnName,
        digest: common::id::Digest,
        holds: Generation,
        overtaken: bool,
        actions: &mut Vec<Action>,
    ) {
        if self.numbering.as_ref().is_some_and(|stamp| stamp.digest == digest && stamp.generation > holds) {
            return;
        }
        if overtaken {
            let text = format!("holds generation {holds}, which was never given out from here");
            actions.push(Action::Alarm { sn: sn.clone(), text });
        }
        let last = [self.stamp.as_ref(), self.numbering.as_ref()].into_iter().flatten();
        let last = last.map(|stamp| stamp.generation).chain([holds]).max().unwrap_or_default();
        let stamp = Stamp { sn: sn.clone(), generation: last.next(), digest };
        self.numbering = Some(stamp.clone());
        actions.push(Action::Number(stamp));
    }
}
