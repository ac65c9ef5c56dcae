//! Links with the other service nodes of the pools: who owns what, told and heard ([`talk`]).
//!
//! Either side dials; there is at most one link in each direction, and none is dialed while one
//! stands. Two at once do no harm: a claim that is heard twice is the same claim.
//!
//! What a claim means is decided in `sn_proto::peer`.

mod talk;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::id::{Epoch, NodeName, SnName};
use common::slice::{Entry, Peer};
use common::wire::push::PeerWord;
use runtime::backoff::Backoff;
use runtime::link::LinkError;
use runtime::link::authority::random_u64;
use runtime::link::connection::Link;
use runtime::link::endpoint::{Dialer, LinkOptions};
use runtime::link::identity::{Identity, Role};
use runtime::supervise::{BoxError, Nursery};
use sn_proto::peer::claims;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::slice::Serving;
use crate::slice::keeper::Handle;

/// Links with peers, being dialed or standing: a pool has a few members, and a service node is in
/// a few dozen pools at most.
const MOST: usize = 512;

/// How long the management node's question to a peer may take.
const ASK: Duration = Duration::from_millis(1500);

/// How long a standing link may take to confirm before another one is tried.
const ANSWER: Duration = Duration::from_millis(400);

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(2);

/// The claims that a peer has confirmed last.
type Confirmed = watch::Receiver<Option<Vec<(NodeName, Epoch)>>>;
/// The other end of it.
type Confirming = watch::Sender<Option<Vec<(NodeName, Epoch)>>>;

/// The most addresses of one peer that are tried.
const ADDRESSES: usize = 16;

/// The links with peers. Clones share them.
#[derive(Clone)]
pub struct Peers {
    inner: Arc<Inner>,
}

struct Inner {
    keeper: Handle,
    dialer: Dialer,
    /// Standing links; `true` for those that were dialed from here.
    lines: Mutex<BTreeMap<(SnName, bool), Line>>,
    /// Who has told its claims since the start.
    heard: watch::Sender<BTreeSet<SnName>>,
    nursery: Nursery,
}

struct Line {
    id: u64,
    link: Link,
    confirmed: Confirmed,
}

impl Peers {
    /// No links yet; [`Peers::run`] makes them.
    ///
    /// # Errors
    /// When the identity is of no use.
    pub fn new(
        identity: &Identity,
        bind: Ipv4Addr,
        keeper: Handle,
        stop: CancellationToken,
    ) -> Result<Self, LinkError> {
        let bind = Some(SocketAddr::from((bind, 0)));
        let options = LinkOptions { connect: CONNECT, bind, ..LinkOptions::default() };
        let inner = Inner {
            keeper,
            dialer: Dialer::with_options(identity, options)?,
            lines: Mutex::default(),
            heard: watch::Sender::new(BTreeSet::new()),
            nursery: Nursery::new("peer", MOST, stop),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Keeps a link to each peer of the slice until stopped.
    ///
    /// # Errors
    /// None now.
    pub async fn run(self, stop: CancellationToken) -> Result<(), BoxError> {
        let mut serving = self.inner.keeper.serving();
        let mut dials: HashMap<SnName, Dial> = HashMap::new();
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                changed = serving.changed() => if changed.is_err() { break },
                _ = tick.tick() => {}
            }
            let now = Arc::clone(&serving.borrow_and_update());
            let peers = peers(&now);
            dials.retain(|sn, _| peers.iter().any(|peer| peer.sn == *sn));
            for peer in peers {
                let dial = dials.entry(peer.sn.clone()).or_insert_with(Dial::new);
                if self.stands(&peer.sn) {
                    dial.backoff.reset();
                } else if dial.is_due() {
                    dial.begin(&self, peer);
                }
            }
        }
        self.inner.dialer.close().await;
        Ok(())
    }

    /// Talks with a peer that has connected, until the link ends.
    pub async fn admit(&self, sn: SnName, link: Link) {
        let line = self.enter(&sn, &link, false);
        self.converse(sn, link, false, line).await;
    }

    /// Tells `sn` who owns what, now, and says whether it obeys.
    pub async fn ask(&self, sn: &SnName, addresses: &[Ipv4Addr]) -> PeerWord {
        let asked = tokio::time::timeout(ASK, async {
            let mut why = "it has no address".to_owned();
            loop {
                // A link that is dead and not yet noticed must not use up the time of the question.
                if tokio::time::timeout(ANSWER, self.told(sn)).await == Ok(true) {
                    return PeerWord::Heard;
                }
                if let Err(error) = self.dial(sn, addresses).await {
                    why = error;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                if addresses.is_empty() {
                    return PeerWord::Unreachable(why);
                }
            }
        });
        asked
            .await
            .unwrap_or_else(|_| PeerWord::Unreachable(format!("no word from it in {} ms", ASK.as_millis())))
    }

    /// Returns when every peer of the slice has told its claims; never where there is no peer, who
    /// alone could tell.
    pub async fn all_heard(&self) {
        let serving = self.inner.keeper.serving();
        let want: Vec<SnName> = peers(&serving.borrow()).into_iter().map(|peer| peer.sn).collect();
        if want.is_empty() {
            return std::future::pending().await;
        }
        let mut heard = self.inner.heard.subscribe();
        let _ = heard.wait_for(|heard| want.iter().all(|sn| heard.contains(sn))).await;
    }

    /// Whether a standing link has the peer's word for what is claimed now.
    async fn told(&self, sn: &SnName) -> bool {
        let want = claims(&self.inner.keeper.serving().borrow().claimed, sn);
        let confirmed: Vec<Confirmed> = {
            let lines = self.lines();
            let lines = lines.range((sn.clone(), false)..=(sn.clone(), true));
            lines.map(|(_, line)| line.confirmed.clone()).collect()
        };
        for mut confirmed in confirmed {
            if confirmed.wait_for(|said| said.as_ref() == Some(&want)).await.is_ok() {
                return true;
            }
        }
        false
    }

    fn stands(&self, sn: &SnName) -> bool {
        self.lines().range((sn.clone(), false)..=(sn.clone(), true)).next().is_some()
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<(SnName, bool), Line>> {
        self.inner.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, and leaves a task that talks.
    async fn dial(&self, sn: &SnName, addresses: &[Ipv4Addr]) -> Result<(), String> {
        let link = self.connect(sn, addresses).await?;
        // Entered here, so that who asked finds the line.
        let line = self.enter(sn, &link, true);
        let (peers, sn, key) = (self.clone(), sn.clone(), (sn.clone(), true));
        let id = line.0;
        if !self.inner.nursery.try_spawn(async move { peers.converse(sn, link, true, line).await }) {
            self.leave(&key, id);
            return Err("too many links with peers".to_owned());
        }
        Ok(())
    }

    /// The first of the addresses that answers, all tried at once: a peer that lost one of its
    /// networks must not cost the time of the question.
    async fn connect(&self, sn: &SnName, addresses: &[Ipv4Addr]) -> Result<Link, String> {
        let port = port(&self.inner.keeper.serving().borrow());
        let mut attempts = tokio::task::JoinSet::new();
        for address in addresses.iter().copied().take(ADDRESSES) {
            let (inner, role) = (Arc::clone(&self.inner), Role::ServiceNode(sn.clone()));
            attempts.spawn(async move { inner.dialer.connect((address, port).into(), &role).await });
        }
        let mut why = "it has no address".to_owned();
        while let Some(ended) = attempts.join_next().await {
            match ended {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error)) => why = common::report::chain(&error),
                Err(error) => why = error.to_string(),
            }
        }
        Err(why)
    }

    /// Enters a link in place of an older one, which ends.
    fn enter(&self, sn: &SnName, link: &Link, dialed: bool) -> (u64, Confirming) {
        let id = random_u64();
        let (confirming, confirmed) = watch::channel(None);
        let line = Line { id, link: link.clone(), confirmed };
        if let Some(older) = self.lines().insert((sn.clone(), dialed), line) {
            older.link.close("a newer link of yours came");
        }
        (id, confirming)
    }

    /// Takes a link out, unless a newer one stands in its place.
    fn leave(&self, key: &(SnName, bool), id: u64) {
        let mut lines = self.lines();
        if lines.get(key).is_some_and(|line| line.id == id) {
            lines.remove(key);
        }
    }

    async fn converse(&self, sn: SnName, link: Link, dialed: bool, (id, confirming): (u64, Confirming)) {
        let ended = talk::run(&self.inner, &sn, &link, dialed, &confirming).await;
        let error = ended.err().map(|error| common::report::chain(&error));
        tracing::debug!(peer = %sn, error, "the talk with a peer ended");
        link.close("the talk is over");
        self.leave(&(sn, dialed), id);
    }
}

/// The attempts to reach one peer.
struct Dial {
    backoff: Backoff,
    at: common::id::Moment,
}

impl Dial {
    fn new() -> Self {
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(3), random_u64());
        Self { backoff, at: runtime::clock::now() }
    }

    fn is_due(&self) -> bool {
        runtime::clock::now() >= self.at
    }

    fn begin(&mut self, peers: &Peers, peer: Peer) {
        // Not before an attempt can have ended.
        self.at = runtime::clock::now() + self.backoff.next() + CONNECT;
        let peers = peers.clone();
        let nursery = peers.inner.nursery.clone();
        let attempt = async move {
            if let Err(error) = peers.dial(&peer.sn, &peer.addresses).await {
                tracing::debug!(peer = %peer.sn, error, "could not reach a peer");
            }
        };
        if !nursery.try_spawn(attempt) {
            tracing::warn!("could not dial a peer: too many links with peers");
        }
    }
}

fn peers(serving: &Serving) -> Vec<Peer> {
    let entries = serving.slice.entries();
    entries
        .filter_map(|entry| match entry {
            Entry::Peer(peer) => Some(peer.clone()),
            _ => None,
        })
        .collect()
}

fn port(serving: &Serving) -> u16 {
    serving.slice.site().map_or(common::wire::SN_PORT, |site| site.agent_port)
}
