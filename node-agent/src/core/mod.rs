//! What the agent decides: events in, actions out. Holds no socket, file or clock; they arrive as
//! arguments.
//!
//! Call [`Machine::handle`] with [`Event::Start`] once, then with what happens, and carry out the
//! actions in order; the last is always [`Action::WakeAt`].
//!
//! **Invariants**: the epoch that is obeyed never falls, across restarts too, because a desired
//! state is on disk before anything is done about it; at most one desired state is being applied
//! and one list of scripts runs at a time; a report is kept on disk until a newer one takes its
//! place, and is told to every service node that becomes the one we follow; a run is begun once,
//! across restarts too where that could be written down, however often it is asked for.

mod lane;
mod links;
mod report;

use std::net::SocketAddr;
use std::time::Duration;

use common::id::{Digest, Epoch, Moment, NodeName, SnName};
use common::wire::PROTOCOL;
use common::wire::agent::{Desired, FromAgent, ToAgent};
use common::wire::work::{Receipt, Run, StepOutcome};

use self::lane::Lane;
pub use self::lane::MOST_REMEMBERED;
use self::links::Links;
pub use self::links::Target;
pub use self::report::{Outbox, Scripts, Settled};

/// Names one attempt to reach a service node, and the link that comes of it.
pub type LinkId = u64;

/// How long after a settle the node is looked at again: a DHCP client or a person may have changed
/// it back.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The same after a step failed.
const LOOK_AGAIN_AFTER_FAILURE: Duration = Duration::from_secs(15);

/// How long a service node's refusal must last before the agent joins anew. Right after a join the
/// service nodes have not all heard of the new key.
const REFUSAL_LIMIT: Duration = Duration::from_secs(5);

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The program has started.
    Start,
    /// A dialed service node is there, and says who it is. It has not answered yet.
    Linked {
        /// Which attempt.
        link: LinkId,
        /// Who.
        sn: SnName,
    },
    /// An attempt failed, or its link has ended.
    Ended {
        /// Which.
        link: LinkId,
        /// Whether the other side refused who we are.
        refused: bool,
    },
    /// A service node says something.
    Said {
        /// On which link.
        link: LinkId,
        /// What.
        message: Box<ToAgent>,
    },
    /// A desired state is on disk.
    Stored(Digest),
    /// A desired state could not be written to disk, and why.
    NotStored(Digest, String),
    /// [`Action::Apply`] is done.
    Applied(Digest, Vec<Receipt>),
    /// [`Action::RunScripts`] is done, one receipt for each script that was to run.
    ScriptsRan(Vec<Receipt>),
    /// [`Action::Work`] is done.
    Worked(u64, Vec<Receipt>),
    /// [`Action::Rejoin`] is done; `true` with a new identity.
    Rejoined(bool),
    /// The time that [`Action::WakeAt`] named has come.
    Wake,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect, and say `hello` as the first message.
    Dial {
        /// The name of this attempt.
        link: LinkId,
        /// With whom.
        target: Target,
        /// The first message.
        hello: FromAgent,
    },
    /// Send a message.
    Send(LinkId, FromAgent),
    /// End an attempt or a link, once what was sent is delivered.
    Close(LinkId),
    /// This link is the one that is followed now: files are fetched through it.
    Follow(LinkId),
    /// Nobody is followed now.
    FollowNobody,
    /// Write this to disk durably, then say [`Event::Stored`] or [`Event::NotStored`].
    Store(Box<Desired>),
    /// Write this to disk durably; there is nothing to wait for.
    Keep(Box<Outbox>),
    /// Bring the node to this state, scripts excepted.
    Apply(Box<Desired>),
    /// Run these of the scripts of this state, by their places in its list.
    RunScripts(Box<Desired>, Vec<usize>),
    /// Do this work, in the light of this state. That it begins is to be on disk first, for
    /// [`Kept::begun`], where the disk takes anything.
    Work(Box<Run>, Option<Box<Desired>>),
    /// Join again with the token that was given to the program.
    Rejoin,
    /// For the log: a state was ignored because a higher epoch is known.
    Ignored {
        /// Its epoch.
        epoch: Epoch,
        /// The one that is obeyed.
        obeyed: Epoch,
    },
    /// For the log: someone sent the state of another node.
    ForeignState(NodeName),
    /// Come back at this time if nothing happens before.
    WakeAt(Moment),
}

/// What the agent has on disk when it starts.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The last desired state.
    pub desired: Option<Box<Desired>>,
    /// The last report and how far the scripts are.
    pub outbox: Outbox,
    /// The numbers of the runs that were begun last.
    pub begun: Vec<u64>,
}

/// What does not change while the agent runs.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which node this is.
    pub node: NodeName,
    /// Where to ask before a desired state names a pool.
    pub seeds: Vec<SocketAddr>,
    /// Whether there is a token to join again with.
    pub token: bool,
    /// For the spread of waits.
    pub seed: u64,
}

/// The agent.
#[derive(Debug)]
pub struct Machine {
    node: NodeName,
    desired: Option<Box<Desired>>,
    /// Whether `desired` is on disk. Nothing is done about it before.
    durable: bool,
    outbox: Outbox,
    links: Links,
    lane: Lane,
    applying: Option<Digest>,
    /// Whether anybody has said since the start what the node shall be like.
    heard: bool,
    /// Whether the node is left as it is; see [`Desired::rests`].
    rests: bool,
    /// The receipts of the steps, while the scripts of the same state run.
    applied: Option<(Digest, Vec<Receipt>)>,
    /// The scripts that were tried since the start; those that failed are not tried again until
    /// the list changes or someone asks.
    tried: Option<Digest>,
    /// The list of scripts that runs now.
    running: Option<Digest>,
    look_again: Option<Moment>,
    store_again: Option<Moment>,
    token: bool,
    refused_since: Option<Moment>,
}

impl Machine {
    /// An agent that starts from what it kept.
    pub fn new(setup: Setup, kept: Kept) -> Self {
        let Kept { desired, outbox, begun } = kept;
        let mut links = Links::new(setup.seeds, setup.seed);
        if let Some(desired) = &desired {
            links.aim(targets(desired));
        }
        Self {
            node: setup.node,
            durable: desired.is_some(),
            desired,
            outbox,
            links,
            lane: Lane::after(begun),
            applying: None,
            heard: false,
            rests: false,
            applied: None,
            tried: None,
            running: None,
            look_again: None,
            store_again: None,
            token: setup.token,
            refused_since: None,
        }
    }

    /// Takes what happened; appends what to do.
    pub fn handle(&mut self, now: Moment, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Start => self.apply(actions),
            Event::Linked { link, sn } => self.links.linked(link, sn),
            Event::Ended { link, refused } => self.ended(now, link, refused, actions),
            Event::Said { link, message } => self.said(link, *message, actions),
            Event::Stored(digest) => self.stored(digest, actions),
            Event::NotStored(digest, why) => self.not_stored(now, digest, why, actions),
            Event::Applied(digest, receipts) => self.applied(now, digest, receipts, actions),
            Event::ScriptsRan(receipts) => self.scripts_ran(now, receipts, actions),
            Event::Worked(run, receipts) => {
                let answer = self.lane.worked(run, receipts);
                self.send(answer, actions);
            }
            // Another join with the same token is no use: it was good once.
            Event::Rejoined(new_identity) => {
                if new_identity {
                    self.refused_since = None;
                    self.links.hurry();
                }
            }
            Event::Wake => {}
        }
        self.on_time(now, actions);
        self.fill_lane(actions);
        let hello = FromAgent::Hello {
            protocol: PROTOCOL,
            epoch: self.epoch(),
            settled: self.outbox.settled.as_ref().map(|settled| settled.digest),
        };
        self.links.steer(now, &hello, actions);
        let wakes = [self.links.wake(), self.look_again, self.store_again];
        let wake = wakes.into_iter().flatten().min();
        actions.push(Action::WakeAt(wake.unwrap_or(now + LOOK_AGAIN)));
    }

    /// The highest epoch it has seen.
    pub fn epoch(&self) -> Epoch {
        self.desired.as_ref().map_or(Epoch::ZERO, |desired| desired.epoch)
    }

    fn on_time(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.store_again.is_some_and(|at| at <= now) {
            self.store_again = None;
            actions.extend(self.desired.clone().map(Action::Store));
        }
        if self.look_again.is_some_and(|at| at <= now) {
            self.look_again = None;
            self.apply(actions);
        }
    }

    fn ended(&mut self, now: Moment, link: LinkId, refused: bool, actions: &mut Vec<Action>) {
        if self.links.ended(now, link) {
            actions.push(Action::FollowNobody);
        }
        if !refused {
            return;
        }
        let since = *self.refused_since.get_or_insert(now);
        if self.token && self.links.followed().is_none() && now.since(since) >= REFUSAL_LIMIT {
            self.token = false;
            actions.push(Action::Rejoin);
        }
    }

    fn said(&mut self, link: LinkId, message: ToAgent, actions: &mut Vec<Action>) {
        match message {
            ToAgent::Desired(desired) if desired.node != self.node => {
                actions.push(Action::ForeignState(desired.node));
                if self.links.drop_link(link) {
                    actions.push(Action::FollowNobody);
                }
                actions.push(Action::Close(link));
            }
            ToAgent::Desired(desired) => {
                self.refused_since = None;
                // A link counts once it has answered; see `runtime::link`.
                if self.links.answered(link, actions) {
                    self.tell_report(actions);
                }
                if self.links.followed() == Some(link) {
                    self.consider(desired, actions);
                }
            }
            ToAgent::Run(run) => {
                if self.links.followed() == Some(link) {
                    let answer = self.lane.add(run);
                    self.send(answer, actions);
                }
            }
        }
    }

    /// Obeys a desired state, unless a higher epoch is known. At the same epoch the newest word of
    /// who is followed counts.
    fn consider(&mut self, desired: Box<Desired>, actions: &mut Vec<Action>) {
        let obeyed = self.epoch();
        if desired.epoch < obeyed {
            actions.push(Action::Ignored { epoch: desired.epoch, obeyed });
            return;
        }
        let was_running = std::mem::replace(&mut self.heard, true);
        if self.desired.as_ref() == Some(&desired) {
            return;
        }
        let is_new = was_running && desired.epoch > obeyed;
        self.rests = desired.rests && (is_new || self.rests);
        self.links.aim(targets(&desired));
        self.durable = false;
        self.store_again = None;
        actions.push(Action::Store(desired.clone()));
        self.desired = Some(desired);
    }

    fn stored(&mut self, digest: Digest, actions: &mut Vec<Action>) {
        if self.digest() == Some(digest) {
            self.durable = true;
            self.apply(actions);
        }
    }

    fn not_stored(&mut self, now: Moment, digest: Digest, why: String, actions: &mut Vec<Action>) {
        if self.digest() != Some(digest) {
            return;
        }
        // Nothing is done about a state that a restart would forget: the epoch could fall.
        self.store_again = Some(now + LOOK_AGAIN_AFTER_FAILURE);
        let outcome = StepOutcome::Failed { reason: why, status: None };
        self.report(vec![Receipt { step: "state".to_owned(), outcome }], actions);
    }

    fn digest(&self) -> Option<Digest> {
        self.desired.as_ref().map(|desired| desired.digest())
    }

    fn apply(&mut self, actions: &mut Vec<Action>) {
        let may = self.durable && !self.rests && self.applying.is_none();
        if let Some(desired) = self.desired.as_ref().filter(|_| may) {
            self.applying = Some(desired.digest());
            actions.push(Action::Apply(desired.clone()));
        }
    }

    fn applied(&mut self, now: Moment, digest: Digest, receipts: Vec<Receipt>, actions: &mut Vec<Action>) {
        self.applying = None;
        let Some(desired) = self.desired.as_ref().filter(|desired| desired.digest() == digest) else {
            // A newer one came meanwhile.
            return self.apply(actions);
        };
        let todo = self.outbox.scripts.todo(&desired.scripts);
        let list = report::list_digest(&desired.scripts);
        if self.running == Some(list) {
            // Another state wanted the same scripts, and they run now: their end ends this too.
            self.applied = Some((digest, receipts));
            return;
        }
        if todo.is_empty() || self.tried == Some(list) {
            let kept = self.outbox.scripts.receipts(&desired.scripts);
            return self.settled(now, receipts.into_iter().chain(kept).collect(), actions);
        }
        self.applied = Some((digest, receipts));
        self.lane.want_scripts();
    }

    /// Starts what is next in the lane where scripts run.
    fn fill_lane(&mut self, actions: &mut Vec<Action>) {
        if let Some(desired) = self.desired.as_ref().filter(|_| self.durable)
            && self.lane.take_scripts()
        {
            self.running = Some(report::list_digest(&desired.scripts));
            self.tried = self.running;
            let todo = self.outbox.scripts.todo(&desired.scripts);
            actions.push(Action::RunScripts(desired.clone(), todo));
        }
        if let Some(run) = self.lane.take_run() {
            if run.work.settle && std::mem::take(&mut self.rests) {
                self.apply(actions);
            }
            actions.push(Action::Work(run, self.desired.clone().filter(|_| self.durable)));
        }
    }

    fn scripts_ran(&mut self, now: Moment, receipts: Vec<Receipt>, actions: &mut Vec<Action>) {
        self.lane.scripts_ended();
        let ran = self.running.take();
        let Some(desired) = &self.desired else { return };
        if ran != Some(report::list_digest(&desired.scripts)) {
            // The list has changed meanwhile; all of the new one is to run.
            return;
        }
        self.outbox.scripts.ran(&desired.scripts, &receipts);
        if let Some((digest, mut all)) = self.applied.take()
            && digest == desired.digest()
        {
            all.extend(self.outbox.scripts.receipts_with(&desired.scripts, receipts));
            self.settled(now, all, actions);
        }
    }

    fn settled(&mut self, now: Moment, receipts: Vec<Receipt>, actions: &mut Vec<Action>) {
        let all_well = receipts.iter().all(|receipt| receipt.outcome.is_ok());
        let wait = if all_well { LOOK_AGAIN } else { LOOK_AGAIN_AFTER_FAILURE };
        self.look_again = Some(now + wait);
        self.report(receipts, actions);
    }

    fn report(&mut self, receipts: Vec<Receipt>, actions: &mut Vec<Action>) {
        let Some(desired) = &self.desired else { return };
        if self.outbox.put(desired, receipts) {
            actions.push(Action::Keep(Box::new(self.outbox.clone())));
            self.tell_report(actions);
        }
    }

    fn tell_report(&self, actions: &mut Vec<Action>) {
        if let Some(link) = self.links.followed() {
            actions.extend(self.outbox.messages().map(|message| Action::Send(link, message)));
        }
    }

    fn send(&self, message: Option<FromAgent>, actions: &mut Vec<Action>) {
        if let (Some(link), Some(message)) = (self.links.followed(), message) {
            actions.push(Action::Send(link, message));
        }
    }
}

/// Whom to turn to, the owner first.
fn targets(desired: &Desired) -> Vec<Target> {
    let (owner, others): (Vec<_>, Vec<_>) =
        desired.pool.iter().partition(|member| member.sn == desired.owner);
    let target = |member: &common::slice::PoolMember| Target {
        sn: Some(member.sn.clone()),
        address: SocketAddr::new(member.address.into(), desired.agent_port),
    };
    owner.into_iter().chain(others).map(target).collect()
}

#[cfg(test)]
mod tests;
