//! The simulated network and its clock.
//!
//! A link is a QUIC stream as the parties see one: ordered and whole while it lives, with a delay of
//! its own in each direction, so that different links interleave in every way. A cut holds back what
//! is under way; a link that is cut for longer than the idle time ends, each side noticing in its
//! own time, and what was under way is lost. A crash is noticed by the other side only after a while.
//!
//! Cables: each service node has one to the management node and one to the rack, where its pool and
//! the compute nodes are. Two service nodes reach each other by either.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use common::id::Moment;
use common::wire::agent::{FromAgent, ToAgent};
use common::wire::peer::PeerMessage;
use common::wire::push::{FromSn, ToSn};

/// Who takes part. Service nodes and agents are numbered from 1, as in their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    Mn,
    Sn(u8),
    Agent(u8),
}

/// Names an attempt to connect, and the link that comes of it.
pub(crate) type LinkId = u64;

/// What travels on links: the real messages.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    ToSn(ToSn),
    FromSn(FromSn),
    Peer(PeerMessage),
    ToAgent(ToAgent),
    FromAgent(FromAgent),
}

/// What a party wakes up for. What each means is the party's own affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Looks at the whole.
    Tick,
    /// The writer of the management node has its turn.
    Writer,
    /// The hub of the management node has its turn.
    Hub,
    /// A service node dials the management node.
    Uplink,
    /// A service node that starts has waited long enough for its pool.
    PoolWait,
    /// The agent's machine asked to be woken.
    Wake,
    /// Something that takes a while is done: the number says what.
    Done(u64),
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// An attempt to connect succeeds or fails now.
    Dialed(LinkId),
    /// An attempt has taken too long.
    Failed(LinkId),
    /// What is due on this direction of a link is delivered.
    Pump(LinkId, usize),
    /// A link that was cut at this moment, and is still, ends.
    Idle(LinkId, Moment),
    /// One side notices the end.
    End(LinkId, usize),
    /// A party wakes up, in this life of it.
    Wake(Party, u32, Timer),
    /// A fault or an operator's command; see `schedule`.
    Act(super::schedule::Act),
}

/// A party ends in the middle of what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crash;

enum Item {
    Message(Box<Message>),
    End,
}

/// An attempt or a link. Side 0 dialed.
pub(crate) struct Link {
    pub(crate) ends: [Party; 2],
    lives: [u32; 2],
    established: bool,
    over: [bool; 2],
    down_since: Option<Moment>,
    queues: [VecDeque<(Moment, Item)>; 2],
}

#[derive(Default)]
struct Life {
    number: u32,
    up: bool,
}

/// A cable, and when it was cut last.
#[derive(Clone, Copy)]
struct Cable {
    whole: bool,
    cut_last: Option<Moment>,
}

/// Which of a service node's cables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Mn,
    Rack,
}

/// Where a crash is to happen: at this step of this party, counted from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CrashAt {
    pub(crate) party: Party,
    pub(crate) step: u64,
}

/// The network, the clock, the dice.
pub(crate) struct Net {
    pub(crate) now: Moment,
    pub(crate) dice: Dice,
    /// What each party has done so far, in steps at which it could have crashed.
    pub(crate) steps: BTreeMap<Party, u64>,
    pub(crate) crash_at: Option<CrashAt>,
    pub(crate) links: BTreeMap<LinkId, Link>,
    queue: BTreeMap<(Moment, u64), Event>,
    next: u64,
    lives: BTreeMap<Party, Life>,
    cables: BTreeMap<(u8, bool), Cable>,
    /// The last lines of what happened, for a failure.
    pub(crate) story: VecDeque<String>,
}

/// How long an attempt to connect may take (`sn::link::CONNECT`).
const CONNECT: Duration = Duration::from_secs(2);
/// How many lines of a story are kept.
const STORY: usize = 400;

const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

impl Net {
    pub(crate) fn new(seed: u64, service_nodes: u8) -> Self {
        let cable = Cable { whole: true, cut_last: None };
        let cables = (1..=service_nodes).flat_map(|sn| [((sn, false), cable), ((sn, true), cable)]);
        Self {
            now: Moment::START,
            dice: Dice(seed),
            steps: BTreeMap::new(),
            crash_at: None,
            links: BTreeMap::new(),
            queue: BTreeMap::new(),
            next: 0,
            lives: BTreeMap::new(),
            cables: cables.collect(),
            story: VecDeque::new(),
        }
    }

    /// Writes a line of the story.
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.story.len() == STORY {
            self.story.pop_front();
        }
        self.story.push_back(format!("{} {}", self.now, line()));
    }

    pub(crate) fn after(&mut self, delay: Duration, event: Event) {
        self.next += 1;
        self.queue.insert((self.now + delay, self.next), event);
    }

    pub(crate) fn timer(&mut self, party: Party, delay: Duration, timer: Timer) {
        let life = self.life(party);
        self.after(delay, Event::Wake(party, life, timer));
    }

    /// The next event before `until`; the clock then stands at its time, or at `until`.
    pub(crate) fn pop(&mut self, until: Moment) -> Option<Event> {
        let first = self.queue.first_entry().filter(|entry| entry.key().0 <= until);
        let Some(entry) = first else {
            self.now = until;
            return None;
        };
        self.now = self.now.max(entry.key().0);
        Some(entry.remove())
    }

    /// A place where a party may crash: it has just done something that others, or its disk, may or
    /// may not have seen.
    pub(crate) fn step(&mut self, party: Party) -> Result<(), Crash> {
        let steps = self.steps.entry(party).or_default();
        *steps += 1;
        let now = CrashAt { party, step: *steps };
        if self.crash_at == Some(now) { Err(Crash) } else { Ok(()) }
    }

    /// Lets a party crash so many steps from now.
    pub(crate) fn trip(&mut self, party: Party, steps: u64) {
        let done = self.steps.get(&party).copied().unwrap_or(0);
        self.crash_at = Some(CrashAt { party, step: done + steps });
    }

    pub(crate) fn life(&self, party: Party) -> u32 {
        self.lives.get(&party).map_or(0, |life| life.number)
    }

    pub(crate) fn is_up(&self, party: Party) -> bool {
        self.lives.get(&party).is_some_and(|life| life.up)
    }

    pub(crate) fn start(&mut self, party: Party) {
        let life = self.lives.entry(party).or_default();
        *life = Life { number: life.number + 1, up: true };
        self.tell(|| format!("{party:?} starts"));
    }

    pub(crate) fn stop(&mut self, party: Party) {
        let life = self.lives.entry(party).or_default();
        *life = Life { number: life.number + 1, up: false };
        self.tell(|| format!("{party:?} ends"));
        let mut notices = Vec::new();
        for (id, link) in &mut self.links {
            for side in 0..2 {
                if link.ends[side] == party && !link.over[side] {
                    link.over[side] = true;
                    notices.push((*id, 1 - side));
                }
            }
        }
        for (id, side) in notices {
            let delay = self.dice.between(ms(0), ms(2800));
            self.after(delay, Event::End(id, side));
        }
    }

    pub(crate) fn is_whole(&self, sn: u8, side: Side) -> bool {
        self.cables.get(&(sn, side == Side::Rack)).is_some_and(|cable| cable.whole)
    }

    /// Whether a cable is, or was within `past`, cut.
    pub(crate) fn was_cut(&self, sn: u8, side: Side, past: Duration) -> bool {
        let cable = self.cables.get(&(sn, side == Side::Rack));
        cable.is_some_and(|cable| {
            !cable.whole || cable.cut_last.is_some_and(|cut| self.now.since(cut) <= past)
        })
    }

    /// Cuts or mends a cable.
    pub(crate) fn set_cable(&mut self, sn: u8, side: Side, whole: bool) {
        let now = self.now;
        if let Some(cable) = self.cables.get_mut(&(sn, side == Side::Rack)) {
            *cable = Cable { whole, cut_last: Some(now) };
        }
        self.tell(|| format!("cable of sn{sn} to {side:?}: {}", if whole { "mended" } else { "cut" }));
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for id in ids {
            let Some(ends) = self.links.get(&id).map(|link| link.ends) else { continue };
            let path = self.path(ends[0], ends[1]);
            let Some(link) = self.links.get_mut(&id) else { continue };
            match (path, link.down_since) {
                (false, None) => {
                    link.down_since = Some(now);
                    let delay = self.dice.between(ms(2100), ms(2800));
                    self.after(delay, Event::Idle(id, now));
                }
                (true, Some(_)) => {
                    link.down_since = None;
                    (0..2).for_each(|side| self.after(ms(50), Event::Pump(id, side)));
                }
                _ => {}
            }
        }
    }

    /// Whether packets go through.
    pub(crate) fn path(&self, one: Party, other: Party) -> bool {
        match (one, other) {
            (Party::Mn, Party::Sn(sn)) | (Party::Sn(sn), Party::Mn) => self.is_whole(sn, Side::Mn),
            (Party::Sn(one), Party::Sn(other)) => [Side::Mn, Side::Rack]
                .into_iter()
                .any(|side| self.is_whole(one, side) && self.is_whole(other, side)),
            (Party::Agent(_), Party::Sn(sn)) | (Party::Sn(sn), Party::Agent(_)) => {
                self.is_whole(sn, Side::Rack)
            }
            _ => false,
        }
    }

    /// Begins to connect.
    pub(crate) fn dial(&mut self, from: Party, to: Party) -> LinkId {
        self.next += 1;
        let id = self.next;
        let link = Link {
            ends: [from, to],
            lives: [self.life(from), self.life(to)],
            established: false,
            over: [false; 2],
            down_since: None,
            queues: [VecDeque::new(), VecDeque::new()],
        };
        self.links.insert(id, link);
        let delay = self.delay();
        self.after(delay, Event::Dialed(id));
        id
    }

    /// Sets a dialed link up; says whether that worked. If not, the dialer hears of it later.
    pub(crate) fn establish(&mut self, id: LinkId) -> bool {
        let Some([from, to]) = self.links.get(&id).map(|link| link.ends) else { return false };
        let works = self.path(from, to) && self.is_up(to);
        let life = self.life(to);
        let Some(link) = self.links.get_mut(&id) else { return false };
        if link.over[0] {
            return false;
        }
        if works {
            link.established = true;
            link.lives[1] = life;
        } else {
            self.after(CONNECT, Event::Failed(id));
        }
        works
    }

    pub(crate) fn send(&mut self, id: LinkId, from: Party, message: Message) {
        let Some(side) = self.side_of(id, from) else { return };
        self.push(id, side, Item::Message(Box::new(message)));
    }

    /// Ends a link from one side; the other notices after what was sent before.
    pub(crate) fn close(&mut self, id: LinkId, by: Party) {
        let Some(side) = self.side_of(id, by) else { return };
        self.push(id, side, Item::End);
        if let Some(link) = self.links.get_mut(&id) {
            link.over[side] = true;
        }
    }

    fn side_of(&self, id: LinkId, party: Party) -> Option<usize> {
        let link = self.links.get(&id)?;
        let side = usize::from(link.ends[0] != party);
        (link.ends[side] == party && !link.over[side]).then_some(side)
    }

    fn push(&mut self, id: LinkId, side: usize, item: Item) {
        let delay = self.delay();
        let Some(link) = self.links.get_mut(&id) else { return };
        let last = link.queues[side].back().map_or(Moment::START, |(at, _)| *at);
        let at = (self.now + delay).max(last);
        link.queues[side].push_back((at, item));
        let wait = at.since(self.now);
        self.after(wait, Event::Pump(id, side));
    }

    /// What is due on a direction: messages, and whether the end has come.
    pub(crate) fn due(&mut self, id: LinkId, side: usize) -> Option<Option<Message>> {
        let now = self.now;
        let link = self.links.get_mut(&id)?;
        if link.down_since.is_some() || !link.established {
            return None;
        }
        let (at, _) = link.queues[side].front()?;
        if *at > now {
            return None;
        }
        match link.queues[side].pop_front()?.1 {
            Item::Message(message) => Some(Some(*message)),
            Item::End => Some(None),
        }
    }

    /// The party on a side of a link, while it has not ended there.
    pub(crate) fn listener(&self, id: LinkId, side: usize) -> Option<Party> {
        let link = self.links.get(&id)?;
        let party = link.ends[side];
        (!link.over[side] && self.is_up(party) && self.life(party) == link.lives[side]).then_some(party)
    }

    /// A side takes notice of the end.
    pub(crate) fn end(&mut self, id: LinkId, side: usize) {
        if let Some(link) = self.links.get_mut(&id) {
            link.over[side] = true;
            if link.over == [true; 2] {
                self.links.remove(&id);
            }
        }
    }

    /// A link has been silent for too long: both sides notice in their own time.
    pub(crate) fn idle(&mut self, id: LinkId, since: Moment) {
        if self.links.get(&id).is_some_and(|link| link.down_since == Some(since)) {
            for side in 0..2 {
                let delay = self.dice.between(ms(0), ms(700));
                self.after(delay, Event::End(id, side));
            }
        }
    }

    /// Mostly a fraction of a millisecond; sometimes a machine that hangs for a while.
    fn delay(&mut self) -> Duration {
        match self.dice.below(20) {
            0 => self.dice.between(ms(50), ms(900)),
            1..5 => self.dice.between(ms(1), ms(50)),
            _ => self.dice.between(Duration::from_micros(50), ms(1)),
        }
    }
}

/// Random numbers that a seed replays: SplitMix64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = u64::try_from(most.saturating_sub(least).as_nanos()).unwrap_or(u64::MAX);
        least + Duration::from_nanos(self.below(span.max(1)))
    }

    /// One to `most`.
    pub(crate) fn one_of(&mut self, most: u8) -> u8 {
        u8::try_from(self.below(u64::from(most))).unwrap_or(0) + 1
    }
}
