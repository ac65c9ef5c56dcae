//! What a service node holds and serves. Stands for `sn/src/slice/keeper.rs`, with `store.rs` behind
//! it: the same order of journal, switch and forgetting, and the same hush at the start.
//!
//! Of the services it has DHCP alone, as the real view and machine: it is the one whose answers two
//! owners would both give.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::id::{Epoch, NodeName, SnName};
use common::slice::{Node, Role, Slice, Stamp};
use common::wire::push::{Ack, Outcome};
use sn_proto::dhcp::machine as dhcp;
use sn_proto::dhcp::view::View;
use sn_proto::inbox::{Action, Event, Held, Limits, Machine};
use sn_proto::peer::{Heard, Silence};

use super::Mutant;
use super::net::{Crash, Net, Party};
use super::wire;

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) held: Option<Held>,
    pub(crate) heard: BTreeMap<NodeName, Heard>,
}

/// See the module above.
pub(crate) struct Keeper {
    me: Party,
    mutant: Option<Mutant>,
    machine: Machine,
    silence: Silence,
    pub(crate) hushed: bool,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) slice: Arc<Slice>,
    pub(crate) claimed: Arc<Slice>,
    effective: Arc<Slice>,
    built: Option<View>,
    dhcp: dhcp::Machine,
    /// Rises with every change of what is served.
    pub(crate) version: u64,
}

impl Keeper {
    /// As after a restart.
    pub(crate) fn new(number: u8, disk: &Disk, mutant: Option<Mutant>) -> Self {
        let held = disk.held.clone();
        let heard = if mutant == Some(Mutant::Forgets) { BTreeMap::new() } else { disk.heard.clone() };
        let mut silence = Silence::restore(heard);
        let slice = held.as_ref().map(|held| Arc::clone(&held.slice)).unwrap_or_default();
        silence.settle(&slice);
        let mut keeper = Self {
            me: Party::Sn(number),
            mutant,
            machine: Machine::new(wire::sn(number), held.clone(), Limits::default()),
            silence,
            hushed: mutant != Some(Mutant::Hasty),
            stamp: held.map(|held| held.stamp),
            claimed: Arc::clone(&slice),
            effective: Arc::default(),
            slice,
            built: None,
            dhcp: wire::dhcp_machine(number),
            version: 0,
        };
        keeper.reveal();
        keeper
    }

    /// Takes a frame of a push in; gives what is to be acknowledged. `disk_fails` makes the journal
    /// refuse.
    pub(crate) fn frame(
        &mut self,
        net: &mut Net,
        disk: &mut Disk,
        event: Event,
        disk_fails: bool,
    ) -> Result<Option<Ack>, Crash> {
        let mut ack = None;
        let mut actions = Vec::new();
        self.machine.handle(event, &mut actions);
        while !actions.is_empty() {
            let mut more = Vec::new();
            for action in actions {
                match action {
                    Action::Check(slice) => {
                        let built = View::build(&self.seen(&slice));
                        let reasons = match built {
                            Ok(view) => {
                                self.built = Some(view);
                                Vec::new()
                            }
                            Err(reasons) => reasons,
                        };
                        self.machine.handle(Event::Checked(reasons), &mut more);
                    }
                    Action::Journal(held) => {
                        net.step(self.me)?;
                        let failed = disk_fails.then(|| "the disk is full".to_owned());
                        if !disk_fails {
                            disk.held = Some(held);
                        }
                        net.step(self.me)?;
                        self.machine.handle(Event::Journalled(failed), &mut more);
                    }
                    Action::Swap(held) => self.swap(net, disk, held)?,
                    Action::Applied(stamp) => {
                        self.speak();
                        ack = Some(Ack { stamp, outcome: Outcome::Applied });
                    }
                    Action::Refuse(refusal) => ack = Some(refusal),
                    Action::Alarm(text) => panic!("{:?}: alarm: {text}", self.me),
                }
            }
            actions = more;
        }
        Ok(ack)
    }

    fn swap(&mut self, net: &mut Net, disk: &mut Disk, held: Held) -> Result<(), Crash> {
        let Held { stamp, slice, .. } = held;
        self.hushed = false;
        let view = self.built.take().expect("a switch follows a check");
        self.claimed = self.seen(&slice);
        self.effective = Arc::clone(&self.claimed);
        self.serve(view);
        let me = self.me;
        net.tell(|| format!("{me:?} serves {} {}", stamp.generation, wire::roles(&slice)));
        for name in self.silence.settle(&slice) {
            disk.heard.remove(&name);
        }
        net.step(self.me)?;
        (self.stamp, self.slice) = (Some(stamp), slice);
        self.version += 1;
        Ok(())
    }

    /// Obeys the claims of a peer.
    pub(crate) fn claims(
        &mut self,
        net: &mut Net,
        disk: &mut Disk,
        by: &SnName,
        own: &[(NodeName, Epoch)],
    ) -> Result<(), Crash> {
        if self.mutant == Some(Mutant::Deaf) {
            return Ok(());
        }
        let news = self.silence.hear(&Arc::clone(&self.slice), by, own);
        if !news.is_empty() {
            let me = self.me;
            net.tell(|| format!("{me:?} obeys {by}: {news:?}"));
            self.reveal();
            net.step(self.me)?;
            disk.heard.extend(news);
        }
        net.step(self.me)
    }

    /// Ends the hush of the start.
    pub(crate) fn speak(&mut self) {
        if std::mem::take(&mut self.hushed) {
            self.reveal();
        }
    }

    fn reveal(&mut self) {
        self.claimed = self.seen(&self.slice);
        let shown = if self.hushed { Silence::hushed(&self.claimed) } else { Arc::clone(&self.claimed) };
        if shown.digest() != self.effective.digest() || self.version == 0 {
            let view = View::build(&shown).expect("what is on disk was checked");
            self.serve(view);
            self.effective = shown;
        }
        self.version += 1;
    }

    /// The slice without what was lost; with a mutant, with what was.
    fn seen(&self, slice: &Arc<Slice>) -> Arc<Slice> {
        let lost = match self.mutant {
            Some(Mutant::IgnoresRelease) => Role::Backup,
            Some(Mutant::AnswersWhenHeld) => Role::Held,
            _ => return self.silence.effective(slice),
        };
        let kept: Vec<Node> = slice.nodes().filter(|node| node.role == lost).cloned().collect();
        let mut mad = Slice::clone(slice);
        for mut node in kept {
            let was = self.slice.nodes().any(|old| old.name == node.name && old.role == Role::Owner);
            if was || lost == Role::Held {
                node.role = Role::Owner;
                mad.put(common::slice::Entry::Node(Box::new(node))).expect("it was an entry before");
            }
        }
        Arc::new(mad)
    }

    fn serve(&mut self, view: View) {
        self.dhcp.handle(0, dhcp::Event::View(Arc::new(view)), &mut Vec::new());
    }

    /// Whether it answers this request of a compute node.
    pub(crate) fn answers(&mut self, request: &[u8]) -> bool {
        let packet = dhcp::Packet { bytes: request, to: std::net::Ipv4Addr::BROADCAST, interface: 1 };
        let mut actions = Vec::new();
        self.dhcp.handle(0, dhcp::Event::Packet(packet), &mut actions);
        actions.iter().any(|action| matches!(action, dhcp::Action::Send(_)))
    }

    /// The node as the management node made it.
    pub(crate) fn node(&self, name: &NodeName) -> Option<&Node> {
        self.slice.nodes().find(|node| node.name == *name)
    }

    /// Whether a claim that it has heard silences it for a node.
    pub(crate) fn is_silenced(&self, node: &Node) -> bool {
        self.silence.silences(node)
    }
}
