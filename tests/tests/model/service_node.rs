//! A service node: its conversations with the management node, its pool and its agents.
//!
//! | mirrored here | the shell's file |
//! |---|---|
//! | [`ServiceNode::hears_mn`], dialing | `sn/src/link/mod.rs`, `sn/src/link/session.rs` |
//! | [`ServiceNode::hears_peer`], [`ServiceNode::dial_peers`], questions | `sn/src/peers/mod.rs`, `peers/talk.rs` |
//! | [`ServiceNode::hears_agent`], [`ServiceNode::tell_agents`] | `sn/src/agents/mod.rs`, `agents/session.rs` |
//! | when the hush of the start ends | `sn/src/daemon.rs` (`begin`), and the keeper's |
//!
//! Reports of agents go nowhere: what agents have settled on is read from their disks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::id::{Digest, Moment, NodeName, SnName};
use common::slice::Entry;
use common::wire::PROTOCOL;
use common::wire::agent::{FromAgent, ToAgent};
use common::wire::peer::PeerMessage;
use common::wire::push::{FromSn, Hello, PeerWord, ToSn};
use runtime::backoff::Backoff;
use sn_proto::inbox::Event as Inbox;
use sn_proto::peer::{Reaction, Talk, claims};

use super::Mutant;
use super::keeper::{Disk, Keeper};
use super::net::{Crash, LinkId, Message, Net, Party, Timer};
use super::wire;

const POOL_WAIT: Duration = Duration::from_millis(700);
const TICK: Duration = Duration::from_millis(100);
const ASK: Duration = Duration::from_millis(1500);
const ANSWER: Duration = Duration::from_millis(400);
const CONNECT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(3);

/// A link with a peer.
struct Line {
    link: LinkId,
    talk: Talk,
}

/// The attempts to reach a peer.
struct Dial {
    backoff: Backoff,
    at: Moment,
}

/// A question of the management node about a peer.
struct Ask {
    number: u64,
    sn: SnName,
    until: Moment,
    /// When another link is tried beside those that stand.
    dial_at: Moment,
    dialing: Option<LinkId>,
}

struct Session {
    link: LinkId,
    since: Moment,
    greeted: bool,
    told: Option<Digest>,
}

/// See the module above.
pub(crate) struct ServiceNode {
    me: Party,
    pub(crate) keeper: Keeper,
    pub(crate) upstream: Option<LinkId>,
    welcomed: bool,
    dialing: Option<LinkId>,
    uplink: Backoff,
    lines: BTreeMap<(SnName, bool), Line>,
    dialed_peers: BTreeMap<LinkId, SnName>,
    heard: BTreeSet<SnName>,
    dials: BTreeMap<SnName, Dial>,
    asks: Vec<Ask>,
    sessions: BTreeMap<NodeName, Session>,
    /// What was served when everyone was told last.
    told_version: u64,
    /// It began to answer because nobody could say what was lost. It may answer for what it lost
    /// until it has the word of someone who knows: there is no other way for a rack to live alone.
    pub(crate) lonely: bool,
    /// The next write of a slice fails.
    pub(crate) disk_fails: bool,
}

impl ServiceNode {
    pub(crate) fn start(net: &mut Net, number: u8, disk: &Disk, mutant: Option<Mutant>) -> Self {
        let me = Party::Sn(number);
        net.start(me);
        let seed = net.dice.roll();
        net.timer(me, Duration::ZERO, Timer::Uplink);
        net.timer(me, POOL_WAIT, Timer::PoolWait);
        net.timer(me, Duration::ZERO, Timer::Tick);
        Self {
            me,
            keeper: Keeper::new(number, disk, mutant),
            upstream: None,
            welcomed: false,
            dialing: None,
            uplink: Backoff::new(Duration::from_millis(200), Duration::from_secs(3), seed),
            lines: BTreeMap::new(),
            dialed_peers: BTreeMap::new(),
            heard: BTreeSet::new(),
            dials: BTreeMap::new(),
            asks: Vec::new(),
            sessions: BTreeMap::new(),
            told_version: 0,
            lonely: false,
            disk_fails: false,
        }
    }

    /// A timer of its own.
    pub(crate) fn wake(&mut self, net: &mut Net, timer: &Timer) {
        match timer {
            Timer::Uplink if self.upstream.is_none() && self.dialing.is_none() => {
                self.dialing = Some(net.dial(self.me, Party::Mn));
            }
            Timer::PoolWait if self.keeper.hushed => {
                self.lonely = true;
                self.speak(net, "nobody could say what was lost");
            }
            Timer::Tick => {
                self.dial_peers(net);
                self.answer_asks(net);
                let (now, patient) = (net.now, |session: &Session| session.told.is_some());
                let late: Vec<NodeName> = self
                    .sessions
                    .iter()
                    .filter(|(_, one)| !patient(one) && now.since(one.since) > PATIENCE)
                    .map(|(node, _)| node.clone())
                    .collect();
                late.iter().for_each(|node| self.drop_session(net, node));
                net.timer(self.me, TICK, Timer::Tick);
            }
            _ => {}
        }
    }

    fn speak(&mut self, net: &mut Net, why: &str) {
        if self.keeper.hushed {
            let me = self.me;
            net.tell(|| format!("{me:?} speaks: {why}"));
            self.keeper.speak();
        }
    }

    /// A dialed link stands, or a party has dialed us.
    pub(crate) fn linked(&mut self, net: &mut Net, link: LinkId, with: Party, dialed: bool) {
        match with {
            Party::Mn => {
                self.dialing = None;
                self.upstream = Some(link);
                let hello = Hello {
                    protocol: PROTOCOL,
                    version: String::new(),
                    holds: self.keeper.stamp.clone(),
                    addresses: Vec::new(),
                    series: 0,
                };
                net.send(link, self.me, Message::FromSn(FromSn::Hello(hello)));
            }
            Party::Sn(peer) => {
                self.dialed_peers.remove(&link);
                let line = Line { link, talk: Talk::default() };
                if let Some(older) = self.lines.insert((wire::sn(peer), dialed), line) {
                    net.close(older.link, self.me);
                }
                net.send(link, self.me, Message::Peer(Talk::hello()));
                self.told_version = 0;
            }
            Party::Agent(node) => {
                let session = Session { link, since: net.now, greeted: false, told: None };
                if let Some(older) = self.sessions.insert(wire::node(node), session) {
                    net.close(older.link, self.me);
                }
            }
        }
    }

    /// A link or an attempt is over.
    pub(crate) fn ended(&mut self, net: &mut Net, disk: &mut Disk, link: LinkId) -> Result<(), Crash> {
        if self.upstream == Some(link) || self.dialing == Some(link) {
            if std::mem::take(&mut self.welcomed) {
                self.uplink.reset();
            }
            (self.upstream, self.dialing) = (None, None);
            self.keeper.frame(net, disk, Inbox::LinkLost, false)?;
            let wait = self.uplink.next();
            net.timer(self.me, wait, Timer::Uplink);
        }
        self.dialed_peers.remove(&link);
        self.lines.retain(|_, line| line.link != link);
        self.sessions.retain(|_, session| session.link != link);
        for ask in &mut self.asks {
            if ask.dialing == Some(link) {
                ask.dialing = None;
            }
        }
        Ok(())
    }

    /// A message from the management node.
    pub(crate) fn hears_mn(
        &mut self,
        net: &mut Net,
        disk: &mut Disk,
        link: LinkId,
        message: ToSn,
    ) -> Result<(), Crash> {
        let ack = match message {
            ToSn::Welcome { .. } => {
                self.welcomed = true;
                None
            }
            ToSn::Push(head) => {
                let ack = self.keeper.frame(net, disk, Inbox::Push { head, genuine: true }, false)?;
                self.lonely &= ack.is_none();
                ack
            }
            ToSn::Part(delta) => self.keeper.frame(net, disk, Inbox::Part(delta), false)?,
            ToSn::PushEnd => {
                let fails = std::mem::take(&mut self.disk_fails);
                let ack = self.keeper.frame(net, disk, Inbox::End, fails)?;
                self.lonely = false;
                ack
            }
            ToSn::AskPeer { ask, sn, .. } => {
                let until = net.now + ASK;
                self.asks.push(Ask { number: ask, sn, until, dial_at: net.now, dialing: None });
                self.answer_asks(net);
                None
            }
            ToSn::Run(_) | ToSn::Joined { .. } | ToSn::ReportsStored(_) | ToSn::LogsStored(_) => None,
        };
        if let Some(ack) = ack {
            net.step(self.me)?;
            net.send(link, self.me, Message::FromSn(FromSn::Ack(ack)));
            net.step(self.me)?;
        }
        Ok(())
    }

    /// A message from a peer.
    pub(crate) fn hears_peer(
        &mut self,
        net: &mut Net,
        disk: &mut Disk,
        link: LinkId,
        message: PeerMessage,
    ) -> Result<(), Crash> {
        let Some((key, line)) = self.lines.iter_mut().find(|(_, line)| line.link == link) else {
            return Ok(());
        };
        let peer = key.0.clone();
        let reaction = line.talk.take(message).expect("peers keep to the protocol");
        match reaction {
            Reaction::Obey { claims, number } => {
                self.keeper.claims(net, disk, &peer, &claims)?;
                net.send(link, self.me, Message::Peer(PeerMessage::Heard(number)));
                net.step(self.me)?;
                self.heard.insert(peer);
                let peers = self.peers();
                if !peers.is_empty() && peers.iter().all(|sn| self.heard.contains(sn)) {
                    self.lonely = false;
                    self.speak(net, "the pool has spoken");
                }
            }
            Reaction::Heard(_) => self.answer_asks(net),
            Reaction::None => {}
        }
        Ok(())
    }

    /// A message from an agent.
    pub(crate) fn hears_agent(&mut self, net: &mut Net, link: LinkId, message: &FromAgent) {
        if let FromAgent::Hello { .. } = message
            && let Some((_, session)) = self.sessions.iter_mut().find(|(_, one)| one.link == link)
        {
            session.greeted = true;
            self.tell_agents(net);
        }
    }

    /// Tells everyone what has changed. Called after whatever may have changed what is served.
    pub(crate) fn follow_up(&mut self, net: &mut Net) -> Result<(), Crash> {
        if self.told_version == self.keeper.version {
            return Ok(());
        }
        self.told_version = self.keeper.version;
        for ((peer, _), line) in &mut self.lines {
            for message in line.talk.tell(claims(&self.keeper.claimed, peer)) {
                net.send(line.link, self.me, Message::Peer(message));
            }
        }
        net.step(self.me)?;
        self.tell_agents(net);
        self.answer_asks(net);
        Ok(())
    }

    fn tell_agents(&mut self, net: &mut Net) {
        let mut gone = Vec::new();
        for (name, session) in &mut self.sessions {
            let Some(node) = self.keeper.node(name).filter(|node| node.agent_key == Some(wire::key(name)))
            else {
                if session.told.is_some() {
                    gone.push(name.clone());
                }
                continue;
            };
            let desired = sn_proto::agent::desired(&self.keeper.slice, node);
            let digest = desired.digest();
            if session.greeted && session.told != Some(digest) {
                session.told = Some(digest);
                net.send(session.link, self.me, Message::ToAgent(ToAgent::Desired(Box::new(desired))));
            }
        }
        gone.iter().for_each(|node| self.drop_session(net, node));
    }

    fn drop_session(&mut self, net: &mut Net, node: &NodeName) {
        if let Some(session) = self.sessions.remove(node) {
            net.close(session.link, self.me);
        }
    }

    fn peers(&self) -> Vec<SnName> {
        let entries = self.keeper.slice.entries();
        entries
            .filter_map(|entry| match entry {
                Entry::Peer(peer) => Some(peer.sn.clone()),
                _ => None,
            })
            .collect()
    }

    fn stands(&self, sn: &SnName) -> bool {
        [false, true].into_iter().any(|dialed| self.lines.contains_key(&(sn.clone(), dialed)))
    }

    fn dial_peers(&mut self, net: &mut Net) {
        let peers = self.peers();
        self.dials.retain(|sn, _| peers.contains(sn));
        for peer in peers {
            let stands = self.stands(&peer);
            let (now, seed) = (net.now, net.dice.roll());
            let new = || Dial {
                backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(3), seed),
                at: now,
            };
            let dial = self.dials.entry(peer.clone()).or_insert_with(new);
            if stands {
                dial.backoff.reset();
            } else if now >= dial.at {
                dial.at = now + dial.backoff.next() + CONNECT;
                self.dial_peer(net, &peer);
            }
        }
    }

    fn dial_peer(&mut self, net: &mut Net, peer: &SnName) -> LinkId {
        let link = net.dial(self.me, Party::Sn(wire::number(peer.as_str())));
        self.dialed_peers.insert(link, peer.clone());
        link
    }

    /// Whether a standing link has the peer's word for what is claimed now.
    fn told(&self, peer: &SnName) -> bool {
        let want = claims(&self.keeper.claimed, peer);
        let lines = [false, true].into_iter().filter_map(|dialed| self.lines.get(&(peer.clone(), dialed)));
        lines.into_iter().any(|line| line.talk.confirmed() == Some(&want))
    }

    fn answer_asks(&mut self, net: &mut Net) {
        let mut open = Vec::new();
        for mut ask in std::mem::take(&mut self.asks) {
            let word = if self.told(&ask.sn) {
                PeerWord::Heard
            } else if net.now >= ask.until {
                PeerWord::Unreachable("no word from it".to_owned())
            } else {
                if ask.dialing.is_none() && (net.now >= ask.dial_at || !self.stands(&ask.sn)) {
                    ask.dial_at = net.now + ANSWER;
                    ask.dialing = Some(self.dial_peer(net, &ask.sn));
                }
                open.push(ask);
                continue;
            };
            if let Some(upstream) = self.upstream.filter(|_| self.welcomed) {
                let says = FromSn::PeerSays { ask: ask.number, word };
                net.send(upstream, self.me, Message::FromSn(says));
            }
        }
        self.asks = open;
    }
}
