//! Which service node the agent is connected with: the owner where it answers, else the next of
//! the pool that does, with an eye on the owner.
//!
//! Attempts are staggered, so that a dead owner costs half a second and not a time-out. A link
//! counts only once it has answered: only then is another one given up for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use common::id::{Moment, SnName};
use common::wire::agent::FromAgent;
use runtime::backoff::Backoff;

use super::{Action, LinkId};

/// How long an attempt is alone before the next member is tried beside it.
const STAGGER: Duration = Duration::from_millis(500);

/// How long a service node may take to answer, the handshake included.
const ANSWER_LIMIT: Duration = Duration::from_secs(8);

/// The most members of a pool that are tried. Longer pools are cut off here.
const MOST_TARGETS: usize = 16;

/// A service node to turn to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name; none when only an address is known yet, from a token.
    pub sn: Option<SnName>,
    /// Where it listens for agents.
    pub address: SocketAddr,
}

#[derive(Debug)]
struct Attempt {
    target: Target,
    since: Moment,
}

/// The links of an agent.
#[derive(Debug)]
pub(super) struct Links {
    targets: Vec<Target>,
    attempts: BTreeMap<LinkId, Attempt>,
    followed: Option<LinkId>,
    last_id: LinkId,
    /// The next of `targets` in this round.
    cursor: usize,
    /// When the next of a round may start beside the ones under way.
    next_start: Moment,
    /// When the next round may start.
    next_round: Moment,
    /// When the owner may be tried again while another is followed.
    next_owner: Moment,
    rounds: Backoff,
    owner: Backoff,
    wake: Option<Moment>,
}

impl Links {
    pub(super) fn new(seeds: Vec<SocketAddr>, seed: u64) -> Self {
        let targets = seeds.into_iter().take(MOST_TARGETS).map(|address| Target { sn: None, address });
        Self {
            targets: targets.collect(),
            attempts: BTreeMap::new(),
            followed: None,
            last_id: 0,
            cursor: 0,
            next_start: Moment::START,
            next_round: Moment::START,
            next_owner: Moment::START,
            rounds: Backoff::new(Duration::from_millis(200), Duration::from_secs(5), seed),
            owner: Backoff::new(Duration::from_secs(1), Duration::from_secs(10), seed.wrapping_add(1)),
            wake: None,
        }
    }

    /// The link that is followed: it has answered.
    pub(super) fn followed(&self) -> Option<LinkId> {
        self.followed
    }

    /// When [`Self::steer`] wants to be called again.
    pub(super) fn wake(&self) -> Option<Moment> {
        self.wake
    }

    /// These are the service nodes to turn to from now on, best first. An empty list changes nothing:
    /// whoever sent it is still better than nobody.
    pub(super) fn aim(&mut self, targets: Vec<Target>) {
        if targets.is_empty() || targets == self.targets {
            return;
        }
        self.targets = targets;
        self.targets.truncate(MOST_TARGETS);
        self.hurry();
    }

    /// Tries all at once again.
    pub(super) fn hurry(&mut self) {
        self.cursor = 0;
        self.rounds.reset();
        self.owner.reset();
        (self.next_round, self.next_owner) = (Moment::START, Moment::START);
    }

    pub(super) fn linked(&mut self, link: LinkId, sn: SnName) {
        if let Some(attempt) = self.attempts.get_mut(&link) {
            attempt.target.sn = Some(sn);
        }
    }

    /// An attempt or a link is over; says whether it was the one that was followed.
    pub(super) fn ended(&mut self, now: Moment, link: LinkId) -> bool {
        if self.rank_of(link) == Some(0) {
            self.next_owner = now + self.owner.next();
        }
        self.attempts.remove(&link);
        // A failed attempt makes room for the next at once.
        self.next_start = now;
        let followed = self.followed == Some(link);
        if followed {
            self.followed = None;
            self.hurry();
        }
        followed
    }

    /// The caller closes this link; says whether it was the one that was followed.
    pub(super) fn drop_link(&mut self, link: LinkId) -> bool {
        self.attempts.remove(&link);
        let followed = self.followed == Some(link);
        if followed {
            // Not `hurry`: it answered, and nonsense; the next round waits its turn.
            self.followed = None;
        }
        followed
    }

    /// A link has answered; says whether it is followed from now on, and was not before.
    pub(super) fn answered(&mut self, link: LinkId, actions: &mut Vec<Action>) -> bool {
        let Some(rank) = self.rank_of(link) else { return false };
        match self.followed {
            Some(followed) if followed == link => return false,
            Some(followed) if self.rank_of(followed).is_some_and(|of_followed| of_followed <= rank) => {
                self.attempts.remove(&link);
                actions.push(Action::Close(link));
                return false;
            }
            Some(followed) => {
                self.attempts.remove(&followed);
                actions.extend([Action::Follow(link), Action::Close(followed)]);
            }
            None => actions.push(Action::Follow(link)),
        }
        self.followed = Some(link);
        self.rounds.reset();
        true
    }

    /// How good a link is: its place among the targets; the worst for one that is none any more.
    fn rank_of(&self, link: LinkId) -> Option<usize> {
        let target = &self.attempts.get(&link)?.target;
        let same = |other: &Target| match (&target.sn, &other.sn) {
            (Some(one), Some(two)) => one == two,
            _ => target.address == other.address,
        };
        Some(self.targets.iter().position(same).unwrap_or(usize::MAX))
    }

    /// Starts and ends attempts so that the best service node that answers is followed.
    pub(super) fn steer(&mut self, now: Moment, hello: &FromAgent, actions: &mut Vec<Action>) {
        self.end_the_silent(now, actions);
        self.wake = self.unanswered().map(|(_, attempt)| attempt.since + ANSWER_LIMIT).min();
        match self.followed.and_then(|link| self.rank_of(link)) {
            Some(rank) => self.steer_to_owner(now, rank, hello, actions),
            None => self.steer_to_anyone(now, hello, actions),
        }
    }

    fn unanswered(&self) -> impl Iterator<Item = (LinkId, &Attempt)> {
        self.attempts.iter().map(|(id, attempt)| (*id, attempt)).filter(|(id, _)| Some(*id) != self.followed)
    }

    fn end_the_silent(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let silent =
            |(id, attempt): (LinkId, &Attempt)| (now.since(attempt.since) >= ANSWER_LIMIT).then_some(id);
        let ids: Vec<_> = self.unanswered().filter_map(silent).collect();
        for id in ids {
            self.attempts.remove(&id);
            self.next_start = now;
            actions.push(Action::Close(id));
        }
    }

    fn steer_to_owner(&mut self, now: Moment, rank: usize, hello: &FromAgent, actions: &mut Vec<Action>) {
        let worse = self.unanswered().filter(|(id, _)| self.rank_of(*id).is_none_or(|other| other >= rank));
        let ids: Vec<_> = worse.map(|(id, _)| id).collect();
        for id in ids {
            self.attempts.remove(&id);
            actions.push(Action::Close(id));
        }
        let tried = self.unanswered().any(|(id, _)| self.rank_of(id) == Some(0));
        if rank == 0 || tried {
            return;
        }
        if now >= self.next_owner {
            self.next_owner = now + self.owner.next();
            self.start(now, 0, hello, actions);
        } else {
            self.wake_by(self.next_owner);
        }
    }

    fn steer_to_anyone(&mut self, now: Moment, hello: &FromAgent, actions: &mut Vec<Action>) {
        let all_tried = self.cursor >= self.targets.len();
        if all_tried && self.attempts.is_empty() {
            if now < self.next_round {
                return self.wake_by(self.next_round);
            }
            self.cursor = 0;
        }
        while self.cursor < self.targets.len() {
            if !self.attempts.is_empty() && now < self.next_start {
                return self.wake_by(self.next_start);
            }
            let target = self.cursor;
            self.cursor += 1;
            if target == 0 {
                self.next_round = now + self.rounds.next();
            }
            if self.unanswered().any(|(id, _)| self.rank_of(id) == Some(target)) {
                continue;
            }
            self.start(now, target, hello, actions);
            self.next_start = now + STAGGER;
        }
    }

    fn start(&mut self, now: Moment, target: usize, hello: &FromAgent, actions: &mut Vec<Action>) {
        let Some(target) = self.targets.get(target).cloned() else { return };
        self.last_id += 1;
        let link = self.last_id;
        actions.push(Action::Dial { link, target: target.clone(), hello: hello.clone() });
        self.attempts.insert(link, Attempt { target, since: now });
        self.wake_by(now + ANSWER_LIMIT);
    }

    fn wake_by(&mut self, at: Moment) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }
}
