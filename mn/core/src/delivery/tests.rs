use common::slice::{Delta, Encoded, Entry, Host, Slice};
use proptest::prelude::*;

use super::*;

fn slice(content: u8) -> Slice {
    let mut slice = Slice::new();
    let host =
        Host { name: "mn".to_owned(), aliases: Vec::new(), addresses: vec![[10, 0, 0, content].into()] };
    slice.put(Entry::Host(host)).unwrap();
    slice
}

/// The contents of what a push is of.
fn filled(slice: &Slice, changed: &Changed) -> Delta {
    let put = changed.put.iter().map(|key| Encoded::of(slice.entry(key).unwrap()).unwrap());
    Delta { put: put.collect(), delete: changed.delete.clone() }
}

fn sn1() -> SnName {
    "sn1".parse().unwrap()
}

/// A management node with one service node on a link that can be cut, a store that keeps numbers,
/// and a service node that keeps what it applied.
#[derive(Default)]
struct World {
    machine: Machine,
    stored: Option<Stamp>,
    held: Option<(Stamp, Slice)>,
    wanted: Slice,
    on_link: Vec<(Stamp, Option<Generation>, Delta)>,
    linked: bool,
    alarms: usize,
    highest: Generation,
}

impl World {
    fn tell(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.machine.handle(event, &mut actions);
        for action in actions {
            match action {
                Action::Number(stamp) => {
                    assert!(self.stored.as_ref().is_none_or(|old| stamp.generation > old.generation));
                    self.stored = Some(stamp.clone());
                    self.tell(Event::Numbered(stamp));
                }
                Action::Alarm { .. } => self.alarms += 1,
                Action::Push { stamp, base, changed } => {
                    assert!(self.linked, "a push needs a link");
                    let delta = filled(&self.wanted, &changed);
                    self.on_link.push((stamp, base, delta));
                }
            }
        }
    }

    fn desire(&mut self, content: u8) {
        self.wanted = slice(content);
        self.tell(Event::Desired { sn: sn1(), slice: Outline::from(&self.wanted) });
    }

    fn connect(&mut self) {
        self.linked = true;
        self.on_link.clear();
        self.tell(Event::Connected { sn: sn1(), holds: self.held.as_ref().map(|(stamp, _)| stamp.clone()) });
    }

    fn cut(&mut self) {
        self.linked = false;
        self.on_link.clear();
        self.tell(Event::Disconnected(sn1()));
    }

    /// The service node takes what is on the link.
    fn deliver(&mut self) {
        while let Some((stamp, base, delta)) = self.on_link.pop() {
            let outcome = self.take(&stamp, base, delta);
            self.tell(Event::Acked(Ack { stamp, outcome }));
        }
    }

    fn take(&mut self, stamp: &Stamp, base: Option<Generation>, delta: Delta) -> Outcome {
        if self.held.as_ref().is_some_and(|(held, _)| held == stamp) {
            assert!(delta.is_empty(), "what is held is not sent again");
            return Outcome::Applied;
        }
        let held = self.held.as_ref().map(|(held, _)| held.generation);
        if base.is_some() && base != held {
            return Outcome::NeedWhole;
        }
        let mut slice = match (base, &self.held) {
            (Some(_), Some((_, slice))) => slice.clone(),
            _ => Slice::new(),
        };
        slice.apply(delta).unwrap();
        assert_eq!(slice.digest(), stamp.digest, "a push leads to the digest it announces");
        assert!(stamp.generation > self.highest, "generations never go back");
        self.highest = stamp.generation;
        self.held = Some((stamp.clone(), slice));
        Outcome::Applied
    }
}

#[test]
fn a_change_reaches_the_service_node_and_the_next_one_as_a_delta() {
    let mut world = World::default();
    world.desire(1);
    world.connect();
    world.deliver();
    assert_eq!(world.machine.standing(&sn1()), Some(Standing::Current));
    world.desire(2);
    assert!(matches!(&world.on_link[..], [(_, Some(_), _)]), "{:?}", world.on_link);
    world.deliver();
    assert_eq!(world.held.unwrap().1, slice(2));
}

#[test]
fn an_unchanged_slice_keeps_its_number() {
    let mut world = World::default();
    world.desire(1);
    world.desire(1);
    world.connect();
    world.deliver();
    world.cut();
    world.connect();
    assert!(matches!(&world.on_link[..], [(_, _, delta)] if delta.is_empty()));
    world.deliver();
    world.desire(1);
    assert!(world.on_link.is_empty());
    assert_eq!(world.stored.unwrap().generation, Generation::new(1));
}

#[test]
fn a_management_node_from_an_old_copy_goes_on_above_what_is_held() {
    let mut world = World::default();
    world.desire(1);
    world.connect();
    world.deliver();
    for content in 2..6 {
        world.desire(content);
        world.deliver();
    }
    world.machine = Machine::new([Stamp { generation: Generation::new(1), ..world.stored.clone().unwrap() }]);
    world.stored = None;
    world.desire(9);
    world.connect();
    world.deliver();
    assert_eq!(world.held.as_ref().unwrap().1, slice(9));
    assert_eq!(world.held.unwrap().0.generation, Generation::new(6));
}

#[test]
fn a_refused_slice_is_not_pushed_again_at_once_unless_it_changes() {
    let mut world = World::default();
    world.desire(1);
    world.connect();
    let Some((stamp, ..)) = world.on_link.pop() else { panic!("no push") };
    let outcome = Outcome::Refused { reasons: vec!["dhcp: range outside its network".to_owned()] };
    world.tell(Event::Acked(Ack { stamp, outcome }));
    assert_eq!(world.alarms, 1);
    assert!(world.on_link.is_empty());
    assert!(matches!(world.machine.standing(&sn1()), Some(Standing::Refused(_))));
    world.desire(2);
    world.deliver();
    assert_eq!(world.machine.standing(&sn1()), Some(Standing::Current));
}

#[test]
fn a_refused_slice_is_pushed_again_after_more_and_more_looks() {
    let mut world = World::default();
    world.desire(1);
    world.connect();
    let mut waits = Vec::new();
    for _ in 0..8 {
        let Some((stamp, ..)) = world.on_link.pop() else { panic!("no push") };
        let outcome = Outcome::Refused { reasons: vec!["journal: the disk is full".to_owned()] };
        world.tell(Event::Acked(Ack { stamp, outcome }));
        let mut looks = 0;
        while world.on_link.is_empty() {
            world.desire(1);
            looks += 1;
        }
        waits.push(looks);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 32, 32]);
    world.deliver();
    assert_eq!(world.machine.standing(&sn1()), Some(Standing::Current));
}

proptest! {
    /// Any order of changes, cuts, restarts of either side and lost stores of the service node
    /// ends with both sides holding the same, once the link stays up.
    #[test]
    fn both_sides_come_to_hold_the_same(steps in prop::collection::vec((0u8..7, 0u8..5), 1..60)) {
        let mut world = World::default();
        world.desire(0);
        let mut wanted = 0;
        for (step, content) in steps {
            match step {
                0 | 1 => { wanted = content; world.desire(content); }
                2 => world.connect(),
                3 => world.cut(),
                4 => world.deliver(),
                5 => {
                    // The management node restarts: it knows its numbers and nothing else.
                    world.on_link.clear();
                    world.linked = false;
                    world.machine = Machine::new(world.stored.clone());
                    world.desire(wanted);
                }
                _ => { world.held = None; world.highest = Generation::ZERO; world.cut(); }
            }
        }
        world.connect();
        world.deliver();
        prop_assert_eq!(&world.held.as_ref().unwrap().1, &slice(wanted));
        prop_assert_eq!(world.machine.standing(&sn1()), Some(Standing::Current));
    }
}
