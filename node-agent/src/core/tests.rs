//! The core against a world that loses links, restarts the agent and sends old states.

use std::collections::BTreeSet;

use common::id::Digest;
use common::slice::{PoolMember, Script};
use proptest::prelude::*;

use super::*;

fn member(sn: &str) -> PoolMember {
    let last: u8 = sn.trim_start_matches("sn").parse().unwrap();
    PoolMember { sn: sn.parse().unwrap(), address: [10, 0, 0, last].into() }
}

/// A state of n1 with this pool, the owner first.
fn state(epoch: u64, pool: &[&str]) -> Box<Desired> {
    Box::new(Desired {
        node: "n1".parse().unwrap(),
        epoch: Epoch::new(epoch),
        owner: pool[0].parse().unwrap(),
        pool: pool.iter().map(|sn| member(sn)).collect(),
        agent_port: 7701,
        log: Some(member(pool[0]).address),
        ntp: vec![],
        nameservers: vec![],
        domain: "lab".to_owned(),
        hosts: vec![],
        gateway: None,
        scripts: vec![],
        rests: false,
    })
}

fn script(name: &str) -> Script {
    Script { name: name.to_owned(), arguments: vec![], hash: Digest::of(name.as_bytes()) }
}

fn receipt(step: &str, outcome: StepOutcome) -> Receipt {
    Receipt { step: step.to_owned(), outcome }
}

fn bad() -> StepOutcome {
    StepOutcome::Failed { reason: "no".to_owned(), status: Some(1) }
}

/// The agent, a disk, and the actions that are not carried out yet.
struct World {
    machine: Machine,
    disk: Kept,
    now: Moment,
    actions: Vec<Action>,
    /// Links that are being dialed, or stand: number and name.
    links: Vec<(LinkId, Option<SnName>)>,
    sent: Vec<(SnName, FromAgent)>,
}

impl World {
    fn new(kept: Kept) -> Self {
        let mut world = Self {
            machine: Machine::new(Self::setup(), kept.clone()),
            disk: kept,
            now: Moment::START,
            actions: vec![],
            links: vec![],
            sent: vec![],
        };
        world.event(Event::Start);
        world
    }

    fn setup() -> Setup {
        let seeds = vec!["10.0.0.1:7701".parse().unwrap(), "10.0.0.2:7701".parse().unwrap()];
        Setup { node: "n1".parse().unwrap(), seeds, token: true, seed: 7 }
    }

    fn restart(self) -> Self {
        Self::new(self.disk)
    }

    fn event(&mut self, event: Event) {
        let mut actions = vec![];
        if let Event::Ended { link, .. } = &event {
            self.links.retain(|(id, _)| id != link);
        }
        self.machine.handle(self.now, event, &mut actions);
        for action in actions {
            match action {
                Action::Dial { link, ref target, .. } => self.links.push((link, target.sn.clone())),
                Action::Close(link) => self.links.retain(|(id, _)| *id != link),
                Action::Send(link, message) => {
                    let to = self.links.iter().find(|(id, _)| *id == link).unwrap().1.clone().unwrap();
                    self.sent.push((to, message));
                    continue;
                }
                Action::Keep(outbox) => {
                    self.disk.outbox = *outbox;
                    continue;
                }
                Action::Work(ref run, _) => self.disk.begun.push(run.run),
                _ => {}
            }
            self.actions.push(action);
        }
    }

    fn pass(&mut self, wait: Duration) {
        self.now = self.now + wait;
        self.event(Event::Wake);
    }

    fn take(&mut self, wanted: impl Fn(&Action) -> bool) -> Option<Action> {
        let at = self.actions.iter().position(wanted)?;
        Some(self.actions.remove(at))
    }

    /// Names of those who are dialed or linked, in the order of the attempts.
    fn dialed(&self) -> Vec<String> {
        self.links.iter().map(|(_, sn)| sn.as_ref().map_or("?", SnName::as_str).to_owned()).collect()
    }

    fn link_to(&self, sn: &str) -> LinkId {
        let found = self.links.iter().find(|(_, name)| name.as_ref().is_some_and(|name| name.as_str() == sn));
        found.unwrap_or_else(|| panic!("no link with {sn}: {:?}", self.links)).0
    }

    /// `sn` answers with `state`.
    fn says(&mut self, sn: &str, state: &Desired) {
        let link = self.link_to(sn);
        self.event(Event::Linked { link, sn: sn.parse().unwrap() });
        let message = Box::new(ToAgent::Desired(Box::new(state.clone())));
        self.event(Event::Said { link, message });
    }

    /// The first seed turns out to be sn1 and says `state`.
    fn first_contact(&mut self, state: &Desired) {
        self.links[0].1 = Some("sn1".parse().unwrap());
        self.says("sn1", state);
    }

    fn store(&mut self) {
        if let Some(Action::Store(state)) = self.take(|action| matches!(action, Action::Store(_))) {
            let digest = state.digest();
            self.disk.desired = Some(state);
            self.event(Event::Stored(digest));
        }
    }

    /// Applies what is to be applied; says which state that was.
    fn apply(&mut self, outcome: StepOutcome) -> Option<Box<Desired>> {
        let Action::Apply(state) = self.take(|action| matches!(action, Action::Apply(_)))? else {
            unreachable!()
        };
        self.event(Event::Applied(state.digest(), vec![receipt("syslog", outcome)]));
        Some(state)
    }

    fn settle(&mut self) {
        self.store();
        while self.apply(StepOutcome::Changed).is_some() {}
    }

    fn told(&self, sn: &str) -> Vec<Epoch> {
        let settled = |(to, message): &(SnName, FromAgent)| match message {
            FromAgent::Settled { epoch, .. } if to.as_str() == sn => Some(*epoch),
            _ => None,
        };
        self.sent.iter().filter_map(settled).collect()
    }
}

/// An agent that follows sn1 and has settled in epoch 1.
fn settled_on_sn1() -> World {
    let mut world = World::new(Kept::default());
    world.first_contact(&state(1, &["sn1", "sn2"]));
    world.settle();
    assert_eq!(world.told("sn1"), [Epoch::new(1)]);
    world
}

#[test]
fn nothing_is_done_about_a_state_before_it_is_on_disk() {
    let mut world = World::new(Kept::default());
    world.first_contact(&state(1, &["sn1"]));
    assert!(world.take(|action| matches!(action, Action::Apply(_))).is_none());
    world.store();
    assert!(world.apply(StepOutcome::Kept).is_some());
}

/// A state that a move brought which was told to leave the running nodes alone.
fn resting(epoch: u64, pool: &[&str]) -> Box<Desired> {
    Box::new(Desired { rests: true, ..*state(epoch, pool) })
}

#[test]
fn a_running_node_that_is_to_be_left_alone_is_until_it_starts_again() {
    let mut world = settled_on_sn1();
    world.says("sn1", &resting(2, &["sn2", "sn1"]));
    world.store();
    assert!(world.dialed().contains(&"sn2".to_owned()), "the agent itself follows: {:?}", world.dialed());
    world.pass(LOOK_AGAIN * 2);
    assert!(world.apply(StepOutcome::Changed).is_none());
    let mut world = world.restart();
    assert_eq!(world.apply(StepOutcome::Changed).unwrap().epoch, Epoch::new(2));
}

#[test]
fn a_node_that_was_down_or_is_told_to_follows_at_once() {
    let mut world = settled_on_sn1().restart();
    world.apply(StepOutcome::Kept);
    world.says("sn1", &resting(2, &["sn2", "sn1"]));
    world.store();
    assert!(world.apply(StepOutcome::Changed).is_some(), "it was down when the move was made");
    world.says("sn1", &resting(3, &["sn1", "sn2"]));
    world.store();
    assert!(world.apply(StepOutcome::Changed).is_none());
    let work = common::wire::work::Work { sync: vec![], scripts: vec![], settle: true, timeout_seconds: 1 };
    let link = world.link_to("sn1");
    world.event(Event::Said { link, message: Box::new(ToAgent::Run(Run { run: 1, nodes: vec![], work })) });
    assert_eq!(world.apply(StepOutcome::Changed).unwrap().epoch, Epoch::new(3));
}

#[test]
fn a_disk_that_refuses_is_reported_and_tried_again() {
    let mut world = World::new(Kept::default());
    let desired = state(1, &["sn1"]);
    world.first_contact(&desired);
    world.take(|action| matches!(action, Action::Store(_))).unwrap();
    world.event(Event::NotStored(desired.digest(), "full".to_owned()));
    assert_eq!(world.told("sn1").len(), 1, "the failure is told");
    assert!(world.take(|action| matches!(action, Action::Apply(_))).is_none());
    world.pass(LOOK_AGAIN_AFTER_FAILURE);
    world.settle();
    assert_eq!(world.told("sn1").len(), 2);
}

#[test]
fn a_move_is_settled_at_once_told_on_the_old_link_and_again_to_the_new_owner() {
    let mut world = settled_on_sn1();
    world.sent.clear();
    world.says("sn1", &state(2, &["sn2", "sn1"]));
    assert!(world.dialed().contains(&"sn2".to_owned()), "{:?}", world.dialed());
    world.settle();
    assert_eq!(world.told("sn1"), [Epoch::new(2)]);
    world.says("sn2", &state(2, &["sn2", "sn1"]));
    assert_eq!(world.told("sn2"), [Epoch::new(2)]);
    assert_eq!(world.dialed(), ["sn2"], "the link with sn1 is given up");
}

#[test]
fn an_earlier_ownership_is_ignored_also_after_a_restart() {
    let mut world = settled_on_sn1();
    world.says("sn1", &state(2, &["sn2", "sn1"]));
    world.settle();
    let mut world = world.restart();
    assert_eq!(world.apply(StepOutcome::Kept).unwrap().epoch, Epoch::new(2));
    assert_eq!(world.dialed(), ["sn2"]);
    world.pass(Duration::from_millis(600));
    world.says("sn1", &state(1, &["sn1", "sn2"]));
    assert_eq!(world.machine.epoch(), Epoch::new(2));
    assert!(world.take(|action| matches!(action, Action::Ignored { .. })).is_some());
    assert!(world.take(|action| matches!(action, Action::Store(_))).is_none());
}

#[test]
fn at_the_same_epoch_the_newest_word_counts() {
    let mut world = settled_on_sn1();
    let mut newer = state(1, &["sn1", "sn2"]);
    newer.domain = "elsewhere".to_owned();
    world.says("sn1", &newer);
    world.store();
    assert_eq!(world.apply(StepOutcome::Changed).unwrap().domain, "elsewhere");
}

#[test]
fn a_state_that_comes_during_a_settle_is_settled_next() {
    let mut world = settled_on_sn1();
    world.says("sn1", &state(2, &["sn1"]));
    world.store();
    world.says("sn1", &state(3, &["sn1"]));
    world.store();
    assert_eq!(world.apply(StepOutcome::Changed).unwrap().epoch, Epoch::new(2));
    assert_eq!(world.apply(StepOutcome::Changed).unwrap().epoch, Epoch::new(3));
    assert_eq!(world.told("sn1"), [Epoch::new(1), Epoch::new(3)], "what is past is not told");
}

#[test]
fn a_dead_owner_costs_half_a_second_and_is_come_back_to() {
    let mut world = settled_on_sn1();
    let link = world.link_to("sn1");
    world.event(Event::Ended { link, refused: false });
    assert_eq!(world.dialed(), ["sn1"]);
    world.pass(Duration::from_millis(500));
    assert_eq!(world.dialed(), ["sn1", "sn2"]);
    world.sent.clear();
    world.says("sn2", &state(1, &["sn1", "sn2"]));
    assert_eq!(world.told("sn2"), [Epoch::new(1)], "the backup hears the report too");
    // The owner is dialed still, and again after it did not answer.
    let link = world.link_to("sn1");
    world.event(Event::Ended { link, refused: false });
    assert_eq!(world.dialed(), ["sn2"]);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.dialed(), ["sn2", "sn1"]);
    world.says("sn1", &state(1, &["sn1", "sn2"]));
    assert_eq!(world.dialed(), ["sn1"]);
}

#[test]
fn a_service_node_that_never_answers_is_not_waited_for() {
    let mut world = settled_on_sn1();
    let link = world.link_to("sn1");
    world.event(Event::Ended { link, refused: false });
    let silent = world.link_to("sn1");
    world.event(Event::Linked { link: silent, sn: "sn1".parse().unwrap() });
    world.pass(Duration::from_secs(8));
    assert!(!world.links.iter().any(|(id, _)| *id == silent), "{:?}", world.links);
}

#[test]
fn the_pool_is_tried_again_and_again() {
    let mut world = settled_on_sn1();
    for _ in 0..40 {
        for (link, _) in world.links.clone() {
            world.event(Event::Ended { link, refused: false });
        }
        world.pass(Duration::from_millis(500));
    }
    world.pass(Duration::from_secs(6));
    assert!(!world.links.is_empty());
}

#[test]
fn a_lasting_refusal_everywhere_makes_it_join_again_once() {
    let mut world = settled_on_sn1();
    let mut rejoins = 0;
    for _ in 0..30 {
        for (link, _) in world.links.clone() {
            world.event(Event::Ended { link, refused: true });
        }
        world.pass(Duration::from_secs(1));
        rejoins += usize::from(world.take(|action| *action == Action::Rejoin).is_some());
        assert!(rejoins == 0 || world.now >= Moment::START + REFUSAL_LIMIT);
    }
    assert_eq!(rejoins, 1);
    world.event(Event::Rejoined(true));
    assert!(!world.links.is_empty());
}

#[test]
fn the_state_of_another_node_is_not_obeyed() {
    let mut world = World::new(Kept::default());
    let mut foreign = state(1, &["sn1"]);
    foreign.node = "n2".parse().unwrap();
    world.first_contact(&foreign);
    assert_eq!(world.machine.epoch(), Epoch::ZERO);
    assert!(world.take(|action| matches!(action, Action::ForeignState(_))).is_some());
    assert!(world.take(|action| matches!(action, Action::Store(_))).is_none());
}

#[test]
fn a_report_made_while_nobody_is_there_is_told_later_also_after_a_restart() {
    let mut world = settled_on_sn1();
    world.says("sn1", &state(2, &["sn2"]));
    for (link, _) in world.links.clone() {
        world.event(Event::Ended { link, refused: false });
    }
    world.settle();
    let mut world = world.restart();
    world.says("sn2", &state(2, &["sn2"]));
    assert_eq!(world.told("sn2"), [Epoch::new(2)]);
}

#[test]
fn looking_again_at_a_node_that_is_well_tells_nothing() {
    let mut world = settled_on_sn1();
    world.pass(LOOK_AGAIN);
    assert!(world.apply(StepOutcome::Kept).is_some());
    assert_eq!(world.told("sn1").len(), 1);
    world.pass(LOOK_AGAIN);
    assert!(world.apply(bad()).is_some());
    assert_eq!(world.told("sn1").len(), 2, "what broke is told");
    world.pass(LOOK_AGAIN);
    assert!(world.apply(StepOutcome::Kept).is_some());
    assert_eq!(world.told("sn1").len(), 3, "that it is well again, too");
}

#[test]
fn scripts_run_when_their_list_changes_and_not_again() {
    let mut world = settled_on_sn1();
    let mut with_scripts = state(2, &["sn1"]);
    with_scripts.scripts = vec![script("a"), script("b")];
    world.says("sn1", &with_scripts);
    world.settle();
    let places = |action: Option<Action>| match action {
        Some(Action::RunScripts(_, places)) => places,
        _ => vec![],
    };
    let is_scripts = |action: &Action| matches!(action, Action::RunScripts(..));
    assert_eq!(places(world.take(is_scripts)), [0, 1]);
    let ran = StepOutcome::Ran { output: String::new() };
    world.event(Event::ScriptsRan(vec![receipt("script a", ran), receipt("script b", bad())]));
    assert_eq!(world.told("sn1").len(), 2);
    world.pass(LOOK_AGAIN);
    world.settle();
    assert!(world.take(is_scripts).is_none(), "a script that failed is not tried every minute");
    // After a restart only the one that failed runs again.
    let mut world = world.restart();
    world.settle();
    assert_eq!(places(world.take(is_scripts)), [1]);
    // The same scripts in a later epoch have run already.
    let ran = StepOutcome::Ran { output: String::new() };
    world.event(Event::ScriptsRan(vec![receipt("script b", ran)]));
    let mut later = with_scripts.clone();
    later.epoch = Epoch::new(3);
    world.says("sn1", &later);
    world.settle();
    assert!(world.take(is_scripts).is_none());
}

#[test]
fn a_run_is_done_once_and_answered_again() {
    let mut world = settled_on_sn1();
    let work = common::wire::work::Work { sync: vec![], scripts: vec![], settle: true, timeout_seconds: 1 };
    let run = Run { run: 9, nodes: vec!["n1".parse().unwrap()], work };
    let link = world.link_to("sn1");
    let ask = Event::Said { link, message: Box::new(ToAgent::Run(run)) };
    let is_work = |action: &Action| matches!(action, Action::Work(..));
    world.event(ask.clone());
    assert!(world.take(is_work).is_some());
    world.event(ask.clone());
    assert!(world.take(is_work).is_none());
    world.event(Event::Worked(9, vec![]));
    world.event(ask);
    assert!(world.take(is_work).is_none());
    let answers =
        world.sent.iter().filter(|(_, message)| matches!(message, FromAgent::RunAnswer { run: 9, .. }));
    assert_eq!(answers.count(), 2);
}

#[test]
fn a_run_that_a_restart_cut_off_is_not_begun_again() {
    let mut world = settled_on_sn1();
    let work = common::wire::work::Work { sync: vec![], scripts: vec![], settle: false, timeout_seconds: 1 };
    let run = Run { run: 9, nodes: vec!["n1".parse().unwrap()], work };
    let ask = |link| Event::Said { link, message: Box::new(ToAgent::Run(run.clone())) };
    let is_work = |action: &Action| matches!(action, Action::Work(..));
    world.event(ask(world.link_to("sn1")));
    assert!(world.take(is_work).is_some());
    let mut world = world.restart();
    world.first_contact(&state(1, &["sn1", "sn2"]));
    world.event(ask(world.link_to("sn1")));
    assert!(world.take(is_work).is_none());
    let lost = FromAgent::RunAnswer { run: 9, answer: common::wire::work::RunAnswer::Lost };
    assert_eq!(world.sent.last().unwrap().1, lost);
}

/// What may happen in the model below.
#[derive(Clone, Debug)]
enum Step {
    Answer { epoch: u64, owner: u8 },
    Cut,
    Refuse,
    Store,
    Apply,
    Restart,
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..6, 1u8..4).prop_map(|(epoch, owner)| Step::Answer { epoch, owner }),
        2 => Just(Step::Cut),
        1 => Just(Step::Refuse),
        3 => Just(Step::Store),
        3 => Just(Step::Apply),
        1 => Just(Step::Restart),
        4 => (0u16..9000).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn the_obeyed_epoch_never_falls_and_the_agent_never_gives_up(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(Kept::default());
        let mut applied = Epoch::ZERO;
        for step in steps {
            match step {
                Step::Answer { epoch, owner } => {
                    if let Some((link, name)) = world.links.last().cloned() {
                        let sn = name.unwrap_or_else(|| "sn1".parse().unwrap());
                        world.links.last_mut().unwrap().1 = Some(sn.clone());
                        world.event(Event::Linked { link, sn });
                        let owner = format!("sn{owner}");
                        let other = if owner == "sn1" { "sn2" } else { "sn1" };
                        let message = Box::new(ToAgent::Desired(state(epoch, &[&owner, other])));
                        world.event(Event::Said { link, message });
                    }
                }
                Step::Cut | Step::Refuse => {
                    let refused = matches!(step, Step::Refuse);
                    if let Some((link, _)) = world.links.first().cloned() {
                        world.event(Event::Ended { link, refused });
                    }
                }
                Step::Store => world.store(),
                Step::Apply => {
                    if let Some(state) = world.apply(StepOutcome::Changed) {
                        prop_assert!(state.epoch >= applied, "{} after {applied}", state.epoch);
                        applied = state.epoch;
                        let on_disk = world.disk.desired.as_ref().map(|desired| desired.epoch);
                        prop_assert!(on_disk >= Some(state.epoch), "applied what is not on disk");
                    }
                }
                Step::Restart => world = world.restart(),
                Step::Pass(millis) => world.pass(Duration::from_millis(millis.into())),
            }
            let distinct: BTreeSet<_> = world.links.iter().map(|(id, _)| id).collect();
            prop_assert_eq!(distinct.len(), world.links.len());
            prop_assert!(world.links.len() <= 8, "{:?}", world.links);
        }
        // Whatever happened, it turns to someone before long.
        for _ in 0..4 {
            world.pass(Duration::from_secs(10));
        }
        prop_assert!(!world.links.is_empty());
    }
}
