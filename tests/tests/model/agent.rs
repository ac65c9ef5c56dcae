//! A compute node: its agent, as the real machine, and its disk. Stands for `node-agent/src/shell.rs`
//! with `link.rs` and `state.rs`: a write is durable when it is said to be, and one that a crash
//! overtakes is not.
//!
//! Bringing the node to its state takes a while and always works.

use std::collections::BTreeMap;
use std::time::Duration;

use common::id::{Epoch, Moment};
use common::wire::agent::{Desired, FromAgent, ToAgent};
use node_agent::core::{Action, Event, Kept, Machine, Outbox, Setup};

use super::net::{Crash, LinkId, Message, Net, Party, Timer};
use super::wire;

enum Pending {
    Store(Box<Desired>),
    Keep(Box<Outbox>),
    Apply(Box<Desired>),
}

/// See the module above.
pub(crate) struct Agent {
    me: Party,
    machine: Machine,
    /// The network's name of a link by the machine's, and back.
    links: BTreeMap<u64, LinkId>,
    hellos: BTreeMap<LinkId, (u64, FromAgent)>,
    pending: BTreeMap<u64, Pending>,
    next: u64,
    /// When the writes that are under way are done: they happen in their order.
    written: Moment,
}

impl Agent {
    pub(crate) fn start(net: &mut Net, number: u8, disk: &mut Kept) -> Result<Self, Crash> {
        let me = Party::Agent(number);
        net.start(me);
        let setup = Setup {
            node: wire::node(number),
            seeds: vec![([10, 0, 0, 11], 7701).into(), ([10, 0, 0, 12], 7701).into()],
            token: false,
            seed: net.dice.roll(),
        };
        let machine = Machine::new(setup, disk.clone());
        let mut agent = Self {
            me,
            machine,
            links: BTreeMap::new(),
            hellos: BTreeMap::new(),
            pending: BTreeMap::new(),
            next: 0,
            written: net.now,
        };
        agent.handle(net, Event::Start)?;
        Ok(agent)
    }

    /// The highest epoch that it has seen.
    pub(crate) fn epoch(&self) -> Epoch {
        self.machine.epoch()
    }

    fn handle(&mut self, net: &mut Net, event: Event) -> Result<(), Crash> {
        let mut actions = Vec::new();
        self.machine.handle(net.now, event, &mut actions);
        for action in actions {
            match action {
                Action::Dial { link, target, hello } => {
                    let std::net::IpAddr::V4(address) = target.address.ip() else { continue };
                    let id = net.dial(self.me, Party::Sn(address.octets()[3].saturating_sub(10)));
                    self.links.insert(link, id);
                    self.hellos.insert(id, (link, hello));
                }
                Action::Send(link, message) => {
                    if let Some(id) = self.links.get(&link) {
                        net.send(*id, self.me, Message::FromAgent(message));
                    }
                }
                Action::Close(link) => {
                    if let Some(id) = self.links.remove(&link) {
                        self.hellos.remove(&id);
                        net.close(id, self.me);
                    }
                }
                Action::Store(desired) => self.later(net, Pending::Store(desired)),
                Action::Keep(outbox) => self.later(net, Pending::Keep(outbox)),
                Action::Apply(desired) => self.later(net, Pending::Apply(desired)),
                Action::WakeAt(at) => net.timer(self.me, at.since(net.now), Timer::Wake),
                Action::ForeignState(node) => panic!("{:?} was sent the state of {node}", self.me),
                Action::Follow(_) | Action::FollowNobody | Action::Ignored { .. } => {}
                other => panic!("{:?} has no scripts, runs or token: {other:?}", self.me),
            }
            net.step(self.me)?;
        }
        Ok(())
    }

    fn later(&mut self, net: &mut Net, what: Pending) {
        self.next += 1;
        let slow = if net.dice.below(10) == 0 { 400 } else { 5 };
        let mut delay = net.dice.between(Duration::ZERO, Duration::from_millis(slow));
        if !matches!(what, Pending::Apply(_)) {
            delay = delay.max(self.written.since(net.now));
            self.written = net.now + delay;
        }
        self.pending.insert(self.next, what);
        net.timer(self.me, delay, Timer::Done(self.next));
    }

    /// A timer of its own.
    pub(crate) fn wake(&mut self, net: &mut Net, disk: &mut Kept, timer: &Timer) -> Result<(), Crash> {
        match timer {
            Timer::Wake => self.handle(net, Event::Wake),
            Timer::Done(number) => match self.pending.remove(number) {
                Some(Pending::Store(desired)) => {
                    let digest = desired.digest();
                    disk.desired = Some(desired);
                    net.step(self.me)?;
                    self.handle(net, Event::Stored(digest))
                }
                Some(Pending::Keep(outbox)) => {
                    disk.outbox = *outbox;
                    net.step(self.me)
                }
                Some(Pending::Apply(desired)) => {
                    let digest = desired.digest();
                    self.handle(net, Event::Applied(digest, Vec::new()))
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// A dialed link stands.
    pub(crate) fn linked(&mut self, net: &mut Net, id: LinkId, with: Party) -> Result<(), Crash> {
        let (Some((link, hello)), Party::Sn(sn)) = (self.hellos.get(&id).cloned(), with) else {
            return Ok(());
        };
        self.handle(net, Event::Linked { link, sn: wire::sn(sn) })?;
        net.send(id, self.me, Message::FromAgent(hello));
        net.step(self.me)
    }

    /// A link or an attempt is over.
    pub(crate) fn ended(&mut self, net: &mut Net, id: LinkId) -> Result<(), Crash> {
        let Some((link, _)) = self.hellos.remove(&id) else { return Ok(()) };
        self.links.remove(&link);
        self.handle(net, Event::Ended { link, refused: false })
    }

    /// A message of a service node.
    pub(crate) fn hears(&mut self, net: &mut Net, id: LinkId, message: ToAgent) -> Result<(), Crash> {
        let Some((link, _)) = self.hellos.get(&id) else { return Ok(()) };
        let link = *link;
        self.handle(net, Event::Said { link, message: Box::new(message) })
    }
}
