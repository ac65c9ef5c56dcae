//! Delivery: every service node is brought to hold what it shall, and back comes what it reports.
//!
//! | file | what |
//! |---|---|
//! | [`hub`] | one task: follows the model, drives `mn_core::delivery`, numbers and pushes |
//! | [`doors`] | what a link may reach, and who may have one |
//! | [`session`] | one service node's conversation |
//! | [`join`] | who proves a token becomes a member |
//! | [`reports`] | what nodes reported becomes committed rows |
//!
//! A [`Delivery`] is the handle for everyone else: it shows how far each service node is
//! ([`Delivery::view`]) and waits, asks and runs. The hub publishes a view after every turn; who
//! waits, waits on a state of the view and not on an event, so nothing is missed.

mod doors;
mod hub;
pub(crate) mod join;
mod reports;
pub(crate) mod session;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::id::{Generation, Moment, NodeName, Revision, SnName};
use common::slice::{Outline, Stamp};
use common::wire::push::PeerWord;
use common::wire::work::{Run, RunAnswer, RunResult, Work};
use mn_core::delivery::Standing;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

pub use self::doors::Doors;
pub use self::hub::Hub;
use self::hub::ToHub;
pub use self::reports::Reports;
pub(crate) use self::reports::local_time;

/// How far every service node is, at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The revision from which the slices were derived.
    pub revision: Revision,
    /// The service nodes that shall hold something, those that have never joined included.
    pub peers: BTreeMap<SnName, PeerView>,
}

/// How far one service node is.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// In a word.
    pub standing: Standing,
    /// The number and digest of what it shall hold; none while the number is being stored.
    pub stamp: Option<Stamp>,
    /// What it says it holds, even where it is away now.
    pub held: Option<Stamp>,
    /// What it shall hold; none where it has never joined: that is not derived.
    pub outline: Option<Outline>,
    /// The revision that last changed what it shall hold.
    pub changed: Revision,
    /// The version of its program, once it has been here.
    pub version: Option<String>,
}

impl PeerView {
    /// Of one that has never joined.
    const fn stranger() -> Self {
        Self {
            standing: Standing::Away,
            stamp: None,
            held: None,
            outline: None,
            changed: Revision::ZERO,
            version: None,
        }
    }

    /// Whether the number of what it shall hold is known, or never will be as things are.
    const fn is_numbered(&self) -> bool {
        self.stamp.is_some() || self.outline.is_none()
    }

    /// Whether its link is up.
    pub const fn is_connected(&self) -> bool {
        !matches!(self.standing, Standing::Away)
    }

    /// Whether it holds this generation or a later one, with all content.
    fn has(&self, generation: Generation) -> bool {
        self.held.as_ref().is_some_and(|held| held.generation >= generation)
            && !matches!(self.standing, Standing::Fetching { .. })
    }
}

/// Why a service node has not applied something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApplied {
    /// Nothing is to be held by such a service node.
    #[error("it is no service node")]
    Unknown,
    /// It is not connected; it converges when it comes back.
    #[error("it is not connected")]
    Away,
    /// It refused.
    #[error("it refused: {}", .0.join("; "))]
    Refused(Vec<String>),
    /// It is still fetching content.
    #[error("it is still fetching {files} files, {bytes} bytes")]
    Fetching {
        /// How many files.
        files: u32,
        /// How many bytes.
        bytes: u64,
    },
    /// It has not answered in time.
    #[error("it has not answered yet")]
    Late,
    /// The management node is stopping.
    #[error("the management node is stopping")]
    Stopping,
}

/// Why a question to a service node has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It is not connected.
    #[error("it is not connected")]
    Away,
    /// No answer in time.
    #[error("it has not answered in time")]
    Late,
}

/// The handle of delivery. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Delivery {
    events: mpsc::Sender<ToHub>,
    view: watch::Receiver<Arc<View>>,
    numbers: Arc<AtomicU64>,
}

impl Delivery {
    /// How far every service node is now.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Tells of every change of the view.
    pub fn changes(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Whether a service node's link is up.
    pub fn connected(&self, sn: &SnName) -> bool {
        self.view.borrow().peers.get(sn).is_some_and(PeerView::is_connected)
    }

    /// Waits until the slices are derived from this revision or a later one.
    pub async fn derived(&self, revision: Revision) -> Option<Arc<View>> {
        let mut view = self.view.clone();
        view.wait_for(|view| view.revision >= revision).await.ok().map(|view| Arc::clone(&view))
    }

    /// Waits until a service node serves what `revision` says, or later; gives what it holds then.
    ///
    /// # Errors
    /// Why it does not. One that is away is not waited for.
    pub async fn wait_revision(
        &self,
        sn: &SnName,
        revision: Revision,
        limit: Duration,
    ) -> Result<Stamp, NotApplied> {
        let numbered = async {
            let mut view = self.view.clone();
            let found = view
                .wait_for(|view| {
                    view.revision >= revision && view.peers.get(sn).is_none_or(PeerView::is_numbered)
                })
                .await
                .map_err(|_| NotApplied::Stopping)?;
            let peer = found.peers.get(sn).ok_or(NotApplied::Unknown)?;
            peer.stamp.clone().ok_or(NotApplied::Away)
        };
        let started = runtime::clock::now();
        let stamp = timeout(limit, numbered).await.map_err(|_| NotApplied::Late)??;
        let left = limit.saturating_sub(runtime::clock::now().since(started));
        self.wait_applied(sn, stamp.generation, left).await?;
        Ok(stamp)
    }

    /// Waits until a service node holds this generation or a later one, with all its content, and
    /// serves from it.
    ///
    /// # Errors
    /// Why it does not. One that is away is not waited for.
    pub async fn wait_applied(
        &self,
        sn: &SnName,
        generation: Generation,
        limit: Duration,
    ) -> Result<(), NotApplied> {
        let mut view = self.view.clone();
        let mut last = NotApplied::Late;
        let wait = async {
            loop {
                let verdict = judge(view.borrow_and_update().peers.get(sn), generation);
                match verdict {
                    Ok(()) => return Ok(()),
                    Err(end @ (NotApplied::Unknown | NotApplied::Away | NotApplied::Refused(_))) => {
                        return Err(end);
                    }
                    Err(passing) => last = passing,
                }
                if view.changed().await.is_err() {
                    return Err(NotApplied::Stopping);
                }
            }
        };
        match timeout(limit, wait).await {
            Ok(verdict) => verdict,
            Err(_) => Err(last),
        }
    }

    /// Waits until every connected service node that `revision` or a later change touches serves
    /// what it shall; gives those that do not, within the limit, and why.
    pub async fn wait_all(
        &self,
        sns: impl IntoIterator<Item = SnName>,
        revision: Revision,
        limit: Duration,
    ) -> Vec<(SnName, NotApplied)> {
        let started = runtime::clock::now();
        let mut behind = Vec::new();
        // One after the other is as fast as all at once: each waits for a state, not an event.
        for sn in sns {
            let left = limit.saturating_sub(runtime::clock::now().since(started));
            if let Err(why) = self.wait_revision(&sn, revision, left).await {
                behind.push((sn, why));
            }
        }
        behind
    }

    /// The service nodes whose slices `revision` or a later change has touched, once they are
    /// derived.
    pub async fn touched_since(&self, revision: Revision) -> Vec<SnName> {
        let Some(view) = self.derived(revision).await else { return Vec::new() };
        view.peers.iter().filter(|(_, peer)| peer.changed >= revision).map(|(sn, _)| sn.clone()).collect()
    }

    /// Lets service node `via` tell its peer `about`, over the rack's network, who owns what; says
    /// what the peer answered.
    ///
    /// # Errors
    /// When `via` is away or does not answer in time.
    pub async fn ask_peer(
        &self,
        via: &SnName,
        about: &SnName,
        addresses: Vec<Ipv4Addr>,
        limit: Duration,
    ) -> Result<PeerWord, Unanswered> {
        let (answer, answered) = oneshot::channel();
        let ask = self.number();
        let event = ToHub::AskPeer { via: via.clone(), about: about.clone(), addresses, ask, answer };
        self.events.send(event).await.map_err(|_| Unanswered::Away)?;
        match timeout(limit, answered).await {
            Ok(Ok(word)) => Ok(word),
            Ok(Err(_)) => Err(Unanswered::Away),
            Err(_) => Err(Unanswered::Late),
        }
    }

    /// Has work run on nodes through these service nodes, under a number of [`Self::number`]; one
    /// result for each node goes to `results`, which must have a place for it. A node whose service
    /// node is away is answered with `NotConnected` at once, one whose service node's link ends with
    /// `Lost`, and so are all that are still awaited at `until`. Says whether anybody takes care of it:
    /// nobody does when the daemon is stopping.
    pub async fn run(
        &self,
        run: u64,
        owners: BTreeMap<SnName, Vec<NodeName>>,
        work: &Work,
        (until, results): (Moment, &mpsc::Sender<RunResult>),
    ) -> bool {
        let (work, results) = (work.clone(), results.clone());
        self.tell(ToHub::Run { run, owners, work, until, results }).await
    }

    /// A number that no other question or run of this process has.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    async fn tell(&self, event: ToHub) -> bool {
        self.events.send(event).await.is_ok()
    }
}

/// Whether a service node has a generation.
fn judge(peer: Option<&PeerView>, generation: Generation) -> Result<(), NotApplied> {
    let Some(peer) = peer else { return Err(NotApplied::Unknown) };
    match &peer.standing {
        Standing::Refused(reasons) => Err(NotApplied::Refused(reasons.clone())),
        Standing::Away => Err(NotApplied::Away),
        _ if peer.has(generation) => Ok(()),
        Standing::Fetching { files, bytes } => Err(NotApplied::Fetching { files: *files, bytes: *bytes }),
        Standing::Current | Standing::Pushing => Err(NotApplied::Late),
    }
}

/// A run's parts for the wire, none with more nodes than a message may list.
fn parts_of_run(run: u64, nodes: &[NodeName], work: &Work) -> Vec<Run> {
    nodes
        .chunks(common::wire::MAX_LIST)
        .map(|nodes| Run { run, nodes: nodes.to_vec(), work: work.clone() })
        .collect()
}

/// What a node's result is when no answer can come.
const fn unanswered(run: u64, node: NodeName, answer: RunAnswer) -> RunResult {
    RunResult { run, node, answer }
}
