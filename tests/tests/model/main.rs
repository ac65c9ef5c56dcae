//! A model of a whole cluster: one management node, service nodes and agents, over a network that
//! delays, reorders and cuts, with crashes at every step. The invariants of the design are looked at
//! after each event.
//!
//! What decides is the real code: `mn_core` (changes, moves, derivation, delivery), `sn_proto` (inbox,
//! pool, DHCP, what agents are told) and `node_agent::core`. What the daemons' shells do between them
//! is mirrored thinly; each file says for which shell it stands:
//!
//! | file | what |
//! |---|---|
//! | [`net`] | the network, the clock, the dice; where a party may crash |
//! | [`keeper`], [`service_node`] | `sn` |
//! | [`management`], [`mover`] | `mn` |
//! | [`agent`] | `node-agent` |
//! | [`schedule`] | faults and commands |
//! | [`world`] | one event after the other |
//! | [`check`] | the invariants, and what is left out |
//!
//! Time is virtual and all chance comes from a seed, so that a failure is replayed by its number:
//! `DROVER_MODEL_SEED=17 cargo test -p tests --test model first` prints the story of that run.
//!
//! A test of invariants must be able to fail: each [`Mutant`] breaks one thing that keeps two owners
//! apart or a promise kept, and has to be caught.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, clippy::panic, reason = "a simulator's own mistakes are failures of its test")]

mod agent;
mod check;
mod keeper;
mod management;
mod mover;
mod net;
mod schedule;
mod service_node;
mod wire;
mod world;

use std::time::Duration;

use self::net::{CrashAt, Party};
use self::schedule::{Move, Size};
use self::world::World;

/// Something that a cluster does wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A service node goes on answering for what it was released of.
    IgnoresRelease,
    /// A service node answers for what it only holds for a move.
    AnswersWhenHeld,
    /// A service node does not obey its pool.
    Deaf,
    /// A service node forgets at a restart what its pool has told.
    Forgets,
    /// A service node does not ask its pool before it answers.
    Hasty,
    /// The management node lets the target answer without a look at the old owner.
    Impatient,
    /// The management node answers an operator before the change is on disk.
    AnswersBeforeCommit,
}

const SIZE: Size = Size { service_nodes: 3, nodes: 4 };

/// How many random schedules are played.
const SCHEDULES: u64 = 300;

/// How many acts befall one cluster.
const ACTS: u64 = 40;

/// One random schedule, then everything heals, then the rack lives alone.
fn play(seed: u64, mutant: Option<Mutant>) -> Result<World, (String, Box<World>)> {
    let mut world = World::new(seed, SIZE, mutant);
    let schedule = schedule::random(&mut world.net.dice, SIZE, ACTS);
    world.plan(schedule);
    match play_out(&mut world) {
        Ok(()) => Ok(world),
        Err(why) => Err((why, Box::new(world))),
    }
}

fn play_out(world: &mut World) -> Result<(), String> {
    world.run(Duration::from_millis(4000 + 500 * ACTS))?;
    world.heal()?;
    live_alone(world)
}

/// With the management node dead and every service node restarted, each node is answered by its
/// owner.
fn live_alone(world: &mut World) -> Result<(), String> {
    world.restarts = false;
    world.crash(Party::Mn, Duration::ZERO);
    world.restarts = true;
    for sn in 1..=world.size.service_nodes {
        let back = world.net.dice.between(Duration::ZERO, Duration::from_secs(2));
        world.crash(Party::Sn(sn), back);
    }
    world.run(Duration::from_secs(10))?;
    let (answered, owners) = (check::answered_by(world), check::owners(world));
    if answered == owners {
        return Ok(());
    }
    Err(format!("alone, nodes are answered by {answered:?}, and owned by {owners:?}"))
}

fn story(world: &World) -> String {
    world.net.story.iter().cloned().collect::<Vec<_>>().join("\n")
}

/// Plays these seeds, or the one that the environment names; gives how many moves were acknowledged.
fn play_all(seeds: std::ops::Range<u64>) -> usize {
    let only = std::env::var("DROVER_MODEL_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds = only.map_or(seeds, |seed| seed..seed + 1);
    let play_one = |seed| match play(seed, None) {
        Ok(world) => world.moves.len(),
        Err((why, world)) => panic!("DROVER_MODEL_SEED={seed}: {why}\n{}", story(&world)),
    };
    let moves = seeds.map(play_one).sum();
    assert!(only.is_some() || moves > 100, "{moves} moves were acknowledged");
    moves
}

// Three tests, so that they run beside each other.

#[test]
fn invariants_hold_in_the_first_schedules() {
    play_all(0..SCHEDULES / 3);
}

#[test]
fn invariants_hold_in_the_second_schedules() {
    play_all(SCHEDULES / 3..SCHEDULES * 2 / 3);
}

#[test]
fn invariants_hold_in_the_third_schedules() {
    play_all(SCHEDULES * 2 / 3..SCHEDULES);
}

/// A calm cluster, one move of everything that sn1 owns, and a crash at one place.
fn one_move(crash_at: Option<CrashAt>) -> Result<World, String> {
    let size = Size { service_nodes: 2, nodes: 2 };
    let mut world = World::new(1, size, None);
    world.settle(Duration::from_secs(30))?;
    world.net.steps.clear();
    world.net.crash_at = crash_at;
    world.snmove(Move::From(1, 2));
    world
        .run(Duration::from_secs(12))
        .and_then(|()| world.heal())
        .map_err(|why| format!("{crash_at:?}: {why}\n{}", story(&world)))?;
    Ok(world)
}

#[test]
fn a_move_survives_a_crash_of_anyone_after_each_step() {
    let calm = one_move(None).unwrap();
    assert_eq!(calm.moves.len(), 1, "the move was acknowledged");
    let steps = calm.net.steps;
    let mut crashes = 0;
    for (party, count) in steps {
        // Later steps are of the time after the move.
        for step in 1..=count.min(120) {
            if let Err(why) = one_move(Some(CrashAt { party, step })) {
                panic!("{why}");
            }
            crashes += 1;
        }
    }
    assert!(crashes > 100, "{crashes} crashes were tried");
}

#[test]
fn the_invariants_catch_what_is_wrong() {
    use Mutant::{AnswersBeforeCommit, AnswersWhenHeld, Deaf, Forgets, Hasty, IgnoresRelease, Impatient};
    for mutant in [IgnoresRelease, AnswersWhenHeld, Deaf, Forgets, Hasty, Impatient, AnswersBeforeCommit] {
        let caught = (0..SCHEDULES).find(|seed| play(*seed, Some(mutant)).is_err());
        assert!(caught.is_some(), "{mutant:?} goes unnoticed");
    }
}
