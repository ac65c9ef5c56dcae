//! The door for agents, for peers and for those who want to become one: who may come in, and who
//! talks with them ([`session`] with agents, [`crate::peers`] with peers).
//!
//! - An agent comes in when its node is in the slice and its key is the one that the slice names.
//!   A node that has just joined may be a moment ahead of the slice: it is let wait.
//! - A stranger's request goes to the management node, which alone can sign, and its answer back.
//! - Neither comes from the address of another node: keys and tokens that were copied are of no use
//!   on another node of the rack. An address that no node has says nothing about who it is.
//! - Nobody else comes in.
//!
//! **Invariant**: one session a node; the newest wins.

mod runs;
mod session;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::id::{Digest, NodeName};
use common::slice::Node;
use common::wire::join::{JoinAnswer, Kind};
use common::wire::push::{FromSn, Report, Reported};
use common::wire::work::{Run, RunAnswer, RunResult};
use runtime::link::LinkError;
use runtime::link::connection::Link;
use runtime::link::endpoint::{Arrived, Incoming, Listener};
use runtime::link::identity::Role;
use runtime::link::join::JoinLink;
use runtime::supervise::{BoxError, Nursery};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::content::Content;
use crate::peers::Peers;
use crate::slice::Serving;
use crate::slice::reports::Reports;
use crate::upstream::Upstream;

/// Connections of agents, peers and strangers together: four times the nodes of the design.
const MOST: usize = 4096;

/// Strangers' questions that are under way; more come again by themselves. They must not keep
/// members out.
const JOINS: usize = 512;

/// Files that are given at a time: each holds a buffer of 256 KiB.
const TRANSFERS: usize = 256;

/// How long an agent whose key is not in the slice yet may wait for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long after a start the agents have to come back before those that are missing are said to be
/// gone: they notice the end of a link within 3 s, and try again within seconds.
const ROLL_CALL: Duration = Duration::from_secs(10);

/// What a session tells the management node, and where it gets content.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What is served.
    pub serving: watch::Receiver<Arc<Serving>>,
    /// Where reports go.
    pub reports: Reports,
    /// The way to the management node.
    pub upstream: Upstream,
    /// Content for agents.
    pub content: Content,
}

/// The agents of this service node. Clones share them.
#[derive(Clone, Debug)]
pub struct Agents {
    parts: Parts,
    sessions: Arc<Mutex<BTreeMap<NodeName, Session>>>,
    nursery: Nursery,
    transfers: Nursery,
    joins: Arc<Semaphore>,
}

/// A session, as the others see it.
#[derive(Debug)]
struct Session {
    id: u64,
    link: Link,
    runs: mpsc::Sender<Run>,
}

impl Agents {
    /// No agents yet.
    pub fn new(parts: Parts, stop: CancellationToken) -> Self {
        Self {
            parts,
            sessions: Arc::default(),
            nursery: Nursery::new("agent", MOST, stop.clone()),
            transfers: Nursery::new("transfer", TRANSFERS, stop),
            joins: Arc::new(Semaphore::new(JOINS)),
        }
    }

    /// Lets agents, peers and strangers in until stopped.
    ///
    /// # Errors
    /// When the listener broke.
    pub async fn run(
        self,
        listener: Listener,
        peers: Peers,
        stop: CancellationToken,
    ) -> Result<(), BoxError> {
        if let Ok(address) = listener.local_addr() {
            let comparing = compare_ports(address.port(), self.parts.serving.clone());
            let comparing = stop.clone().run_until_cancelled_owned(comparing);
            let _is_first = self.nursery.try_spawn(async move { comparing.await.unwrap_or_default() });
        }
        let agents = self.clone();
        // Its place is there: nobody has come yet.
        let _ = self.nursery.try_spawn(async move { agents.call_the_roll().await });
        while let Some(incoming) = stop.run_until_cancelled(listener.accept()).await {
            let Some(incoming) = incoming else { return Err("the socket for agents broke".into()) };
            let (agents, peers) = (self.clone(), peers.clone());
            let address = incoming.peer_address();
            if !self.nursery.try_spawn(async move { agents.admit(incoming, peers).await }) {
                tracing::debug!(%address, "turned a connection away: too many are open");
            }
        }
        listener.close();
        listener.drained().await;
        Ok(())
    }

    /// How many agents are connected.
    pub fn connected(&self) -> usize {
        self.sessions().len()
    }

    /// Reports the agents that have not come back since the start: when this program was killed, it
    /// could not say that their links had ended.
    async fn call_the_roll(&self) {
        tokio::time::sleep(ROLL_CALL).await;
        let nodes: Vec<NodeName> =
            self.parts.serving.borrow().slice.nodes().map(|node| node.name.clone()).collect();
        let is_here = |node: &NodeName| self.sessions().contains_key(node);
        for node in nodes {
            if is_here(&node) {
                continue;
            }
            self.report(&node, Reported::Connected(false)).await;
            if is_here(&node) {
                // It came in between, and its own report may stand before this one.
                self.report(&node, Reported::Connected(true)).await;
            }
        }
    }

    async fn admit(&self, incoming: Incoming, peers: Peers) {
        let address = incoming.peer_address();
        match incoming.establish().await {
            // What anyone can trigger is not worth more.
            Err(error) => tracing::debug!(%address, error = common::report::chain(&error), "no handshake"),
            Ok(Arrived::Stranger(stranger)) => {
                if let Err(error) = self.relay(stranger).await {
                    tracing::debug!(%address, error = common::report::chain(&error), "a join broke off");
                }
            }
            Ok(Arrived::Member(link)) => match link.peer().clone() {
                Role::Agent(node) => self.agent(node, link).await,
                Role::ServiceNode(sn) => peers.admit(sn, link).await,
                Role::ManagementNode | Role::Operator(_) => {
                    link.refuse("a service node takes agents and service nodes here");
                }
            },
        }
    }

    /// Takes a stranger's question to the management node and the answer back.
    async fn relay(&self, mut stranger: JoinLink) -> Result<(), LinkError> {
        // Who asks nothing takes no room: it is bounded for each address by the listener.
        let join = stranger.request().await?;
        let Ok(_room) = self.joins.try_acquire() else {
            return stranger.answer(JoinAnswer::Later("too many join at once".to_owned())).await;
        };
        let ip = stranger.peer_address().ip();
        let other = other_node_at(&self.parts.serving.borrow(), &join.request.name, ip);
        let answer = match other {
            _ if join.request.kind != Kind::Agent => {
                JoinAnswer::Refused("only node agents join here; ask the management node".to_owned())
            }
            Some(other) => {
                tracing::warn!(node = %join.request.name, %ip, %other, "refused a token that another node showed");
                JoinAnswer::Refused(format!("this token is for another node, and {ip} is {other}'s address"))
            }
            None => self.parts.upstream.join(join).await,
        };
        stranger.answer(answer).await
    }

    async fn agent(&self, node: NodeName, link: Link) {
        let ip = link.peer_address().ip();
        if let Some(other) = other_node_at(&self.parts.serving.borrow(), &node, ip) {
            tracing::warn!(%node, %ip, %other, "refused an agent that another node runs");
            return link.refuse("this certificate is another node's than the one that has this address");
        }
        match admitted(self.parts.serving.clone(), &node, link.peer_key()).await {
            Ok(()) => {}
            Err(Denied::Forged) => {
                tracing::warn!(%node, %ip, "refused an agent whose key is not its node's");
                return link.refuse("this is not the certificate that was given to this node last");
            }
            Err(Denied::Unknown) => {
                tracing::debug!(%node, "closed the link of an agent whose node is not served here");
                return link.close("this node is not served here");
            }
        }
        let (id, runs) = self.enter(&node, &link);
        let ended = session::run(self, &node, &link, runs).await;
        link.close("the session is over");
        let error = ended.err().map(|error| common::report::chain(&error));
        tracing::debug!(%node, error, "the session with an agent ended");
        if self.leave(&node, id) {
            self.report(&node, Reported::Connected(false)).await;
        }
    }

    /// Enters a session in place of an older one, which ends.
    fn enter(&self, node: &NodeName, link: &Link) -> (u64, mpsc::Receiver<Run>) {
        let id = runtime::link::authority::random_u64();
        // Runs come one after the other from an operator; more than this are lost, and said to be.
        let (sender, runs) = mpsc::channel(16);
        let session = Session { id, link: link.clone(), runs: sender };
        if let Some(older) = self.sessions().insert(node.clone(), session) {
            older.link.close("a newer link of this node came");
        }
        (id, runs)
    }

    /// Takes a session out, unless a newer one stands in its place; says whether it did.
    fn leave(&self, node: &NodeName, id: u64) -> bool {
        let mut sessions = self.sessions();
        let own = sessions.get(node).is_some_and(|session| session.id == id);
        if own {
            sessions.remove(node);
        }
        own
    }

    async fn report(&self, node: &NodeName, what: Reported) {
        let epoch = self.parts.serving.borrow().node(node).map(|node| node.epoch);
        // A node that was removed meanwhile has nobody to report to.
        let Some(epoch) = epoch else { return };
        self.report_in(node, epoch, what).await;
    }

    async fn report_in(&self, node: &NodeName, epoch: common::id::Epoch, what: Reported) {
        let report = Report { node: node.clone(), at: runtime::clock::unix_seconds(), epoch, what };
        self.parts.reports.append(report).await;
    }

    async fn answer(&self, run: u64, node: NodeName, answer: RunAnswer) {
        self.parts.upstream.send(FromSn::RunResult(RunResult { run, node, answer })).await;
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<NodeName, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says so when agents and peers are told another port than the one that is listened on.
async fn compare_ports(own: u16, mut serving: watch::Receiver<Arc<Serving>>) {
    let mut said = None;
    loop {
        let told = serving.borrow_and_update().slice.site().map(|site| site.agent_port);
        if told != said
            && let Some(told) = told.filter(|told| *told != own)
        {
            tracing::warn!(
                port = own,
                agentport = told,
                "agents and peers are told another port than this one; \
                 set site.agentport, or start with --agent-port"
            );
        }
        said = told;
        // The keeper, who changes it, ends with the daemon.
        if serving.changed().await.is_err() {
            return;
        }
    }
}

/// Why an agent does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denied {
    /// Its node is not in the slice, or has no agent yet.
    Unknown,
    /// Its node's agent has another key.
    Forged,
}

/// Whether the slice knows this key as the agent of this node, now or within [`PATIENCE`].
async fn admitted(
    mut serving: watch::Receiver<Arc<Serving>>,
    node: &NodeName,
    key: Digest,
) -> Result<(), Denied> {
    let waiting = serving.wait_for(|serving| may(serving, node, key).is_ok());
    if let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, waiting).await {
        return Ok(());
    }
    may(&serving.borrow(), node, key)
}

fn may(serving: &Serving, node: &NodeName, key: Digest) -> Result<(), Denied> {
    match serving.node(node).map(|node| node.agent_key) {
        Some(Some(known)) if known == key => Ok(()),
        Some(Some(_)) => Err(Denied::Forged),
        Some(None) | None => Err(Denied::Unknown),
    }
}

/// The node other than `node` that has this address; none where `node` has it too.
///
/// One look at each node of the slice: tens of microseconds, once a link.
fn other_node_at(serving: &Serving, node: &NodeName, ip: IpAddr) -> Option<NodeName> {
    let IpAddr::V4(ip) = ip.to_canonical() else { return None };
    let has = |one: &Node| one.own_interfaces().any(|interface| interface.ip == Some(ip));
    if serving.node(node).is_some_and(has) {
        return None;
    }
    serving.slice.nodes().find(|one| has(one)).map(|one| one.name.clone())
}

/// Where agents and peers are listened for.
///
/// # Errors
/// When the port is taken, or the identity is of no use.
pub fn listen(
    address: SocketAddr,
    identity: &runtime::link::identity::Identity,
) -> Result<Listener, LinkError> {
    let listener = Listener::bind(address, identity)?;
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!(service = "agents", %address, "listening");
    Ok(listener)
}
