//! Moves under way on the management node. Stands for `mn/src/operate/snmove.rs` with its `silence.rs`
//! and `repoint.rs`: the steps are committed one by one, and what comes next is read from the store.
//!
//! Scripts of `-P` are left out, and whether an agent has followed is not asked: a wait for agents
//! only ever delays the end of a move.

use std::time::Duration;

use common::id::{Moment, NodeName, Revision, SnName};
use common::wire::push::PeerWord;
use mn_core::change::snmove::{self, Asked, Verdict};
use mn_core::command::Snmove;
use mn_core::draft::Change;
use mn_core::model::Model;
use mn_core::moves::{self, State};

use super::management::{Answer, Asker, Management, NotApplied, Planner, Store, Wait};
use super::net::{Crash, Event, Net, Party};
use super::schedule::Act;
use super::wire;

const APPLY: Duration = Duration::from_secs(60);
const RELEASE: Duration = Duration::from_secs(5);
const ASK: Duration = Duration::from_secs(3);
const SOON: Duration = Duration::from_millis(300);
const OTHERS: Duration = Duration::from_secs(8);

/// A move that was acknowledged to its operator.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub(crate) target: SnName,
    pub(crate) nodes: Vec<NodeName>,
    pub(crate) revision: Revision,
}

/// All moves: those of operators beside each other, those that a restart has found one after the
/// other.
#[derive(Default)]
pub(crate) struct Moves {
    running: Vec<Mover>,
    waiting: Vec<Mover>,
    next: u64,
    /// How operators' moves ended: those that succeeded.
    pub(crate) acknowledged: Vec<Moved>,
}

impl Moves {
    /// The moves that a stop has left in the middle.
    pub(crate) fn resume(model: &Model) -> Self {
        let mut moves = Self::default();
        for one in moves::all_under_way(model).into_iter().rev() {
            moves.next += 1;
            let stage = match one.state {
                State::Prepared => Stage::TakeBack,
                State::Released | State::Answering => Stage::IsBack { since: None },
            };
            moves.waiting.push(Mover::new(moves.next, Snmove::default(), Some(one.id), stage));
        }
        moves
    }

    /// Starts an operator's move.
    pub(crate) fn start(&mut self, arguments: Snmove) {
        self.next += 1;
        self.running.push(Mover::new(self.next, arguments, None, Stage::Plan));
    }

    pub(crate) fn movers(&mut self) -> impl Iterator<Item = &mut Mover> {
        if !self.running.iter().any(|mover| mover.is_resumed)
            && let Some(next) = self.waiting.pop()
        {
            self.running.push(next);
        }
        self.running.iter_mut()
    }

    /// The writer has done what a move asked for.
    pub(crate) fn written(&mut self, handle: u64, revision: Revision, answer: &Answer) {
        let Some(mover) = self.running.iter_mut().find(|mover| mover.handle == handle) else { return };
        mover.stage = match (answer, mover.ends) {
            (Answer::Refused, _) | (_, Some(false)) => Stage::Over,
            (_, Some(true)) => {
                self.acknowledged.push(Moved {
                    target: mover.target.clone(),
                    nodes: mover.nodes.clone(),
                    revision,
                });
                Stage::Over
            }
            (Answer::Begun(id), None) => {
                mover.id = Some(*id);
                Stage::Look
            }
            (Answer::Done, None) => Stage::Look,
        };
    }

    pub(crate) fn sweep(&mut self) {
        self.running.retain(|mover| !matches!(mover.stage, Stage::Over));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }
}

enum Stage {
    Plan,
    /// The writer has something of ours.
    Writing,
    /// Look at how far the move is.
    Look,
    Prepare(Wait),
    TargetIsTold(Wait),
    Owners {
        left: Vec<SnName>,
    },
    /// The last of these: by its own link, and a little later by the target.
    OwnerIsAsked {
        left: Vec<SnName>,
        own: Wait,
        said: Option<Result<(), NotApplied>>,
        peer: Peer,
    },
    Answers(Wait),
    /// After a restart: until the target is there, and the old owners are or are late.
    IsBack {
        since: Option<Moment>,
    },
    TakeBack,
    Over,
}

/// How far the target's question to an old owner is.
enum Peer {
    AskedAt(Moment),
    Asked(u64, Moment),
    Said(Option<PeerWord>),
}

/// One move.
pub(crate) struct Mover {
    handle: u64,
    id: Option<u64>,
    arguments: Snmove,
    is_resumed: bool,
    target: SnName,
    nodes: Vec<NodeName>,
    stage: Stage,
    /// The step that is being written is the last; `true` with success.
    ends: Option<bool>,
}

impl Mover {
    fn new(handle: u64, arguments: Snmove, id: Option<u64>, stage: Stage) -> Self {
        let is_resumed = id.is_some();
        let target = wire::sn(1);
        Self { handle, id, arguments, is_resumed, target, nodes: Vec::new(), stage, ends: None }
    }

    /// Goes on as far as it can.
    pub(crate) fn advance(&mut self, mn: &mut Management, net: &mut Net, store: &Store) -> Result<(), Crash> {
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Over);
            let (stage, goes_on) = self.turn(stage, mn, net, store);
            self.stage = stage;
            if !goes_on {
                return Ok(());
            }
            net.step(Party::Mn)?;
        }
    }

    /// One look: the stage afterwards, and whether it may go on at once.
    fn turn(&mut self, stage: Stage, mn: &mut Management, net: &mut Net, store: &Store) -> (Stage, bool) {
        match stage {
            Stage::Plan => (self.plan(mn, net, store), false),
            Stage::Look => (self.look(mn, net, store), true),
            Stage::TakeBack => (self.step(mn, net, snmove::abort, Some(false)), false),
            Stage::Prepare(mut wait) => match wait.poll(mn, net) {
                None => (Stage::Prepare(wait), false),
                Some(Ok(())) => (self.step(mn, net, snmove::release, None), false),
                Some(Err(why)) => self.taken_back(mn, net, why),
            },
            Stage::TargetIsTold(mut wait) => match wait.poll(mn, net) {
                None => (Stage::TargetIsTold(wait), false),
                Some(Ok(())) => (Stage::Owners { left: self.old_owners(&store.model) }, true),
                Some(Err(why)) => self.taken_back(mn, net, why),
            },
            Stage::Owners { left } => match left.last() {
                None => (self.step(mn, net, snmove::answer, None), false),
                Some(sn) => {
                    let own = Wait::new(net, sn, store.model.revision(), RELEASE);
                    let peer = Peer::AskedAt(net.now + SOON);
                    (Stage::OwnerIsAsked { left, own, said: None, peer }, true)
                }
            },
            Stage::OwnerIsAsked { left, own, said, peer } => {
                self.ask_both_ways(left, own, said, peer, mn, net)
            }
            Stage::Answers(mut wait) => match wait.poll(mn, net) {
                None => (Stage::Answers(wait), false),
                Some(_) => (self.step(mn, net, snmove::finish, Some(!self.is_resumed)), false),
            },
            Stage::IsBack { since: None } if mn.is_connected(&self.target_of(&store.model)) => {
                (Stage::IsBack { since: Some(net.now) }, false)
            }
            Stage::IsBack { since: Some(since) } if self.are_back(mn, net, store, since) => {
                (Stage::Look, true)
            }
            stage @ (Stage::IsBack { .. } | Stage::Writing | Stage::Over) => (stage, false),
        }
    }

    fn target_of(&self, model: &Model) -> SnName {
        let one = self.id.and_then(|id| moves::by_id(model, id));
        one.map_or_else(|| self.target.clone(), |one| one.target)
    }

    fn plan(&mut self, mn: &mut Management, net: &mut Net, store: &Store) -> Stage {
        let Ok(plans) = snmove::plan(&store.model, &self.arguments) else { return Stage::Over };
        let Some(plan) = plans.into_iter().find(|plan| !plan.nodes.is_empty()) else { return Stage::Over };
        if !mn.is_connected(&plan.target) {
            return Stage::Over;
        }
        self.target = plan.target;
        let (target, arguments) = (self.target.clone(), self.arguments.clone());
        let begin: Planner = Box::new(move |model| {
            let plans = snmove::plan(model, &arguments).unwrap_or_default();
            match plans.into_iter().find(|plan| plan.target == target && !plan.nodes.is_empty()) {
                Some(plan) => {
                    let (id, change) = snmove::begin(model, &plan, "root", "now");
                    (Some(change), Answer::Begun(id))
                }
                None => (None, Answer::Refused),
            }
        });
        mn.ask_writer(net, Asker::Mover(self.handle), begin);
        Stage::Writing
    }

    fn look(&mut self, mn: &mut Management, net: &mut Net, store: &Store) -> Stage {
        let Some(one) = self.id.and_then(|id| moves::by_id(&store.model, id)) else { return Stage::Over };
        self.target = one.target.clone();
        self.nodes = moves::nodes_of(&store.model, one.id);
        let revision = store.model.revision();
        net.tell(|| format!("move {} to {}: {:?}", one.id, one.target, one.state));
        let wait = Wait::new(net, &one.target, revision, APPLY);
        if mn.mutant == Some(super::Mutant::Impatient) && one.state == State::Released {
            return self.step(mn, net, snmove::answer, None);
        }
        match one.state {
            State::Prepared => Stage::Prepare(wait),
            State::Released => Stage::TargetIsTold(wait),
            State::Answering => Stage::Answers(wait),
        }
    }

    fn step(
        &mut self,
        mn: &mut Management,
        net: &mut Net,
        make: fn(&Model, u64) -> Change,
        ends: Option<bool>,
    ) -> Stage {
        self.ends = ends;
        let id = self.id.expect("only a move that has begun has steps");
        let plan: Planner = Box::new(move |model| (Some(make(model, id)), Answer::Done));
        mn.ask_writer(net, Asker::Mover(self.handle), plan);
        Stage::Writing
    }

    fn taken_back(&mut self, mn: &mut Management, net: &mut Net, why: NotApplied) -> (Stage, bool) {
        let target = self.target.clone();
        net.tell(|| format!("{target} is not prepared: {why:?}"));
        (self.step(mn, net, snmove::abort, Some(false)), false)
    }

    fn old_owners(&self, model: &Model) -> Vec<SnName> {
        let owner = |node: &NodeName| mn_core::node::pool_of(model, node).into_iter().next();
        let mut owners: Vec<SnName> =
            self.nodes.iter().filter_map(owner).filter(|sn| *sn != self.target).collect();
        owners.sort();
        owners.dedup();
        owners
    }

    /// Whether the old owners are connected after a restart, or have had the time.
    fn are_back(&mut self, mn: &Management, net: &Net, store: &Store, since: Moment) -> bool {
        let id = self.id.unwrap_or_default();
        self.target = self.target_of(&store.model);
        self.nodes = moves::nodes_of(&store.model, id);
        net.now.since(since) >= OTHERS || self.old_owners(&store.model).iter().all(|sn| mn.is_connected(sn))
    }

    fn ask_both_ways(
        &mut self,
        mut left: Vec<SnName>,
        mut own: Wait,
        said: Option<Result<(), NotApplied>>,
        peer: Peer,
        mn: &mut Management,
        net: &mut Net,
    ) -> (Stage, bool) {
        let Some(sn) = left.last().cloned() else { return (Stage::Owners { left }, true) };
        let said = said.or_else(|| own.poll(mn, net));
        let peer = match peer {
            Peer::AskedAt(at) if net.now >= at => match mn.ask_peer(net, &self.target, &sn) {
                Some(ask) => Peer::Asked(ask, net.now + ASK),
                None => Peer::Said(None),
            },
            Peer::Asked(ask, until) => match mn.answers.remove(&ask) {
                None if net.now < until && mn.is_open(ask) => Peer::Asked(ask, until),
                word => Peer::Said(word),
            },
            peer => peer,
        };
        match (said, peer) {
            (Some(Ok(())), _) | (_, Peer::Said(Some(PeerWord::Heard))) => {
                left.pop();
                (Stage::Owners { left }, true)
            }
            (Some(Err(_)), Peer::Said(word)) => self.judge(left, word, mn, net),
            (said, peer) => (Stage::OwnerIsAsked { left, own, said, peer }, false),
        }
    }

    fn judge(
        &mut self,
        mut left: Vec<SnName>,
        word: Option<PeerWord>,
        mn: &mut Management,
        net: &mut Net,
    ) -> (Stage, bool) {
        let Some(sn) = left.pop() else { return (Stage::Owners { left }, true) };
        let asked =
            Asked { word, is_connected: mn.is_connected(&sn), is_vouched: self.arguments.force_fence };
        let verdict = snmove::verdict(&asked);
        net.tell(|| format!("old owner {sn}: {verdict:?} after {asked:?}"));
        match verdict {
            Verdict::Silent => (Stage::Owners { left }, true),
            Verdict::Off | Verdict::Fenced => {
                let by_operator = verdict == Verdict::Fenced;
                let target = self.target.clone();
                let act = Act::Fence { sn: wire::number(sn.as_str()), target, by_operator };
                net.after(Duration::ZERO, Event::Act(act));
                (Stage::Owners { left }, true)
            }
            Verdict::MayAnswer => (self.step(mn, net, snmove::abort, Some(false)), false),
        }
    }
}
