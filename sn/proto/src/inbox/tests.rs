//! Examples, and a model: one management node, one service node, and a network that loses,
//! duplicates and reorders frames, with a crash at every step.

use std::collections::BTreeMap;

use common::id::{Generation, SnName};
use common::slice::{Entry, Host, Key};
use proptest::prelude::*;

use super::*;
use common::slice::{Delta, Slice, Stamp};
use common::wire::push::{Outcome, PushHead};
use std::sync::Arc;

fn me() -> SnName {
    "sn1".parse().unwrap()
}

fn slice(hosts: &[(u8, u8)]) -> Slice {
    let mut slice = Slice::new();
    for (name, last) in hosts {
        let addresses = vec![[10, 0, 0, *last].into()];
        slice.put(Entry::Host(Host { name: format!("h{name}"), aliases: Vec::new(), addresses })).unwrap();
    }
    slice
}

fn held(generation: u64, hosts: &[(u8, u8)]) -> Held {
    let slice = slice(hosts);
    let stamp = Stamp { sn: me(), generation: Generation::new(generation), digest: slice.digest() };
    Held { stamp, signature: vec![1], slice: Arc::new(slice) }
}

/// The events of a push of `to`, over `base` or whole.
fn push(base: Option<&Held>, to: &Held) -> Vec<Event> {
    let empty = Slice::new();
    let delta = base.map_or(&empty, |base| &*base.slice).delta_to(&to.slice);
    let head = PushHead {
        stamp: to.stamp.clone(),
        signature: to.signature.clone(),
        base: base.map(|base| base.stamp.generation),
    };
    let mut events = vec![Event::Push { head, genuine: true }];
    // One entry a part, so that loss and disorder inside a push are seen.
    events.extend(delta.put.into_iter().map(|one| Event::Part(Delta { put: vec![one], delete: vec![] })));
    events.push(Event::Part(Delta { put: vec![], delete: delta.delete }));
    events.push(Event::End);
    events
}

/// Runs events through a machine whose shell does everything at once; gives what it acknowledged.
fn run(machine: &mut Machine, events: Vec<Event>) -> Vec<Outcome> {
    let mut said = Vec::new();
    for event in events {
        let mut actions = Vec::new();
        machine.handle(event, &mut actions);
        while !actions.is_empty() {
            let mut more = Vec::new();
            for action in actions {
                match action {
                    Action::Check(_) => machine.handle(Event::Checked(vec![]), &mut more),
                    Action::Journal(_) => machine.handle(Event::Journalled(None), &mut more),
                    Action::Applied(_) => said.push(Outcome::Applied),
                    Action::Refuse(ack) => said.push(ack.outcome),
                    Action::Swap(_) | Action::Alarm(_) => {}
                }
            }
            actions = more;
        }
    }
    said
}

fn machine(held: Option<Held>) -> Machine {
    Machine::new(me(), held, Limits::default())
}

fn refusal(outcomes: &[Outcome]) -> String {
    match outcomes {
        [Outcome::Refused { reasons }] => reasons.join("; "),
        other => panic!("not one refusal: {other:?}"),
    }
}

#[test]
fn a_whole_slice_and_then_a_delta_are_applied() {
    let (first, second) = (held(1, &[(1, 1), (2, 2)]), held(2, &[(1, 9), (3, 3)]));
    let mut machine = machine(None);
    assert_eq!(run(&mut machine, push(None, &first)), [Outcome::Applied]);
    assert_eq!(run(&mut machine, push(Some(&first), &second)), [Outcome::Applied]);
    assert_eq!(machine.held(), Some(&second));
}

#[test]
fn an_old_slice_replayed_is_refused() {
    let mut machine = machine(Some(held(5, &[(1, 1)])));
    let said = refusal(&run(&mut machine, push(None, &held(4, &[(9, 9)]))));
    assert!(said.contains("generation 4 is older than 5"), "{said}");
    assert_eq!(machine.held(), Some(&held(5, &[(1, 1)])));
}

#[test]
fn an_equal_generation_with_another_digest_is_an_alarm() {
    let mut machine = machine(Some(held(5, &[(1, 1)])));
    let mut actions = Vec::new();
    let head = push(None, &held(5, &[(9, 9)])).remove(0);
    machine.handle(head, &mut actions);
    assert!(matches!(actions[..], [Action::Alarm(_), Action::Refuse(_)]), "{actions:?}");
    assert_eq!(machine.held(), Some(&held(5, &[(1, 1)])));
}

#[test]
fn a_forged_signature_is_refused_before_anything_else_is_looked_at() {
    let mut machine = machine(None);
    let mut events = push(None, &held(1, &[(1, 1)]));
    if let Event::Push { genuine, .. } = &mut events[0] {
        *genuine = false;
    }
    assert!(refusal(&run(&mut machine, events)).contains("signature"));
    assert_eq!(machine.held(), None);
}

#[test]
fn the_slice_of_another_service_node_is_refused() {
    let mut other = held(1, &[(1, 1)]);
    other.stamp.sn = "sn2".parse().unwrap();
    let said = refusal(&run(&mut machine(None), push(None, &other)));
    assert!(said.contains("the one of sn2"), "{said}");
}

#[test]
fn a_delta_over_an_unknown_base_asks_for_the_whole() {
    let (old, new) = (held(1, &[(1, 1)]), held(2, &[(2, 2)]));
    assert_eq!(run(&mut machine(None), push(Some(&old), &new)), [Outcome::NeedWhole]);
    // The generation fits, but its contents are not what the delta was made for.
    let mut ours = held(1, &[(1, 1)]);
    ours.slice = Arc::new(slice(&[(7, 7)]));
    assert_eq!(run(&mut machine(Some(ours)), push(Some(&old), &new)), [Outcome::NeedWhole]);
}

#[test]
fn a_whole_slice_that_lost_an_entry_is_refused() {
    let mut events = push(None, &held(1, &[(1, 1), (2, 2)]));
    events.remove(1);
    assert!(refusal(&run(&mut machine(None), events)).contains("is announced"));
}

#[test]
fn a_service_that_cannot_and_a_journal_that_cannot_change_nothing() {
    let (old, new) = (held(1, &[(1, 1)]), held(2, &[(2, 2)]));
    for (checked, journalled, want) in
        [(vec!["dhcp: no".to_owned()], None, "dhcp: no"), (vec![], Some("disk full".to_owned()), "disk full")]
    {
        let mut machine = machine(Some(old.clone()));
        let mut actions = Vec::new();
        for event in push(Some(&old), &new) {
            machine.handle(event, &mut actions);
        }
        machine.handle(Event::Checked(checked), &mut actions);
        machine.handle(Event::Journalled(journalled), &mut actions);
        let Some(Action::Refuse(ack)) = actions.pop() else { panic!("{actions:?}") };
        assert!(refusal(&[ack.outcome]).contains(want));
        assert_eq!(machine.held(), Some(&old));
        assert!(!actions.iter().any(|one| matches!(one, Action::Swap(_))));
    }
}

#[test]
fn a_push_beyond_the_limits_is_refused() {
    let mut small = Machine::new(me(), None, Limits { entries: 1, bytes: 1000 });
    assert!(refusal(&run(&mut small, push(None, &held(1, &[(1, 1), (2, 2)])))).contains("more than 1"));
    let mut small = Machine::new(me(), None, Limits { entries: 9, bytes: 3 });
    assert!(refusal(&run(&mut small, push(None, &held(1, &[(1, 1)])))).contains("3 bytes"));
}

#[test]
fn a_key_that_is_deleted_is_gone() {
    let (old, new) = (held(1, &[(1, 1), (2, 2)]), held(2, &[(1, 1)]));
    let mut machine = machine(Some(old.clone()));
    run(&mut machine, push(Some(&old), &new));
    assert!(machine.held().unwrap().slice.entry(&Key::Host("h2".to_owned())).is_none());
}

/// What may go wrong in the model.
#[derive(Clone, Debug)]
enum Step {
    /// The management node commits another slice.
    Edit(Vec<(u8, u8)>),
    /// It pushes its newest, over this generation if it still knows it, else whole.
    Push { base: Option<u8> },
    /// It pushes an older one, as a thief of an old frame would.
    Replay { which: u8 },
    /// The next frame arrives, perhaps out of order and perhaps to arrive once more.
    Deliver { at: u8, again: bool },
    /// The next frame is lost.
    Lose { at: u8 },
    /// The shell's answer to what it was asked: it did it, or could not.
    Answer { fine: bool },
    /// Power is lost. A write that was under way is on disk or not.
    Crash { written: bool },
    /// The link breaks; its frames with it.
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => prop::collection::vec((0u8..4, any::<u8>()), 0..4).prop_map(Step::Edit),
        3 => any::<Option<u8>>().prop_map(|base| Step::Push { base }),
        1 => any::<u8>().prop_map(|which| Step::Replay { which }),
        12 => (0u8..3, prop::bool::weighted(0.1)).prop_map(|(at, again)| Step::Deliver { at, again }),
        1 => (0u8..3).prop_map(|at| Step::Lose { at }),
        6 => prop::bool::weighted(0.8).prop_map(|fine| Step::Answer { fine }),
        1 => any::<bool>().prop_map(|written| Step::Crash { written }),
        1 => Just(Step::Cut),
    ]
}

/// The world of the model.
struct World {
    machine: Machine,
    truth: BTreeMap<u64, Held>,
    flying: Vec<Event>,
    asked: Option<Action>,
    disk: Option<Held>,
    served: Option<Held>,
}

impl World {
    fn new() -> Self {
        Self {
            machine: machine(None),
            truth: BTreeMap::new(),
            flying: vec![],
            asked: None,
            disk: None,
            served: None,
        }
    }

    fn handle(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.machine.handle(event, &mut actions);
        for action in actions {
            match action {
                Action::Swap(held) => {
                    let old = self.served.as_ref().map(|held| held.stamp.generation);
                    assert!(old <= Some(held.stamp.generation), "generation_never_falls");
                    self.served = Some(held);
                }
                Action::Applied(stamp) => {
                    assert_eq!(
                        self.disk.as_ref().map(|held| &held.stamp),
                        Some(&stamp),
                        "acknowledged is durable"
                    );
                    assert_eq!(self.served.as_ref().map(|held| &held.stamp), Some(&stamp));
                }
                ask @ (Action::Check(_) | Action::Journal(_)) => self.asked = Some(ask),
                Action::Refuse(_) => {}
                Action::Alarm(why) => panic!("the management node is honest here: {why}"),
            }
        }
    }

    fn answer(&mut self, fine: bool) {
        match self.asked.take() {
            Some(Action::Check(_)) => {
                self.handle(Event::Checked(if fine { vec![] } else { vec!["no".to_owned()] }));
            }
            Some(Action::Journal(held)) => {
                if fine {
                    self.disk = Some(held);
                }
                self.handle(Event::Journalled(if fine { None } else { Some("full".to_owned()) }));
            }
            _ => {}
        }
    }

    fn send(&mut self, base: Option<u64>, to: u64) {
        let base = base.and_then(|base| self.truth.get(&base));
        if let Some(to) = self.truth.get(&to) {
            self.flying.extend(push(base, to));
        }
    }

    fn step(&mut self, step: Step) {
        let newest = self.truth.last_key_value().map_or(0, |(generation, _)| *generation);
        match step {
            Step::Edit(hosts) => {
                self.truth.insert(newest + 1, held(newest + 1, &hosts));
            }
            Step::Push { base } => self.send(base.map(u64::from), newest),
            Step::Replay { which } => self.send(None, u64::from(which) % (newest + 1)),
            Step::Deliver { at, again } if !self.flying.is_empty() => {
                let at = usize::from(at) % self.flying.len();
                let event = self.flying.remove(at);
                if again {
                    self.flying.push(event.clone());
                }
                self.handle(event);
            }
            Step::Lose { at } if !self.flying.is_empty() => {
                let at = usize::from(at) % self.flying.len();
                self.flying.remove(at);
            }
            Step::Deliver { .. } | Step::Lose { .. } => {}
            Step::Answer { fine } => self.answer(fine),
            Step::Crash { written } => {
                if let (true, Some(Action::Journal(held))) = (written, self.asked.take()) {
                    self.disk = Some(held);
                }
                self.asked = None;
                self.flying.clear();
                self.served = self.disk.clone();
                self.machine = machine(self.disk.clone());
            }
            Step::Cut => {
                self.flying.clear();
                self.handle(Event::LinkLost);
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.machine.held(), self.served.as_ref());
        for held in [&self.disk, &self.served].into_iter().flatten() {
            assert_eq!(held.slice.digest(), held.stamp.digest);
            assert_eq!(
                self.truth.get(&held.stamp.generation.value()),
                Some(held),
                "only what was truly sent"
            );
        }
        let generation = |held: &Option<Held>| held.as_ref().map(|held| held.stamp.generation);
        assert!(generation(&self.served) <= generation(&self.disk), "nothing is served that is not on disk");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn generation_never_falls_whatever_the_network_does(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.check();
        }
        // Once the network and the disk behave, both hold the same.
        world.answer(true);
        world.answer(true);
        world.step(Step::Cut);
        world.step(Step::Edit(vec![(1, 1)]));
        let newest = *world.truth.last_key_value().unwrap().0;
        world.send(None, newest);
        while !world.flying.is_empty() {
            world.step(Step::Deliver { at: 0, again: false });
            world.answer(true);
            world.answer(true);
        }
        prop_assert_eq!(world.served.as_ref(), world.truth.get(&newest));
    }
}
