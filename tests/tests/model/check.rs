//! The invariants of the design (its §1), looked at after every event.
//!
//! | invariant | here |
//! |---|---|
//! | 1, one owner | no node's request is answered by two; when all is well, by its owner alone |
//! | 2, acknowledged is durable | what an operator was told is in the journal, as it was told |
//! | 3, generations never go back | on every disk and in every memory; a number means one digest |
//! | 4, all or nothing | a slice on disk has its stamp's digest, and was given out; refusals change nothing |
//! | 5, a rack lives alone | who owns a node by its slice and was told of no other, answers |
//! | 6, desired state | once all heals, everyone holds what a derivation from nothing says |
//!
//! **What is left out**: a service node that starts where neither the management node nor all of its
//! pool can be reached serves what is on its disk, which may be what it has lost meanwhile
//! ([`ServiceNode::lonely`](super::service_node::ServiceNode)). A rack cannot both live alone and wait. And one that is alive, cut off
//! from the management node and from the target of a move, is switched off by the world outside
//! (`World::fence`); one that is reached by either gets no such help.

use std::collections::BTreeMap;

use common::id::{Digest, Epoch, Generation, NodeName, SnName};
use common::slice::Role;
use mn_core::table::{Row, schema};
use mn_core::{derive, node};

use super::management::FACTS;
use super::net::{Party, Side};
use super::wire;
use super::world::World;

/// What a service node looked like: whether its answers reach the rack, and the version of what it
/// serves.
type Look = (bool, u32, u64);

/// What was seen so far, to compare with.
#[derive(Default)]
pub(crate) struct Checker {
    looks: BTreeMap<u8, Look>,
    numbers: BTreeMap<(SnName, Generation), Digest>,
    generations: BTreeMap<u8, Generation>,
    epochs: BTreeMap<(Party, NodeName), Epoch>,
    journal: usize,
    commands: usize,
    moves: usize,
    requests: BTreeMap<u8, Vec<u8>>,
}

impl Checker {
    /// Everything that must hold at all times.
    pub(crate) fn after_each(&mut self, world: &mut World) -> Result<(), String> {
        self.store(world)?;
        let looks: BTreeMap<u8, Look> = world
            .sns
            .iter()
            .map(|(number, sn)| {
                let hears = world.net.is_whole(*number, Side::Rack);
                (*number, (hears, world.net.life(Party::Sn(*number)), sn.keeper.version))
            })
            .collect();
        if looks != self.looks {
            self.disks(world)?;
            self.owners(world)?;
            self.looks = looks;
        }
        self.agents(world)
    }

    /// Invariants 2 and 3 for the management node.
    fn store(&mut self, world: &World) -> Result<(), String> {
        let store = &world.store;
        for told in &world.commands[self.commands..] {
            let kept = store.journal.iter().find(|(revision, _)| *revision == told.revision);
            if kept.is_none_or(|(_, edits)| *edits != told.edits) {
                return Err(format!("revision {} was acknowledged and is not in the store", told.revision));
            }
        }
        // What was told before the last event of the management node has to be there after it.
        self.commands = world.commands.len();
        for moved in &world.moves[self.moves..] {
            for node in &moved.nodes {
                let owner = node::pool_of(&store.model, node).into_iter().next();
                if owner.as_ref() != Some(&moved.target) && store.model.revision() == moved.revision {
                    return Err(format!("{node} was moved to {}, and is {owner:?}'s", moved.target));
                }
            }
        }
        self.moves = world.moves.len();
        if store.journal.len() == self.journal {
            return Ok(());
        }
        // A move that is taken back leaves the definitions as they were, as does all but its answer.
        for (revision, edits) in &store.journal[self.journal..] {
            let pool =
                |row: &Option<Row>| row.as_ref().and_then(|row| row.cell("servicenode").map(str::to_owned));
            let moved = edits.iter().any(|edit| {
                edit.table == schema::NODERES
                    && edit.before.is_some()
                    && pool(&edit.before) != pool(&edit.after)
            });
            if moved && !edits.iter().any(|edit| edit.table == schema::MOVE) {
                return Err(format!("revision {revision} changes an owner without a move"));
            }
        }
        self.journal = store.journal.len();
        for (key, row) in store.model.tables().rows(schema::OWNERSHIP) {
            let epoch = row.cell("epoch").and_then(|text| text.parse().ok()).unwrap_or(1);
            let name = key.as_str().parse().expect("a node");
            self.epoch(Party::Mn, name, Epoch::new(epoch))?;
        }
        Ok(())
    }

    fn epoch(&mut self, party: Party, node: NodeName, epoch: Epoch) -> Result<(), String> {
        let last = self.epochs.entry((party, node.clone())).or_default();
        if epoch < *last {
            return Err(format!("{party:?}: the epoch of {node} falls from {last} to {epoch}"));
        }
        *last = epoch;
        Ok(())
    }

    /// Invariants 3 and 4 for the service nodes.
    fn disks(&mut self, world: &World) -> Result<(), String> {
        for stamp in world.store.numbers.values() {
            self.number(stamp.sn.clone(), stamp.generation, stamp.digest)?;
        }
        for (number, disk) in &world.disks {
            let Some(held) = &disk.held else { continue };
            if held.slice.digest() != held.stamp.digest {
                return Err(format!("the slice on the disk of sn{number} is not its stamp's"));
            }
            let stamp = &held.stamp;
            self.number(stamp.sn.clone(), stamp.generation, stamp.digest)?;
            let last = self.generations.entry(*number).or_default();
            if stamp.generation < *last {
                return Err(format!("sn{number} goes back from {last} to {}", stamp.generation));
            }
            *last = stamp.generation;
            for node in held.slice.nodes() {
                self.epoch(Party::Sn(*number), node.name.clone(), node.epoch)?;
            }
        }
        for (number, sn) in &world.sns {
            let served = sn.keeper.stamp.as_ref();
            let kept = world.disks.get(number).and_then(|disk| disk.held.as_ref()).map(|held| &held.stamp);
            if served != kept {
                return Err(format!("sn{number} serves {served:?}, and has {kept:?} on disk"));
            }
        }
        Ok(())
    }

    fn number(&mut self, sn: SnName, generation: Generation, digest: Digest) -> Result<(), String> {
        let known = self.numbers.entry((sn.clone(), generation)).or_insert(digest);
        if *known == digest {
            return Ok(());
        }
        Err(format!("generation {generation} of {sn} means two slices"))
    }

    /// Invariants 1 and 5: every compute node asks the rack for an address.
    fn owners(&mut self, world: &mut World) -> Result<(), String> {
        for number in 1..=world.size.nodes {
            let request = self.requests.entry(number).or_insert_with(|| wire::discover(number));
            let node = wire::node(number);
            let mut answered = Vec::new();
            for (sn, one) in &mut world.sns {
                let answers = one.keeper.answers(request);
                let owned = one.keeper.node(&node).filter(|node| node.role == Role::Owner);
                let owns = owned.is_some_and(|node| !one.keeper.is_silenced(node)) && !one.keeper.hushed;
                if owns && !answers {
                    return Err(format!("sn{sn} owns {node} and does not answer it"));
                }
                let epoch = one.keeper.node(&node).map_or(Epoch::ZERO, |node| node.epoch);
                let heard = world.disks.get(sn).and_then(|disk| disk.heard.get(&node));
                if answers && heard.is_some_and(|heard| heard.epoch > epoch) {
                    return Err(format!("sn{sn} answers {node}, and has confirmed {heard:?}"));
                }
                if answers && world.net.is_whole(*sn, Side::Rack) {
                    answered.push((*sn, one.lonely));
                }
            }
            if answered.len() > 1 && !answered.iter().any(|(_, lonely)| *lonely) {
                return Err(format!("{node} is answered by {answered:?}"));
            }
        }
        Ok(())
    }

    /// Invariant 3 for the agents.
    ///
    /// What an agent knows and has not on disk yet it may forget in a crash: it does nothing about it
    /// before.
    fn agents(&mut self, world: &World) -> Result<(), String> {
        for (number, kept) in &world.kept {
            let Some(desired) = &kept.desired else { continue };
            let node = wire::node(*number);
            if let Some(agent) = world.agents.get(number).filter(|agent| agent.epoch() < desired.epoch) {
                return Err(format!("{node} obeys {}, and has {} on disk", agent.epoch(), desired.epoch));
            }
            self.epoch(Party::Agent(*number), node, desired.epoch)?;
        }
        Ok(())
    }

    /// Invariant 1 and 6 once nothing befalls the cluster any more.
    pub(crate) fn is_settled(world: &World) -> Result<(), String> {
        let model = &world.store.model;
        if world.mn.as_ref().is_none_or(|mn| !mn.moves.is_empty()) {
            return Err("a move is under way".to_owned());
        }
        for number in 1..=world.size.service_nodes {
            let sn = world.sns.get(&number).ok_or_else(|| format!("sn{number} is down"))?;
            let want = derive::slice(model, &wire::sn(number), &FACTS);
            if want.digest() != sn.keeper.slice.digest() {
                return Err(format!("sn{number} does not hold what it shall"));
            }
            if sn.keeper.claimed.digest() != want.digest() || sn.keeper.hushed {
                return Err(format!("sn{number} is silent for what it owns"));
            }
        }
        for number in 1..=world.size.nodes {
            let node = wire::node(number);
            let owner = node::pool_of(model, &node).into_iter().next().expect("a pool");
            let slice = &world.sns[&wire::number(owner.as_str())].keeper.slice;
            let entry = slice.nodes().find(|one| one.name == node).ok_or("the owner lacks its node")?;
            if entry.role != Role::Owner {
                return Err(format!("{node} is not answered by {owner}"));
            }
            let want = sn_proto::agent::desired(slice, entry).digest();
            let settled = world.kept.get(&number).and_then(|kept| kept.outbox.settled.as_ref());
            match settled {
                Some(settled) if settled.digest == want && settled.owner == owner => {}
                other => return Err(format!("the agent of {node} has settled on {other:?}, not {owner}")),
            }
        }
        Ok(())
    }
}

/// Who answers each node on the rack now.
pub(crate) fn answered_by(world: &mut World) -> BTreeMap<u8, Vec<u8>> {
    let mut all = BTreeMap::new();
    for number in 1..=world.size.nodes {
        let request = wire::discover(number);
        let whole = |sn: &u8| world.net.is_whole(*sn, Side::Rack);
        let sns = world.sns.iter_mut().filter(|(sn, _)| whole(sn));
        let who = sns.filter_map(|(sn, one)| one.keeper.answers(&request).then_some(*sn));
        all.insert(number, who.collect());
    }
    all
}

/// The owner of each node, as the definitions say.
pub(crate) fn owners(world: &World) -> BTreeMap<u8, Vec<u8>> {
    let owner = |number: u8| {
        let pool = node::pool_of(&world.store.model, &wire::node(number));
        pool.first().map(|sn| wire::number(sn.as_str())).into_iter().collect()
    };
    (1..=world.size.nodes).map(|number| (number, owner(number))).collect()
}
