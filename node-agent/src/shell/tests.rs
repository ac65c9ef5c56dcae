//! The whole agent against service nodes that are simulated, over real links on loopback.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use self::member::certified;
use common::id::{Digest, Epoch};
use common::slice::JoinSecret;
use common::slice::{PoolMember, Script};
use common::wire::Opening;
use common::wire::agent::{Desired, ToAgent};
use common::wire::content::Fetched;
use common::wire::join::{JoinAnswer, Kind};
use common::wire::work::{Run, RunAnswer, SyncFile, Work};
use runtime::link::authority::Authority;
use runtime::link::endpoint::{Arrived, Listener};
use runtime::link::stream::{FrameReceiver, FrameSender};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::apply::root::Root;

/// Members' identities, made as a real join makes them: over a link.
mod member {
    use super::*;

    pub(super) async fn certified(authority: &Authority, kind: Kind, name: &str) -> Identity {
        let mn = authority.own_identity().unwrap();
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &mn).unwrap();
        let token = Token {
            kind,
            name: name.parse().unwrap(),
            addresses: vec![listener.local_addr().unwrap()],
            authority: authority.fingerprint(),
            secret: JoinSecret([1; 16]),
        };
        let role = match kind {
            Kind::ServiceNode => Role::ServiceNode(name.parse().unwrap()),
            Kind::Agent => Role::Agent(name.parse().unwrap()),
            Kind::Operator => Role::Operator(name.parse().unwrap()),
        };
        let admit = async {
            let arrived = listener.accept().await.unwrap().establish().await.unwrap();
            let Arrived::Stranger(mut link) = arrived else { panic!("a stranger was expected") };
            let asked = link.request().await.unwrap();
            let chain = authority.certify(&role, &asked.request.public_key, 1).unwrap();
            link.answer(JoinAnswer::Welcome { chain, slice_key: authority.slice_key() }).await.unwrap();
        };
        let (identity, ()) = tokio::join!(join(&token), admit);
        identity.unwrap()
    }
}

/// A service node that says one state to every agent and remembers what agents say.
struct FakeSn {
    heard: mpsc::Receiver<FromAgent>,
    say: watch::Sender<Option<ToAgent>>,
    _tasks: JoinSet<()>,
}

type Files = Arc<BTreeMap<Digest, Vec<u8>>>;

impl FakeSn {
    fn start(identity: &Identity, address: SocketAddr, files: Files) -> Self {
        let listener = Listener::bind(address, identity).unwrap();
        let (say, saying) = watch::channel(None);
        let (hear, heard) = mpsc::channel(64);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut links = JoinSet::new();
            while let Some(incoming) = listener.accept().await {
                if let Ok(Arrived::Member(link)) = incoming.establish().await {
                    links.spawn(serve_agent(link, hear.clone(), saying.clone(), Arc::clone(&files)));
                }
            }
        });
        Self { heard, say, _tasks: tasks }
    }

    /// The report of this epoch, when it comes.
    async fn report(&mut self, wanted: Epoch) -> Vec<Receipt> {
        loop {
            if let FromAgent::Settled { epoch, receipts, .. } = self.next().await
                && epoch == wanted
            {
                return receipts;
            }
        }
    }

    async fn next(&mut self) -> FromAgent {
        let heard = tokio::time::timeout(Duration::from_secs(20), self.heard.recv()).await;
        heard.expect("the agent says something soon").unwrap()
    }

    fn says(&self, message: ToAgent) {
        self.say.send_replace(Some(message));
    }
}

async fn serve_agent(
    link: Link,
    hear: mpsc::Sender<FromAgent>,
    saying: watch::Receiver<Option<ToAgent>>,
    files: Files,
) {
    let mut streams = JoinSet::new();
    while let Ok((mut sender, mut receiver)) = link.accept().await {
        match receiver.expect::<Opening>().await.unwrap() {
            Opening::Control => {
                streams.spawn(converse(sender, receiver, hear.clone(), saying.clone()));
            }
            Opening::Fetch(fetch) => {
                let Some(bytes) = files.get(&fetch.hash) else {
                    sender.send(&Fetched::Absent).await.unwrap();
                    sender.finish();
                    continue;
                };
                let rest = &bytes[usize::try_from(fetch.offset).unwrap()..];
                sender.send(&Fetched::Bytes(rest.len().try_into().unwrap())).await.unwrap();
                sender.send_bytes(rest).await.unwrap();
                sender.finish();
            }
            Opening::Command(_) | Opening::Renew(_) => panic!("an agent is no operator"),
        }
    }
}

async fn converse(
    mut sender: FrameSender,
    mut receiver: FrameReceiver,
    hear: mpsc::Sender<FromAgent>,
    mut saying: watch::Receiver<Option<ToAgent>>,
) {
    saying.mark_changed();
    loop {
        tokio::select! {
            said = receiver.recv::<FromAgent>() => match said {
                Ok(Some(said)) => hear.send(said).await.unwrap(),
                _ => return,
            },
            changed = saying.changed() => {
                let message = saying.borrow_and_update().clone();
                if let (Ok(()), Some(message)) = (changed, message) {
                    sender.send(&message).await.unwrap();
                }
            }
        }
    }
}

/// Two service nodes of one pool on one port, and what an agent needs to live.
struct Pool {
    dir: TempDir,
    authority: Authority,
    port: u16,
    agent: Identity,
    files: Files,
    identities: BTreeMap<u8, Identity>,
}

impl Pool {
    async fn new(files: Vec<&[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create(&dir.path().join("mn"), "test").unwrap();
        let agent = certified(&authority, Kind::Agent, "n1").await;
        let mut identities = BTreeMap::new();
        for sn in [1, 2] {
            identities.insert(sn, certified(&authority, Kind::ServiceNode, &format!("sn{sn}")).await);
        }
        std::fs::create_dir(dir.path().join("root")).unwrap();
        let port = free_port();
        let files = files.into_iter().map(|bytes| (Digest::of(bytes), bytes.to_vec())).collect();
        Self { dir, authority, port, agent, files: Arc::new(files), identities }
    }

    fn address(sn: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 77, sn)
    }

    fn start(&self, sn: u8) -> FakeSn {
        let address = SocketAddr::new(Self::address(sn).into(), self.port);
        FakeSn::start(&self.identities[&sn], address, Arc::clone(&self.files))
    }

    /// The state of n1 in this epoch, with this owner.
    fn state(&self, epoch: u64, owner: u8) -> ToAgent {
        let other = 3 - owner;
        let member =
            |sn: u8| PoolMember { sn: format!("sn{sn}").parse().unwrap(), address: Self::address(sn) };
        ToAgent::Desired(Box::new(Desired {
            node: "n1".parse().unwrap(),
            epoch: Epoch::new(epoch),
            owner: format!("sn{owner}").parse().unwrap(),
            pool: vec![member(owner), member(other)],
            agent_port: self.port,
            log: Some(Self::address(owner)),
            ntp: vec![Self::address(owner)],
            nameservers: vec![Self::address(owner)],
            domain: "lab".to_owned(),
            hosts: vec![],
            gateway: None,
            scripts: vec![],
            rests: false,
        }))
    }

    fn agent(&self) -> Running {
        let state = State::open(&self.dir.path().join("agent")).unwrap();
        state.keep_seeds(&[SocketAddr::new(Self::address(1).into(), self.port)]).unwrap();
        let host = Host::new(Root::open(&self.dir.path().join("root")).unwrap(), state.clone());
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        let agent = Agent { identity: self.agent.clone(), token: None, state, host };
        task.spawn(serve(agent, stop.clone()));
        Running { stop, task }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    fn syslog(&self) -> String {
        std::fs::read_to_string(self.file("etc/rsyslog.d/remote.conf")).unwrap()
    }
}

struct Running {
    stop: CancellationToken,
    task: JoinSet<Result<(), ShellError>>,
}

impl Running {
    async fn stop(mut self) {
        self.stop.cancel();
        self.task.join_next().await.unwrap().unwrap().unwrap();
    }
}

/// A UDP port that is free at both addresses of a pool.
fn free_port() -> u16 {
    loop {
        let one = std::net::UdpSocket::bind((Pool::address(1), 0)).unwrap();
        let port = one.local_addr().unwrap().port();
        if std::net::UdpSocket::bind((Pool::address(2), port)).is_ok() {
            return port;
        }
    }
}

#[tokio::test]
async fn a_move_is_settled_and_told_to_the_new_owner_in_less_than_two_seconds() {
    let pool = Pool::new(vec![]).await;
    let (mut sn1, mut sn2) = (pool.start(1), pool.start(2));
    let agent = pool.agent();
    assert!(matches!(sn1.next().await, FromAgent::Hello { settled: None, .. }));
    sn1.says(pool.state(1, 1));
    sn1.report(Epoch::new(1)).await;
    assert!(pool.syslog().contains("@127.0.77.1:514"));

    let begun = clock::now();
    sn2.says(pool.state(2, 2));
    sn1.says(pool.state(2, 2));
    let receipts = sn2.report(Epoch::new(2)).await;
    assert!(receipts.iter().all(|receipt| receipt.outcome == StepOutcome::Changed), "{receipts:?}");
    let took = clock::now().since(begun);
    assert!(pool.syslog().contains("@127.0.77.2:514"));
    assert!(took < Duration::from_secs(2), "{took:?}");
    agent.stop().await;
}

#[tokio::test]
async fn with_the_owner_dead_the_agent_is_moved_through_its_backup() {
    let pool = Pool::new(vec![]).await;
    let (mut sn1, mut sn2) = (pool.start(1), pool.start(2));
    let agent = pool.agent();
    sn1.says(pool.state(1, 1));
    sn2.says(pool.state(1, 1));
    sn1.report(Epoch::new(1)).await;
    drop(sn1);
    sn2.report(Epoch::new(1)).await;
    sn2.says(pool.state(2, 2));
    sn2.report(Epoch::new(2)).await;
    assert!(pool.syslog().contains("@127.0.77.2:514"));
    // The dead owner comes back with what it knew; nobody obeys it.
    let sn1 = pool.start(1);
    sn1.says(pool.state(1, 1));
    agent.stop().await;
    let agent = pool.agent();
    sn2.report(Epoch::new(2)).await;
    assert!(pool.syslog().contains("@127.0.77.2:514"));
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_alone_keeps_its_node_as_it_was_told_last() {
    let pool = Pool::new(vec![]).await;
    let mut sn1 = pool.start(1);
    let agent = pool.agent();
    sn1.says(pool.state(1, 1));
    sn1.report(Epoch::new(1)).await;
    agent.stop().await;
    drop(sn1);
    let resolver = pool.file("etc/resolv.conf");
    std::fs::write(&resolver, "nameserver 6.6.6.6\n").unwrap();
    let agent = pool.agent();
    let mut tries = 0;
    while std::fs::read_to_string(&resolver).unwrap().contains("6.6.6.6") {
        tries += 1;
        assert!(tries < 1000, "the resolver was not mended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    agent.stop().await;
}

#[tokio::test]
async fn a_run_brings_files_and_runs_scripts_and_says_what_became_of_each() {
    let body = b"#!/bin/sh\necho hello from $NODE of $MASTER\n";
    // More than one read, and more than one stream window.
    let large: Vec<u8> = (0..1_500_000u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let pool = Pool::new(vec![body, &large]).await;
    let mut sn1 = pool.start(1);
    let agent = pool.agent();
    sn1.says(pool.state(1, 1));
    sn1.report(Epoch::new(1)).await;
    let script = |name: &str, content: &[u8]| Script {
        name: name.to_owned(),
        arguments: vec![],
        hash: Digest::of(content),
    };
    let work = Work {
        sync: vec![SyncFile {
            hash: Digest::of(&large),
            size: large.len().try_into().unwrap(),
            path: "/opt/large".to_owned(),
            mode: 0o640,
        }],
        scripts: vec![script("hello", body), script("lost", b"nobody has this")],
        settle: true,
        timeout_seconds: 20,
    };
    sn1.says(ToAgent::Run(Run { run: 5, nodes: vec!["n1".parse().unwrap()], work }));
    let receipts = loop {
        if let FromAgent::RunAnswer { run: 5, answer: RunAnswer::Done(receipts) } = sn1.next().await {
            break receipts;
        }
    };
    let outcomes: BTreeMap<&str, &StepOutcome> =
        receipts.iter().map(|receipt| (receipt.step.as_str(), &receipt.outcome)).collect();
    assert_eq!(outcomes["sync /opt/large"], &StepOutcome::Changed);
    assert_eq!(outcomes["syslog"], &StepOutcome::Kept);
    let StepOutcome::Ran { output } = outcomes["script hello"] else { panic!("{receipts:?}") };
    assert_eq!(output, "hello from n1 of 127.0.77.1\n");
    assert!(!outcomes["script lost"].is_ok());
    assert_eq!(Digest::of(&std::fs::read(pool.file("opt/large")).unwrap()), Digest::of(&large));
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_is_refused_for_good_joins_again_with_its_token() {
    let pool = Pool::new(vec![]).await;
    let address = SocketAddr::new(Pool::address(1).into(), pool.port);
    let listener = Listener::bind(address, &pool.identities[&1]).unwrap();
    let token = Token {
        kind: Kind::Agent,
        name: "n1".parse().unwrap(),
        addresses: vec![address],
        authority: pool.authority.fingerprint(),
        secret: JoinSecret([1; 16]),
    };
    let state = State::open(&pool.dir.path().join("agent")).unwrap();
    let host = Host::new(Root::open(&pool.dir.path().join("root")).unwrap(), state.clone());
    let stop = CancellationToken::new();
    let identity = pool.agent.clone();
    let agent = Agent { identity, token: Some(token), state: state.clone(), host };
    let mut running = JoinSet::new();
    running.spawn(serve(agent, stop.clone()));
    // The node was made anew: its old key is refused, and its token is good.
    let old = pool.agent.key_digest();
    let welcome = async {
        loop {
            match listener.accept().await.unwrap().establish().await.unwrap() {
                Arrived::Member(link) if Some(link.peer_key()) == old => link.refuse("made anew"),
                Arrived::Member(link) => return link,
                Arrived::Stranger(mut link) => {
                    let asked = link.request().await.unwrap();
                    let role = Role::Agent("n1".parse().unwrap());
                    let chain = pool.authority.certify(&role, &asked.request.public_key, 1).unwrap();
                    let slice_key = pool.authority.slice_key();
                    link.answer(JoinAnswer::Welcome { chain, slice_key }).await.unwrap();
                }
            }
        }
    };
    let link = tokio::time::timeout(Duration::from_secs(40), welcome).await.unwrap();
    assert_eq!(Identity::load(state.dir()).unwrap().key_digest(), Some(link.peer_key()));
    stop.cancel();
    running.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn an_agent_whose_identity_is_no_nodes_does_not_serve() {
    let pool = Pool::new(vec![]).await;
    let state = State::open(&pool.dir.path().join("agent")).unwrap();
    let host = Host::new(Root::open(&pool.dir.path().join("root")).unwrap(), state.clone());
    let identity = certified(&pool.authority, Kind::Operator, "kim").await;
    let agent = Agent { identity, token: None, state, host };
    let refused = serve(agent, CancellationToken::new()).await;
    assert!(matches!(refused, Err(ShellError::NotANode(_))), "{refused:?}");
}
