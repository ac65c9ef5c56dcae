//! A management node, agents and the real `sn` program around one loopback address, for tests.
//!
//! The management node here does exactly what a test says, also what the real one never would.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::id::{Digest, Epoch, Generation, MacAddr, NodeName, SnName};
use common::slice::{
    Boot, Entry, Host, Interface, Netboot, Node, Peer, PoolMember, Role as NodeRole, Servers, Services, Site,
    Slice, Stamp,
};
use common::wire::agent::{Desired, FromAgent, ToAgent};
use common::wire::content::Fetched;
use common::wire::join::{JoinAnswer, Kind, RelayedJoin, Token, proves};
use common::wire::push::{Ack, FromSn, Hello, PushHead, ToSn};
use common::wire::{Opening, PROTOCOL};
use runtime::link::LinkError;
use runtime::link::authority::{Authority, random_secret};
use runtime::link::connection::Link;
use runtime::link::endpoint::{Arrived, Dialer, Listener};
use runtime::link::identity::{Identity, Role};
use runtime::link::stream::{FrameReceiver, FrameSender};

/// Longer than anything here takes on a busy machine; a test that waits this long has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The port for agents. Every service node of the tests has an address of its own.
pub(crate) const AGENT_PORT: u16 = 17_701;

/// A loopback address that no other test uses, in this process or beside it.
pub(crate) fn address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high % 250 + 1, low, u8::try_from(next).unwrap())
}

pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, work).await {
        Ok(done) => done,
        Err(_) => panic!("waited too long: {what}"),
    }
}

/// A management node.
pub(crate) struct Mn {
    pub(crate) authority: Authority,
    listener: Listener,
    pub(crate) address: SocketAddr,
    secret: common::slice::JoinSecret,
    _dir: tempfile::TempDir,
}

impl Mn {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create(dir.path(), "test").unwrap();
        let listener =
            Listener::bind("127.0.0.1:0".parse().unwrap(), &authority.own_identity().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        Self { authority, listener, address, secret: random_secret(), _dir: dir }
    }

    /// A management node that was away comes back on its old port.
    pub(crate) async fn restart(self) -> Self {
        let Self { authority, listener, address, secret, _dir } = self;
        listener.close();
        listener.drained().await;
        drop(listener);
        let identity = authority.own_identity().unwrap();
        let listener = soon("the port to be free again", async {
            loop {
                match Listener::bind(address, &identity) {
                    Ok(listener) => return listener,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        Self { listener: listener.await, authority, address, secret, _dir }
    }

    pub(crate) fn token(&self, kind: Kind, name: &str, at: SocketAddr) -> Token {
        Token {
            kind,
            name: name.parse().unwrap(),
            addresses: vec![at],
            authority: self.authority.fingerprint(),
            secret: self.secret.clone(),
        }
    }

    pub(crate) fn certify(&self, join: &RelayedJoin) -> JoinAnswer {
        let request = &join.request;
        if !proves(&self.secret, &join.exported, &request.public_key, &request.proof) {
            return JoinAnswer::Refused("no".to_owned());
        }
        let role = match request.kind {
            Kind::ServiceNode => Role::ServiceNode(SnName::from(&request.name)),
            Kind::Agent => Role::Agent(request.name.clone()),
            Kind::Operator => Role::Operator(request.name.clone()),
        };
        let chain = self.authority.certify(&role, &request.public_key, 30).unwrap();
        JoinAnswer::Welcome { chain, slice_key: self.authority.slice_key() }
    }

    /// Lets the next stranger in.
    pub(crate) async fn admit_stranger(&self) {
        loop {
            let incoming = self.listener.accept().await.unwrap();
            if let Ok(Arrived::Stranger(mut stranger)) = incoming.establish().await {
                let join = stranger.request().await.unwrap();
                let answer = self.certify(&join);
                stranger.answer(answer).await.unwrap();
                return;
            }
        }
    }

    /// An identity of this cluster.
    pub(crate) async fn identity(&self, kind: Kind, name: &str) -> Identity {
        let token = self.token(kind, name, self.address);
        let (identity, ()) = tokio::join!(runtime::link::join::join(&token), self.admit_stranger());
        identity.unwrap()
    }

    /// The next service node that connects, after its greeting and our welcome.
    pub(crate) async fn session(&self) -> Session {
        self.session_having(0, 0).await
    }

    pub(crate) async fn session_having(&self, reports_through: u64, logs_through: u64) -> Session {
        soon("a service node to connect", async {
            loop {
                let incoming = self.listener.accept().await.unwrap();
                let Ok(Arrived::Member(link)) = incoming.establish().await else { continue };
                let (mut sender, mut receiver) = link.accept().await.unwrap();
                assert_eq!(receiver.expect::<Opening>().await.unwrap(), Opening::Control);
                let FromSn::Hello(hello) = receiver.expect().await.unwrap() else { panic!("no greeting") };
                let welcome = ToSn::Welcome { protocol: PROTOCOL, reports_through, logs_through };
                sender.send(&welcome).await.unwrap();
                return Session { link, sender, receiver, hello };
            }
        })
        .await
    }

    pub(crate) fn head(&self, sn: &str, generation: u64, slice: &Slice, base: Option<u64>) -> PushHead {
        let stamp = Stamp {
            sn: sn.parse().unwrap(),
            generation: Generation::new(generation),
            digest: slice.digest(),
        };
        let signature = self.authority.sign_stamp(&stamp);
        PushHead { stamp, signature, base: base.map(Generation::new) }
    }
}

/// A conversation with a service node.
pub(crate) struct Session {
    pub(crate) link: Link,
    pub(crate) sender: FrameSender,
    pub(crate) receiver: FrameReceiver,
    pub(crate) hello: Hello,
}

impl Session {
    /// Pushes, and gives the first acknowledgement of it.
    pub(crate) async fn push(&mut self, head: PushHead, base: &Slice, slice: &Slice) -> Ack {
        self.sender.send(&ToSn::Push(head.clone())).await.unwrap();
        self.sender.send(&ToSn::Part(base.delta_to(slice))).await.unwrap();
        self.sender.send(&ToSn::PushEnd).await.unwrap();
        self.ack(&head.stamp).await
    }

    pub(crate) async fn ack(&mut self, stamp: &Stamp) -> Ack {
        let ack = self.next("an acknowledgement", |message| match message {
            FromSn::Ack(ack) if ack.stamp == *stamp => Some(ack),
            _ => None,
        });
        ack.await
    }

    /// The next message that `choose` wants; others are passed over.
    pub(crate) async fn next<T>(&mut self, what: &str, choose: impl Fn(FromSn) -> Option<T>) -> T {
        soon(what, async {
            loop {
                if let Some(found) = choose(self.receiver.expect().await.unwrap()) {
                    return found;
                }
            }
        })
        .await
    }

    /// Answers one fetch with `content`.
    pub(crate) async fn serve_content(&self, content: &[u8]) -> u64 {
        soon("a fetch", async {
            let (mut sender, mut receiver) = self.link.accept().await.unwrap();
            let Opening::Fetch(fetch) = receiver.expect().await.unwrap() else { panic!("not a fetch") };
            let rest = &content[usize::try_from(fetch.offset).unwrap()..];
            sender.send(&Fetched::Bytes(rest.len() as u64)).await.unwrap();
            sender.send_bytes(rest).await.unwrap();
            sender.finish();
            sender.delivered().await;
            fetch.offset
        })
        .await
    }
}

/// The program, in a folder of its own. Killed when it is dropped.
pub(crate) struct Sn {
    pub(crate) name: &'static str,
    pub(crate) address: Ipv4Addr,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl Sn {
    /// Joined, and not started.
    pub(crate) async fn joined(mn: &Mn, name: &'static str) -> Self {
        let sn = Self { name, address: address(), dir: tempfile::tempdir().unwrap(), child: None };
        let token = mn.token(Kind::ServiceNode, name, mn.address).to_string();
        let joining = tokio::process::Command::new(env!("CARGO_BIN_EXE_sn"))
            .args(["join", &token, "--dir"])
            .arg(sn.dir.path())
            .output();
        let (output, ()) = soon("sn join", async { tokio::join!(joining, mn.admit_stranger()) }).await;
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        sn
    }

    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    pub(crate) fn start_with(&mut self, extra: &[&str]) {
        let ports = ["dhcp", "dhcp-client", "tftp", "http", "dns", "ntp", "syslog"];
        let child = Command::new(env!("CARGO_BIN_EXE_sn"))
            .args(["serve", "--nfs", "none", "--dir"])
            .arg(self.dir.path())
            .args(["--bind", &self.address.to_string(), "--agent-port", &AGENT_PORT.to_string()])
            .args(ports.iter().map(|port| format!("--{port}-port=0")))
            .args(extra)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; gives how it ended.
    pub(crate) async fn stop(&mut self) -> std::process::ExitStatus {
        let mut child = self.child.take().unwrap();
        let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
        soon("sn to stop", tokio::task::spawn_blocking(move || child.wait().unwrap())).await.unwrap()
    }

    /// Returns when its status says so.
    pub(crate) async fn status(&self, words: &str) {
        let file = self.dir.path().join("status.json");
        soon(words, async {
            while !std::fs::read_to_string(&file).unwrap_or_default().contains(words) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    pub(crate) fn agents_at(&self) -> SocketAddr {
        (self.address, AGENT_PORT).into()
    }

    pub(crate) fn role(&self) -> Role {
        Role::ServiceNode(self.name.parse().unwrap())
    }
}

impl Drop for Sn {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A link of an agent.
pub(crate) struct AgentLink {
    pub(crate) link: Link,
    pub(crate) sender: FrameSender,
    pub(crate) receiver: FrameReceiver,
    _dialer: Dialer,
}

/// Connects as an agent, and keeps trying until the service node is there.
pub(crate) async fn agent(identity: &Identity, sn: &Sn) -> AgentLink {
    let mut link = silent_agent(identity, sn).await;
    link.greet().await;
    link
}

/// The same for one that has not greeted yet.
pub(crate) async fn silent_agent(identity: &Identity, sn: &Sn) -> AgentLink {
    soon("an agent to connect", async {
        loop {
            let dialer = Dialer::new(identity).unwrap();
            if let Ok(link) = dialer.connect(sn.agents_at(), &sn.role()).await {
                let Ok((sender, receiver)) = link.open().await else { continue };
                return AgentLink { link, sender, receiver, _dialer: dialer };
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

impl AgentLink {
    pub(crate) async fn greet(&mut self) {
        let hello = FromAgent::Hello { protocol: PROTOCOL, epoch: Epoch::ZERO, settled: None };
        // Who is not wanted may be refused by now; that shows in what comes back.
        let _ = self.sender.send(&Opening::Control).await;
        let _ = self.sender.send(&hello).await;
    }

    pub(crate) async fn desired(&mut self) -> Result<Desired, LinkError> {
        soon("a desired state", async {
            loop {
                if let ToAgent::Desired(desired) = self.receiver.expect().await? {
                    return Ok(*desired);
                }
            }
        })
        .await
    }
}

/// Entries of a small slice of `sn`.
pub(crate) fn slice(sn: &Sn, nodes: Vec<Node>, peers: &[&Sn]) -> Slice {
    let mut slice = Slice::new();
    let mut put = |entry| slice.put(entry).unwrap();
    put(Entry::Site(Site {
        domain: "cluster".to_owned(),
        forwarders: vec![],
        lease_seconds: 3600,
        http_port: 80,
        agent_port: AGENT_PORT,
        logs_stay: false,
        authority: [0; 32],
    }));
    put(Entry::Services(Services {
        sn: sn.name.parse().unwrap(),
        dhcp: false,
        tftp: false,
        http: false,
        dns: false,
        ntp: false,
        syslog: false,
        nfs: false,
        dhcp_interfaces: vec![],
    }));
    put(Entry::Host(Host { name: "mn".to_owned(), aliases: vec![], addresses: vec![[127, 0, 0, 1].into()] }));
    nodes.into_iter().for_each(|node| put(Entry::Node(Box::new(node))));
    for peer in peers {
        put(Entry::Peer(Peer { sn: peer.name.parse().unwrap(), addresses: vec![peer.address] }));
    }
    slice
}

/// A node of `pool`, the first of which owns it.
pub(crate) fn node(name: &str, role: NodeRole, epoch: u64, pool: &[&Sn], key: Option<Digest>) -> Node {
    let members = pool.iter().map(|sn| PoolMember { sn: sn.name.parse().unwrap(), address: sn.address });
    let master = pool[0].address;
    let last: u8 = name.trim_start_matches('n').parse().unwrap();
    Node {
        name: name.parse::<NodeName>().unwrap(),
        role,
        epoch: Epoch::new(epoch),
        pool: members.collect(),
        interfaces: vec![Interface {
            mac: MacAddr::new([2, 0, 0, 0, 0, last]),
            host: name.to_owned(),
            ip: Some([10, 0, 0, last].into()),
            network: None,
        }],
        servers: Servers {
            master,
            next_server: master,
            nfs_server: master,
            router: None,
            router_is_master: false,
            nameservers: vec![master],
            ntp: vec![master],
            log: Some(master),
            domain: "cluster".to_owned(),
        },
        netboot: Netboot::Xnba,
        boot: Boot::Disk,
        scripts: vec![],
        join: None,
        agent_key: key,
        rests: false,
    }
}
