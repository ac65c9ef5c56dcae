//! The whole: parties, their disks, the network, and one event after the other, with the invariants
//! ([`super::check`]) looked at after each.

use std::collections::BTreeMap;
use std::time::Duration;

use common::wire::agent::ToAgent;
use mn_core::command::{Command, Define, Range, Snmove};
use node_agent::core::Kept;

use super::agent::Agent;
use super::check::Checker;
use super::keeper::Disk;
use super::management::{Acknowledged, Management, Store, first_store};
use super::mover::Moved;
use super::net::{Crash, Event, LinkId, Message, Net, Party, Side};
use super::schedule::{Act, Move, Size};
use super::service_node::ServiceNode;
use super::{Mutant, wire};

/// See the module above.
pub(crate) struct World {
    pub(crate) net: Net,
    pub(crate) size: Size,
    pub(crate) store: Store,
    pub(crate) mn: Option<Management>,
    pub(crate) disks: BTreeMap<u8, Disk>,
    pub(crate) sns: BTreeMap<u8, ServiceNode>,
    pub(crate) kept: BTreeMap<u8, Kept>,
    pub(crate) agents: BTreeMap<u8, Agent>,
    pub(crate) commands: Vec<Acknowledged>,
    pub(crate) moves: Vec<Moved>,
    /// Nothing befalls it any more; what crashes stays down when this is `false`.
    pub(crate) restarts: bool,
    mutant: Option<Mutant>,
    checker: Checker,
}

impl World {
    /// Everyone starts at once, on empty disks.
    pub(crate) fn new(seed: u64, size: Size, mutant: Option<Mutant>) -> Self {
        let mut world = Self {
            net: Net::new(seed, size.service_nodes),
            size,
            store: first_store(size.service_nodes, size.nodes),
            mn: None,
            disks: (1..=size.service_nodes).map(|sn| (sn, Disk::default())).collect(),
            sns: BTreeMap::new(),
            kept: (1..=size.nodes).map(|node| (node, Kept::default())).collect(),
            agents: BTreeMap::new(),
            commands: Vec::new(),
            moves: Vec::new(),
            restarts: true,
            mutant,
            checker: Checker::default(),
        };
        for party in world.parties() {
            world.start(party);
        }
        world
    }

    pub(crate) fn parties(&self) -> Vec<Party> {
        let sns = (1..=self.size.service_nodes).map(Party::Sn);
        let agents = (1..=self.size.nodes).map(Party::Agent);
        std::iter::once(Party::Mn).chain(sns).chain(agents).collect()
    }

    /// Puts acts on the calendar, from now on.
    pub(crate) fn plan(&mut self, schedule: Vec<(Duration, Act)>) {
        for (at, act) in schedule {
            self.net.after(at, Event::Act(act));
        }
    }

    /// Lives for this long.
    ///
    /// # Errors
    /// The invariant that broke.
    pub(crate) fn run(&mut self, span: Duration) -> Result<(), String> {
        let until = self.net.now + span;
        while let Some(event) = self.net.pop(until) {
            self.happen(event);
            let mut checker = std::mem::take(&mut self.checker);
            let checked = checker.after_each(self);
            self.checker = checker;
            checked?;
        }
        Ok(())
    }

    /// Lives until all is as the definitions say and no move is under way.
    ///
    /// # Errors
    /// The invariant that broke, or what is still missing after this long.
    pub(crate) fn settle(&mut self, span: Duration) -> Result<(), String> {
        let until = self.net.now + span;
        loop {
            let state = Checker::is_settled(self);
            if state.is_ok() || self.net.now >= until {
                return state;
            }
            // Looked at in steps: it derives everything anew.
            self.run(Duration::from_millis(500))?;
        }
    }

    /// Everything heals, and after a while all is as the definitions say.
    ///
    /// # Errors
    /// What is not.
    pub(crate) fn heal(&mut self) -> Result<(), String> {
        self.net.tell(|| "everything heals".to_owned());
        self.net.crash_at = None;
        for sn in 1..=self.size.service_nodes {
            for side in [Side::Mn, Side::Rack] {
                self.net.set_cable(sn, side, true);
            }
        }
        for party in self.parties() {
            if !self.net.is_up(party) {
                self.start(party);
            }
        }
        self.settle(Duration::from_secs(300))
    }

    fn start(&mut self, party: Party) {
        if self.net.is_up(party) {
            return;
        }
        match party {
            Party::Mn => self.mn = Some(Management::start(&mut self.net, &self.store, self.mutant)),
            Party::Sn(number) => {
                let disk = self.disks.entry(number).or_default();
                let sn = ServiceNode::start(&mut self.net, number, disk, self.mutant);
                self.sns.insert(number, sn);
            }
            Party::Agent(number) => {
                let kept = self.kept.entry(number).or_default();
                match Agent::start(&mut self.net, number, kept) {
                    Ok(agent) => drop(self.agents.insert(number, agent)),
                    Err(Crash) => self.crash(party, Duration::from_secs(1)),
                }
            }
        }
    }

    /// A party ends, and is back after a while.
    pub(crate) fn crash(&mut self, party: Party, back: Duration) {
        if !self.net.is_up(party) {
            return;
        }
        self.net.stop(party);
        match party {
            Party::Mn => {
                self.collect();
                self.mn = None;
            }
            Party::Sn(number) => drop(self.sns.remove(&number)),
            Party::Agent(number) => drop(self.agents.remove(&number)),
        }
        if self.restarts {
            self.net.after(back, Event::Act(Act::Start(party)));
        }
    }

    /// Takes over what operators were told.
    fn collect(&mut self) {
        if let Some(mn) = &mut self.mn {
            self.moves.append(&mut mn.moves.acknowledged);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Dialed(link) => {
                if self.net.establish(link) {
                    self.linked(link);
                }
            }
            Event::Failed(link) => {
                self.ended(link, 0);
            }
            Event::Pump(link, side) => {
                while let Some(item) = self.net.due(link, side) {
                    match item {
                        Some(message) => self.deliver(link, 1 - side, message),
                        None => self.ended(link, 1 - side),
                    }
                }
            }
            Event::Idle(link, since) => self.net.idle(link, since),
            Event::End(link, side) => self.ended(link, side),
            Event::Wake(party, life, timer) => {
                if self.net.is_up(party) && self.net.life(party) == life {
                    let done = self.wake(party, &timer);
                    self.survive(party, done);
                }
            }
            Event::Act(act) => self.act(act),
        }
        self.collect();
    }

    fn wake(&mut self, party: Party, timer: &super::net::Timer) -> Result<(), Crash> {
        match party {
            Party::Mn => match &mut self.mn {
                Some(mn) => mn.wake(&mut self.net, &mut self.store, &mut self.commands, timer),
                None => Ok(()),
            },
            Party::Sn(number) => match self.sns.get_mut(&number) {
                Some(sn) => {
                    sn.wake(&mut self.net, timer);
                    sn.follow_up(&mut self.net)
                }
                None => Ok(()),
            },
            Party::Agent(number) => match self.agents.get_mut(&number) {
                Some(agent) => agent.wake(&mut self.net, self.kept.entry(number).or_default(), timer),
                None => Ok(()),
            },
        }
    }

    fn survive(&mut self, party: Party, done: Result<(), Crash>) {
        if done == Err(Crash) {
            let back = self.net.dice.between(Duration::from_millis(50), Duration::from_secs(4));
            self.net.tell(|| format!("{party:?} crashes in the middle of it"));
            self.crash(party, back);
        }
    }

    fn linked(&mut self, link: LinkId) {
        let Some(ends) = self.net.links.get(&link).map(|link| link.ends) else { return };
        for side in [1, 0] {
            if let Some(party) = self.net.listener(link, side) {
                let done = match party {
                    Party::Mn => Ok(()),
                    Party::Sn(number) => match self.sns.get_mut(&number) {
                        Some(sn) => {
                            sn.linked(&mut self.net, link, ends[1 - side], side == 0);
                            sn.follow_up(&mut self.net)
                        }
                        None => Ok(()),
                    },
                    Party::Agent(number) => match self.agents.get_mut(&number) {
                        Some(agent) => agent.linked(&mut self.net, link, ends[1 - side]),
                        None => Ok(()),
                    },
                };
                self.survive(party, done);
            }
        }
    }

    fn ended(&mut self, link: LinkId, side: usize) {
        if let Some(party) = self.net.listener(link, side) {
            self.net.end(link, side);
            let done = match party {
                Party::Mn => match &mut self.mn {
                    Some(mn) => mn.ended(&mut self.net, &mut self.store, link),
                    None => Ok(()),
                },
                Party::Sn(number) => match self.sns.get_mut(&number) {
                    Some(sn) => sn.ended(&mut self.net, self.disks.entry(number).or_default(), link),
                    None => Ok(()),
                },
                Party::Agent(number) => match self.agents.get_mut(&number) {
                    Some(agent) => agent.ended(&mut self.net, link),
                    None => Ok(()),
                },
            };
            self.survive(party, done);
        } else {
            self.net.end(link, side);
        }
    }

    fn deliver(&mut self, link: LinkId, side: usize, message: Message) {
        let Some(party) = self.net.listener(link, side) else { return };
        let from = self.net.links.get(&link).map(|link| link.ends[1 - side]);
        let done = self.hand_over(party, from, link, message);
        self.survive(party, done);
    }

    fn hand_over(
        &mut self,
        party: Party,
        from: Option<Party>,
        link: LinkId,
        message: Message,
    ) -> Result<(), Crash> {
        self.net.step(party)?;
        match (party, message) {
            (Party::Mn, Message::FromSn(message)) => match (&mut self.mn, from) {
                (Some(mn), Some(Party::Sn(sn))) => {
                    mn.hears(&mut self.net, &mut self.store, (link, wire::sn(sn)), message)
                }
                _ => Ok(()),
            },
            (Party::Sn(number), message) => {
                let (Some(sn), Some(disk)) = (self.sns.get_mut(&number), self.disks.get_mut(&number)) else {
                    return Ok(());
                };
                match message {
                    Message::ToSn(message) => sn.hears_mn(&mut self.net, disk, link, message)?,
                    Message::Peer(message) => sn.hears_peer(&mut self.net, disk, link, message)?,
                    Message::FromAgent(message) => sn.hears_agent(&mut self.net, link, &message),
                    Message::FromSn(_) | Message::ToAgent(_) => {}
                }
                sn.follow_up(&mut self.net)
            }
            (Party::Agent(number), Message::ToAgent(message)) => match self.agents.get_mut(&number) {
                Some(agent) => {
                    if let ToAgent::Desired(desired) = &message {
                        let (epoch, owner) = (desired.epoch, desired.owner.clone());
                        self.net.tell(|| format!("n{number} is told {owner}@{epoch} by {from:?}"));
                    }
                    agent.hears(&mut self.net, link, message)
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn act(&mut self, act: Act) {
        self.net.tell(|| format!("{act:?}"));
        match act {
            Act::Crash { party, back } => self.crash(party, back),
            Act::Trip { party, steps } => self.net.trip(party, steps),
            Act::Start(party) => self.start(party),
            Act::Cut { sn, side, mended } => {
                self.net.set_cable(sn, side, false);
                self.net.after(mended, Event::Act(Act::Mend { sn, side }));
            }
            Act::Mend { sn, side } => self.net.set_cable(sn, side, true),
            Act::DiskFull(sn) => self.sns.get_mut(&sn).into_iter().for_each(|sn| sn.disk_fails = true),
            Act::Move(one) => self.snmove(one),
            Act::Change { node, netboot } => {
                let attributes = vec![("netboot".to_owned(), netboot.to_owned())];
                let objects = Some(Range::new(format!("n{node}")));
                self.command(Command::Chdef(Define { objects, attributes, ..Define::default() }));
            }
            Act::Nonsense => {
                let attributes = vec![("nosuchattribute".to_owned(), "1".to_owned())];
                let objects = Some(Range::new("n1"));
                self.command(Command::Chdef(Define { objects, attributes, ..Define::default() }));
            }
            Act::Fence { sn, target, by_operator } => self.fence(sn, &target, by_operator),
        }
    }

    fn command(&mut self, command: Command) {
        if let Some(mn) = &mut self.mn {
            mn.command(&mut self.net, command);
        }
    }

    pub(crate) fn snmove(&mut self, one: Move) {
        let sn = |number: u8| Some(format!("sn{number}"));
        let node = |number: u8| Some(Range::new(format!("n{number}")));
        let arguments = match one {
            Move::From(from, to) => Snmove { source: sn(from), dest: sn(to), ..Snmove::default() },
            Move::Node(number, to) => Snmove { nodes: node(number), dest: sn(to), ..Snmove::default() },
            Move::Forced(number, to) => {
                Snmove { nodes: node(number), dest: sn(to), force_fence: true, ..Snmove::default() }
            }
        };
        let Some(mn) = &mut self.mn else { return };
        mn.moves.start(arguments);
        let done = mn.advance(&mut self.net, &mut self.store);
        self.survive(Party::Mn, done);
    }

    /// What the design asks of the world outside: who is taken as off is off. An operator who says
    /// so has switched it off. Where neither the management node nor the target has reached it in the
    /// seconds in which they tried, a power switch does; that is the fencing case, and the only one.
    fn fence(&mut self, sn: u8, target: &common::id::SnName, by_operator: bool) {
        let target = wire::number(target.as_str());
        let (past, asked) = (Duration::from_secs(6), Duration::from_secs(4));
        let was_cut = |side| [sn, target].iter().any(|one| self.net.was_cut(*one, side, asked));
        let is_cut_off = self.net.was_cut(sn, Side::Mn, past) && was_cut(Side::Mn) && was_cut(Side::Rack);
        if by_operator || is_cut_off {
            self.crash(Party::Sn(sn), Duration::from_secs(8));
        }
    }
}
