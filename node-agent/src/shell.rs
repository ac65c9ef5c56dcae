//! Carries out what the core decides: one loop over what happens, with tasks for links, for the
//! node and for scripts.
//!
//! **Bounds**: `TASKS` tasks; `NOTES` events wait for the core, and who has more to say waits;
//! `OUTGOING` messages wait on a link, and one that does not take them is closed.

mod work;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use common::id::{Moment, NodeName};
use common::report::chain;
use common::wire::agent::FromAgent;
use common::wire::join::Token;
use common::wire::work::{Receipt, StepOutcome};
use runtime::backoff::Backoff;
use runtime::clock;
use runtime::link::LinkError;
use runtime::link::authority::random_u64;
use runtime::link::connection::Link;
use runtime::link::endpoint::{Dialer, LinkOptions};
use runtime::link::identity::{Identity, Role};
use runtime::link::join::{JoinError, join};
use runtime::supervise::Nursery;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::work::Worker;
use crate::apply::Host;
use crate::content::Cache;
use crate::core::{Action, Event, LinkId, Machine, Outbox, Setup, Target};
use crate::link::{self, Note};
use crate::state::{State, StateError};

/// Links (a pool and one more), the disk, the node, the lane, a join.
const TASKS: usize = 64;

/// Each task has at most a few events to tell.
const NOTES: usize = 64;

/// A report and a status for each time the owner changes, an answer for each run that may wait.
const OUTGOING: usize = 64;

/// Writes that wait for the disk: it is a slow disk that has more.
const WRITES: usize = 16;

/// How soon the death of a service node is noticed: after the idle time, and up to one keep-alive
/// more, because sending one starts the time anew (RFC 9000 §10.1).
const LINKS: LinkOptions = LinkOptions {
    keep_alive: Duration::from_millis(700),
    idle: Duration::from_millis(2100),
    connect: Duration::from_secs(5),
    bind: None,
};

/// How long the agent waits for its links to say good-bye.
const FAREWELL: Duration = Duration::from_millis(300);

/// Why the agent cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// The identity is not a node's.
    #[error("the identity is that of {0}, not of a node")]
    NotANode(Role),
    /// The identity is of no use.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The folder is of no use.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What the agent serves with.
#[derive(Debug)]
pub struct Agent {
    /// Who it is.
    pub identity: Identity,
    /// To join again with.
    pub token: Option<Token>,
    /// Its folder.
    pub state: State,
    /// The node.
    pub host: Host,
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// When identity or folder are of no use. What goes wrong later is coped with, and reported.
pub async fn serve(agent: Agent, stop: CancellationToken) -> Result<(), ShellError> {
    let (notes, mut incoming) = mpsc::channel(NOTES);
    let mut shell = Shell::new(agent, notes, stop.clone())?;
    shell.handle(Event::Start);
    loop {
        let wait = tokio::time::sleep(shell.wake.since(clock::now()));
        let note = tokio::select! {
            () = stop.cancelled() => break,
            note = incoming.recv() => note,
            () = wait => Some(Note::Core(Event::Wake)),
        };
        match note {
            Some(Note::Core(event)) => shell.handle(event),
            Some(Note::Stands(id, link)) => shell.stands(id, link),
            Some(Note::Joined(identity)) => shell.joined(identity),
            // The shell itself holds a sender.
            None => break,
        }
    }
    shell.dialer.close().await;
    let _ = tokio::time::timeout(FAREWELL, shell.tasks.drained()).await;
    Ok(())
}

struct Shell {
    node: NodeName,
    machine: Machine,
    state: State,
    token: Option<Token>,
    worker: Worker,
    dialer: Arc<Dialer>,
    links: BTreeMap<LinkId, OpenLink>,
    followed: watch::Sender<Option<Link>>,
    notes: mpsc::Sender<Note>,
    disk: mpsc::Sender<Write>,
    tasks: Nursery,
    wake: Moment,
}

/// A link, or an attempt that may become one.
struct OpenLink {
    outgoing: mpsc::Sender<FromAgent>,
    link: Option<Link>,
}

/// Something for the disk.
#[derive(Debug)]
enum Write {
    Desired(Box<common::wire::agent::Desired>),
    Outbox(Box<Outbox>),
}

impl Shell {
    fn new(agent: Agent, notes: mpsc::Sender<Note>, stop: CancellationToken) -> Result<Self, ShellError> {
        let Agent { identity, token, state, host } = agent;
        let Role::Agent(node) = identity.role().clone() else {
            return Err(ShellError::NotANode(identity.role().clone()));
        };
        let mut kept = state.load()?;
        if kept.desired.as_ref().is_some_and(|desired| desired.node != node) {
            // A disk that came from another node: nothing on it is about this one.
            tracing::warn!(%node, "forgot the desired state of another node");
            kept = crate::core::Kept::default();
        }
        let mut seeds = state.seeds()?;
        let fresh = token.iter().flat_map(|token| &token.addresses);
        for address in fresh {
            if !seeds.contains(address) {
                seeds.push(*address);
            }
        }
        let setup = Setup { node: node.clone(), seeds, token: token.is_some(), seed: random_u64() };
        let (followed, following) = watch::channel(None);
        let tasks = Nursery::new("agent", TASKS, stop);
        let cache = Cache::new(state.cache(), following);
        let worker = Worker::new(node.clone(), Arc::new(host), (state.clone(), cache), notes.clone());
        let (disk, writes) = mpsc::channel(WRITES);
        let writing = write_in_order(state.clone(), writes, notes.clone());
        // The first task of a nursery always has room.
        let _ = tasks.try_spawn(writing);
        Ok(Self {
            node,
            machine: Machine::new(setup, kept),
            state,
            token,
            worker,
            dialer: Arc::new(Dialer::with_options(&identity, LINKS)?),
            links: BTreeMap::new(),
            followed,
            notes,
            disk,
            tasks,
            wake: Moment::START,
        })
    }

    /// Lets the core decide about an event, and what follows from it at once.
    fn handle(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut actions = Vec::new();
            if let Event::Ended { link, .. } = &event {
                self.links.remove(link);
            }
            self.machine.handle(clock::now(), event, &mut actions);
            for action in actions {
                events.extend(self.act(action));
            }
        }
    }

    /// Does one action; gives what came of it at once, if anything did.
    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Dial { link, target, hello } => return self.dial(link, target, hello),
            Action::Send(link, message) => return self.send(link, message),
            Action::Close(link) => {
                // Dropping the sender lets the link deliver what is queued, and end.
                self.links.remove(&link);
            }
            Action::Follow(link) => {
                let link = self.links.get(&link).and_then(|open| open.link.clone());
                if let Some(link) = &link {
                    tracing::info!(sn = %link.peer(), address = %link.peer_address(), "follows a service node");
                }
                self.followed.send_replace(link);
            }
            Action::FollowNobody => {
                tracing::info!("lost the service node");
                self.followed.send_replace(None);
            }
            Action::Store(desired) => {
                let digest = desired.digest();
                if self.disk.try_send(Write::Desired(desired)).is_err() {
                    return Some(Event::NotStored(digest, "the disk does not keep up".to_owned()));
                }
            }
            Action::Keep(outbox) => {
                log_report(&outbox);
                if self.disk.try_send(Write::Outbox(outbox)).is_err() {
                    tracing::warn!("could not keep a report: the disk does not keep up");
                }
            }
            Action::Apply(desired) => return self.worker.apply(&self.tasks, desired),
            Action::RunScripts(desired, places) => {
                return self.worker.run_scripts(&self.tasks, desired, places);
            }
            Action::Work(run, desired) => return self.worker.work(&self.tasks, run, desired),
            Action::Rejoin => self.rejoin(),
            Action::Ignored { epoch, obeyed } => {
                tracing::warn!(%epoch, %obeyed, "ignored a state of an earlier ownership");
            }
            Action::ForeignState(node) => tracing::error!(%node, "was sent the state of another node"),
            Action::WakeAt(wake) => self.wake = wake,
        }
        None
    }

    fn dial(&mut self, id: LinkId, target: Target, hello: FromAgent) -> Option<Event> {
        let (outgoing, messages) = mpsc::channel(OUTGOING);
        let dialer = Arc::clone(&self.dialer);
        let attempt = link::run(id, dialer, target, hello, messages, self.notes.clone());
        if self.tasks.try_spawn(attempt) {
            self.links.insert(id, OpenLink { outgoing, link: None });
            return None;
        }
        Some(Event::Ended { link: id, refused: false })
    }

    fn send(&mut self, id: LinkId, message: FromAgent) -> Option<Event> {
        let open = self.links.get(&id)?;
        if open.outgoing.try_send(message).is_ok() {
            return None;
        }
        tracing::warn!("closed a link that takes no messages");
        if let Some(link) = self.links.remove(&id).and_then(|open| open.link) {
            link.close("too slow");
        }
        None
    }

    fn stands(&mut self, id: LinkId, link: Link) {
        if let Some(open) = self.links.get_mut(&id) {
            open.link = Some(link);
        }
    }

    fn rejoin(&self) {
        let Some(token) = self.token.clone() else { return };
        tracing::warn!(node = %self.node, "is refused everywhere; joins again with its token");
        let notes = self.notes.clone();
        let joining = async move {
            let joined = join_patiently(&token).await;
            if let Err(error) = &joined {
                tracing::error!(error = chain(error), "could not join again");
            }
            let _ = notes.send(Note::Joined(joined.ok())).await;
        };
        // Without room there is something worse to mend first; the core asks no more.
        let _ = self.tasks.try_spawn(joining);
    }

    fn joined(&mut self, identity: Option<Identity>) {
        let taken = identity.is_some_and(|identity| match self.take_identity(&identity) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(error, "could not take a new identity");
                false
            }
        });
        self.handle(Event::Rejoined(taken));
    }

    fn take_identity(&mut self, identity: &Identity) -> Result<(), String> {
        if identity.role() != &Role::Agent(self.node.clone()) {
            return Err(format!("it is that of {}", identity.role()));
        }
        identity.save(self.state.dir()).map_err(|error| chain(&error))?;
        self.dialer = Arc::new(Dialer::with_options(identity, LINKS).map_err(|error| chain(&error))?);
        Ok(())
    }
}

/// Joins, asking again for as long as that may help.
///
/// # Errors
/// When the token is refused, or who answers is not who it should be.
pub async fn join_patiently(token: &Token) -> Result<Identity, JoinError> {
    let mut waits = Backoff::new(Duration::from_millis(500), Duration::from_secs(10), random_u64());
    loop {
        match join(token).await {
            Err(error) if error.is_passing() => {
                tracing::warn!(error = chain(&error), "could not join yet");
                tokio::time::sleep(waits.next()).await;
            }
            ended => return ended,
        }
    }
}

/// Writes in the order of the asking, off the loop: a disk may take seconds, and links must live.
async fn write_in_order(state: State, mut writes: mpsc::Receiver<Write>, notes: mpsc::Sender<Note>) {
    while let Some(write) = writes.recv().await {
        let state = state.clone();
        let done = tokio::task::spawn_blocking(move || match write {
            Write::Desired(desired) => {
                let digest = desired.digest();
                Some(match state.keep_desired(&desired) {
                    Ok(()) => Event::Stored(digest),
                    Err(error) => Event::NotStored(digest, chain(&error)),
                })
            }
            Write::Outbox(outbox) => {
                if let Err(error) = state.keep_outbox(&outbox) {
                    // After a restart the node is looked at again and a report made anew.
                    tracing::warn!(error = chain(&error), "could not keep a report");
                }
                None
            }
        });
        if let Ok(Some(event)) = done.await {
            let _ = notes.send(Note::Core(event)).await;
        }
    }
}

fn log_report(outbox: &Outbox) {
    let Some(settled) = &outbox.settled else { return };
    for Receipt { step, outcome } in &settled.receipts {
        match outcome {
            StepOutcome::Failed { reason, .. } => tracing::warn!(step, reason, "could not do a step"),
            StepOutcome::Changed | StepOutcome::Ran { .. } => tracing::info!(step, "did a step"),
            StepOutcome::Kept => {}
        }
    }
    tracing::info!(owner = %settled.owner, epoch = %settled.epoch, "settled");
}

#[cfg(test)]
mod tests;
