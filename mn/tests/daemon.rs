//! The daemon as it is met from outside: by commands on its socket, by service nodes on its port.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::id::{Digest, Epoch, Generation};
use common::slice::{Slice, Stamp};
use common::wire::join::Token;
use common::wire::operator::{Reply, Request, View};
use common::wire::push::{Ack, FromSn, Hello, LogLine, Outcome, Report, Reported, ToSn};
use common::wire::{Opening, PROTOCOL, content};
use mn::daemon::{self, Config, InitOptions};
use mn_core::command::{
    Asked, Command, Define, Lsslice, Operation, Query, Range, Rmdef, Sent, Tabdump, TokenCreate,
};
use runtime::link::connection::Link;
use runtime::link::endpoint::Dialer;
use runtime::link::identity::{Identity, Role};
use runtime::link::stream::{FrameReceiver, FrameSender};
use tokio::sync::oneshot;

/// How long anything may take before a test gives up on it.
const LONG: Duration = Duration::from_secs(30);

/// A daemon in a thread of this process, which ends with it.
struct Daemon {
    dir: PathBuf,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Daemon {
    fn start(dir: &Path) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, address) = std::sync::mpsc::channel();
        let place = dir.to_owned();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let config = Config {
                listen: "127.0.0.1:0".parse().unwrap(),
                wait: Duration::from_secs(5),
                ..Config::default()
            };
            let ready = move |address| ready.send(address).unwrap();
            let stop = async move { drop(stopped.await) };
            runtime.block_on(daemon::run(&place, &config, stop, ready)).unwrap();
        });
        let address = address.recv_timeout(LONG).unwrap();
        Self { dir: dir.to_owned(), address, stop: Some(stop), thread: Some(thread) }
    }

    /// Asks on the socket; gives status, standard output and standard error.
    fn ask(&self, asked: Asked) -> (u8, String, String) {
        ask(&self.dir, asked)
    }

    fn token(&self, sn: &str) -> Token {
        let args = TokenCreate { name: sn.to_owned(), addresses: Vec::new(), define: true, operator: false };
        let (status, out, err) = self.ask(Asked::Operate(Operation::TokenCreate(args)));
        assert_eq!(status, 0, "{err}");
        out.trim().parse().unwrap()
    }

    fn table(&self, name: &str) -> String {
        let query = Query::Tabdump(Tabdump { table: Some(name.to_owned()), ..Tabdump::default() });
        self.ask(Asked::Query(query)).1
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

fn ask(dir: &Path, asked: Asked) -> (u8, String, String) {
    let request = Request {
        protocol: PROTOCOL,
        words: vec!["test".to_owned(), format!("{asked:?}").chars().take(20).collect()],
        command: postcard::to_stdvec(&Sent::V1(asked)).unwrap(),
        view: View::default(),
        parts: 0,
    };
    let (mut out, mut err) = (String::new(), String::new());
    let status = mn::client::call(dir, request, |reply| match reply {
        Reply::Out(text) => out.push_str(&text),
        Reply::Err(text) => err.push_str(&text),
        Reply::Progress { .. } | Reply::Done { .. } => {}
    });
    (status.unwrap(), out, err)
}

fn made() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("mn");
    daemon::init(&dir, &InitOptions { name: Some("mn1".to_owned()), ..InitOptions::default() }).unwrap();
    (folder, dir)
}

fn chdef(what: &str, kind: &str, attributes: &[(&str, &str)]) -> Asked {
    let attributes =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Asked::Change(Command::Chdef(Define {
        types: vec![kind.to_owned()],
        objects: Some(Range::new(what)),
        attributes,
        ..Define::default()
    }))
}

/// A service node that does what it is told and keeps what it holds.
struct FakeSn {
    _dialer: Dialer,
    link: Link,
    sender: FrameSender,
    receiver: FrameReceiver,
    welcome: (u64, u64),
    slice: Slice,
    stamp: Option<Stamp>,
    wholes: usize,
}

impl FakeSn {
    async fn connect(address: SocketAddr, identity: &Identity, held: Option<(Stamp, Slice)>) -> Self {
        let dialer = Dialer::new(identity).unwrap();
        let link = dialer.connect(address, &Role::ManagementNode).await.unwrap();
        let (mut sender, mut receiver) = link.open().await.unwrap();
        sender.send(&Opening::Control).await.unwrap();
        let (stamp, slice) = held.unzip();
        let hello = Hello {
            protocol: PROTOCOL,
            version: "test".to_owned(),
            holds: stamp.clone(),
            addresses: vec![common::wire::push::InterfaceAddress {
                interface: "eth0".to_owned(),
                address: "10.9.0.1/24".parse().unwrap(),
            }],
            series: 7,
        };
        sender.send(&FromSn::Hello(hello)).await.unwrap();
        let ToSn::Welcome { reports_through, logs_through, .. } = receiver.expect().await.unwrap() else {
            panic!("no welcome")
        };
        let welcome = (reports_through, logs_through);
        let slice = slice.unwrap_or_default();
        Self { _dialer: dialer, link, sender, receiver, welcome, slice, stamp, wholes: 0 }
    }

    /// Takes one push in and acknowledges it.
    async fn apply(&mut self) {
        let ToSn::Push(head) = self.next().await else { panic!("no push") };
        if head.base.is_none() {
            self.slice = Slice::new();
            self.wholes += 1;
        } else {
            assert_eq!(head.base, self.stamp.as_ref().map(|stamp| stamp.generation));
        }
        loop {
            match self.next().await {
                ToSn::Part(part) => self.slice.apply(part).unwrap(),
                ToSn::PushEnd => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(self.slice.digest(), head.stamp.digest);
        let last = self.stamp.as_ref().map_or(Generation::ZERO, |stamp| stamp.generation);
        // A connection begins with a push, be it of nothing; see `mn_core::delivery`.
        let is_held = self.stamp.as_ref() == Some(&head.stamp);
        assert!(is_held || head.stamp.generation > last, "generations never go back");
        self.stamp = Some(head.stamp.clone());
        let ack = Ack { stamp: head.stamp, outcome: Outcome::Applied };
        self.sender.send(&FromSn::Ack(ack)).await.unwrap();
    }

    /// Applies pushes until the slice is as `wanted`.
    async fn until(&mut self, wanted: impl Fn(&Slice) -> bool) {
        while !wanted(&self.slice) {
            self.apply().await;
        }
    }

    async fn next(&mut self) -> ToSn {
        tokio::time::timeout(LONG, self.receiver.expect()).await.unwrap().unwrap()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn define(daemon: &Daemon) {
    let net = [("net", "10.9.0.0"), ("mask", "255.255.255.0"), ("gateway", "<xcatmaster>")];
    assert_eq!(daemon.ask(chdef("mgt", "network", &net)).0, 0);
    let node = [
        ("groups", "all"),
        ("servicenode", "sn1"),
        ("ip", "10.9.0.11"),
        ("mac", "52:54:00:00:00:11"),
        ("netboot", "xnba"),
    ];
    let (status, _, err) = daemon.ask(chdef("n1", "node", &node));
    assert_eq!(status, 0, "{err}");
}

#[test]
fn a_service_node_joins_and_follows_every_change() {
    let (_folder, dir) = made();
    let daemon = Daemon::start(&dir);
    let token = daemon.token("sn1");
    define(&daemon);
    let runtime = runtime();
    let identity = runtime.block_on(runtime::link::join::join(&token)).unwrap();
    assert!(runtime.block_on(runtime::link::join::join(&token)).is_err(), "a token works once");
    let held = runtime.block_on(async {
        let mut sn = FakeSn::connect(daemon.address, &identity, None).await;
        sn.until(|slice| slice.nodes().any(|node| node.name.as_str() == "n1")).await;
        let (dir, first) = (daemon.dir.clone(), sn.stamp.clone().unwrap());
        // A command returns when the change is applied; so the change and its push run beside.
        let change = tokio::task::spawn_blocking(move || {
            ask(&dir, chdef("n1", "node", &[("mac", "52:54:00:00:00:12")]))
        });
        sn.until(|slice| {
            slice.nodes().any(|node| node.interfaces.iter().any(|one| one.mac.bytes()[5] == 0x12))
        })
        .await;
        let (status, _, err) = change.await.unwrap();
        assert_eq!((status, err.as_str()), (0, ""), "it was waited for");
        assert!(sn.stamp.clone().unwrap().generation > first.generation);
        assert_eq!(sn.wholes, 1, "a change is a delta");
        (sn.stamp.clone().unwrap(), sn.slice.clone())
    });
    assert!(daemon.table("snaddress").contains("10.9.0.1/24"), "{}", daemon.table("snaddress"));
    drop(daemon);
    // The management node comes back, with the same numbers: nothing is sent again.
    let daemon = Daemon::start(&dir);
    runtime.block_on(async {
        let mut sn = FakeSn::connect(daemon.address, &identity, Some(held)).await;
        // A connection begins with a push; a change before it would make that push a whole.
        sn.apply().await;
        let dir = daemon.dir.clone();
        let change = tokio::task::spawn_blocking(move || {
            ask(&dir, chdef("n1", "node", &[("mac", "52:54:00:00:00:13")]))
        });
        sn.until(|slice| {
            slice.nodes().any(|node| node.interfaces.iter().any(|one| one.mac.bytes()[5] == 0x13))
        })
        .await;
        assert_eq!(change.await.unwrap().0, 0);
        assert_eq!(sn.wholes, 0, "what is held is not sent again");
    });
    let (status, out, _) = daemon.ask(Asked::Query(Query::Lsslice(Lsslice::default())));
    assert!(out.contains("sn1"), "{status} {out}");
}

#[test]
fn reports_and_log_lines_are_stored_once_and_acknowledged() {
    let (_folder, dir) = made();
    let daemon = Daemon::start(&dir);
    let token = daemon.token("sn1");
    define(&daemon);
    let runtime = runtime();
    let identity = runtime.block_on(runtime::link::join::join(&token)).unwrap();
    runtime.block_on(async {
        let mut sn = FakeSn::connect(daemon.address, &identity, None).await;
        sn.until(|slice| slice.nodes().count() == 1).await;
        let report =
            |what| Report { node: "n1".parse().unwrap(), at: 1_700_000_000, epoch: Epoch::new(1), what };
        let reports = vec![report(Reported::Status("booting".to_owned())), report(Reported::Connected(true))];
        for _ in 0..2 {
            sn.sender.send(&FromSn::Reports { through: 2, reports: reports.clone() }).await.unwrap();
            assert_eq!(sn.next().await, ToSn::ReportsStored(2));
        }
        let lines = vec![LogLine { node: "n1".parse().unwrap(), line: b"hello".to_vec() }];
        for _ in 0..2 {
            sn.sender.send(&FromSn::Logs { through: 1, lines: lines.clone() }).await.unwrap();
            assert_eq!(sn.next().await, ToSn::LogsStored(1));
        }
    });
    assert!(daemon.table("nodelist").contains("booting"));
    assert!(daemon.table("agent").contains("sn1"));
    assert_eq!(std::fs::read_to_string(dir.join("log/n1.log")).unwrap(), "hello\n");
    drop(daemon);
    let daemon = Daemon::start(&dir);
    let welcome = runtime.block_on(async { FakeSn::connect(daemon.address, &identity, None).await.welcome });
    assert_eq!(welcome, (2, 1));
}

#[test]
fn a_removed_service_node_is_cut_off_at_once() {
    let (_folder, dir) = made();
    let daemon = Daemon::start(&dir);
    let token = daemon.token("sn1");
    let runtime = runtime();
    let identity = runtime.block_on(runtime::link::join::join(&token)).unwrap();
    let sn = runtime.block_on(FakeSn::connect(daemon.address, &identity, None));
    let rmdef = Rmdef { objects: Some(Range::new("sn1")), force: true, ..Rmdef::default() };
    let (status, _, err) = daemon.ask(Asked::Change(Command::Rmdef(rmdef)));
    assert_eq!(status, 0, "{err}");
    let ended = runtime.block_on(async { tokio::time::timeout(LONG, sn.link.closed()).await.unwrap() });
    let why = common::report::chain(&ended);
    assert!(why.contains("no member any more"), "{why}");
    assert!(!daemon.table("member").contains("sn1"));
    // And it does not come in again.
    runtime.block_on(async {
        let dialer = Dialer::new(&identity).unwrap();
        let link = dialer.connect(daemon.address, &Role::ManagementNode).await.unwrap();
        tokio::time::timeout(LONG, link.closed()).await.unwrap();
    });
}

#[test]
fn a_conversation_that_does_not_begin_ends_the_link() {
    let (_folder, dir) = made();
    let daemon = Daemon::start(&dir);
    let token = daemon.token("sn1");
    let runtime = runtime();
    let identity = runtime.block_on(runtime::link::join::join(&token)).unwrap();
    let first = |words: fn() -> Vec<FromSn>| {
        runtime.block_on(async {
            let dialer = Dialer::new(&identity).unwrap();
            let link = dialer.connect(daemon.address, &Role::ManagementNode).await.unwrap();
            let (mut sender, _receiver) = link.open().await.unwrap();
            if words().is_empty() {
                // No opening: as from a program that is much newer.
                sender.send(&u64::MAX).await.unwrap();
            } else {
                sender.send(&Opening::Control).await.unwrap();
            }
            for word in words() {
                sender.send(&word).await.unwrap();
            }
            let ended = tokio::time::timeout(LONG, link.closed()).await.expect("the link ends");
            common::report::chain(&ended)
        })
    };
    let why = first(Vec::new);
    assert!(why.contains("no opening"), "{why}");
    let why = first(|| vec![FromSn::Addresses(Vec::new())]);
    assert!(why.contains("could not go on"), "{why}");
}

#[test]
fn an_unknown_name_and_a_wrong_secret_get_the_same_words() {
    let (_folder, dir) = made();
    let daemon = Daemon::start(&dir);
    let token = daemon.token("sn1");
    let runtime = runtime();
    let wrong = Token { secret: common::slice::JoinSecret([9; 16]), ..token.clone() };
    let unknown = Token { name: "sn9".parse().unwrap(), ..token.clone() };
    let said = [wrong, unknown].map(|token| {
        let error = runtime.block_on(runtime::link::join::join(&token)).unwrap_err();
        error.refusal(&token).because.unwrap_or_default() + &error.to_string()
    });
    assert_eq!(said[0].replace("sn9", "sn1"), said[1].replace("sn9", "sn1"));
    // The right one still works: a wrong guess does not spend it.
    runtime.block_on(runtime::link::join::join(&token)).unwrap();
}

#[test]
fn content_is_sent_by_hash_to_those_whose_slice_names_it() {
    let (_folder, dir) = made();
    let script = b"#!/bin/sh\necho hello\n".repeat(30_000);
    std::fs::write(dir.join("tree/install/postscripts/hello"), &script).unwrap();
    std::fs::write(dir.join("tree/install/secret"), b"not for this one").unwrap();
    let daemon = Daemon::start(&dir);
    let token = daemon.token("sn1");
    define(&daemon);
    assert_eq!(daemon.ask(chdef("n1", "node", &[("postscripts", "hello")])).0, 0);
    let runtime = runtime();
    let identity = runtime.block_on(runtime::link::join::join(&token)).unwrap();
    runtime.block_on(async {
        let mut sn = FakeSn::connect(daemon.address, &identity, None).await;
        let hash = Digest::of(&script);
        sn.until(|slice| slice.nodes().any(|node| node.scripts.iter().any(|script| script.hash == hash)))
            .await;
        assert_eq!(fetch(&sn.link, hash, 100).await.unwrap(), script[100..]);
        assert_eq!(fetch(&sn.link, Digest::of(b"nothing"), 0).await, None);
    });
}

async fn fetch(link: &Link, hash: Digest, offset: u64) -> Option<Vec<u8>> {
    let (mut sender, mut receiver) = link.open().await.unwrap();
    sender.send(&Opening::Fetch(content::Fetch { hash, offset })).await.unwrap();
    let content::Fetched::Bytes(length) = receiver.expect().await.unwrap() else { return None };
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = receiver.read_bytes(&mut buffer).await.unwrap();
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
    assert_eq!(bytes.len() as u64, length);
    Some(bytes)
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let (_folder, dir) = made();
    let mut acknowledged = BTreeSet::new();
    for round in 0..4u32 {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mn"))
            .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
            .arg(&dir)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let deadline = runtime::clock::now() + LONG;
        while std::os::unix::net::UnixStream::connect(dir.join("mn.sock")).is_err() {
            assert!(runtime::clock::now() < deadline, "it does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        let (sender, done) = std::sync::mpsc::channel();
        let writers: Vec<_> = (0..8u32)
            .map(|writer| {
                let (dir, sender) = (dir.clone(), sender.clone());
                std::thread::spawn(move || {
                    for n in 0.. {
                        let name = format!("r{round}w{writer}n{n}");
                        let asked = chdef(&name, "node", &[("groups", "all")]);
                        let request = Request {
                            protocol: PROTOCOL,
                            words: vec!["chdef".to_owned(), name.clone()],
                            command: postcard::to_stdvec(&Sent::V1(asked)).unwrap(),
                            view: View::default(),
                            parts: 0,
                        };
                        match mn::client::call(&dir, request, |_| ()) {
                            Ok(0) => sender.send(name).unwrap(),
                            Ok(status) => panic!("status {status}"),
                            Err(_) => return,
                        }
                    }
                })
            })
            .collect();
        drop(sender);
        for name in done.iter().take(100) {
            acknowledged.insert(name);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(done.iter());
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    }
    let daemon = Daemon::start(&dir);
    let nodes = daemon.table("nodelist");
    let there: BTreeSet<String> = nodes
        .lines()
        .filter_map(|line| line.strip_prefix('"')?.split_once('"'))
        .map(|(name, _)| name.to_owned())
        .collect();
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(
        acknowledged.len() >= 400 && lost.is_empty(),
        "{} acknowledged, lost {lost:?}",
        acknowledged.len()
    );
}

#[test]
fn another_user_is_refused_with_a_reason() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    if !nix::unistd::geteuid().is_root() {
        return; // Only root can become someone else.
    }
    let (folder, dir) = made();
    let daemon = Daemon::start(&dir);
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_mn"), &program).unwrap();
    let output = std::process::Command::new(program)
        .args(["chdef", "n1", "groups=all", "--dir"])
        .arg(&dir)
        .uid(65_534)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("Error: Permission denied for request\n"), "{error}");
    assert!(error.contains("because") && error.contains("try"), "{error}");
    assert_eq!(output.status.code(), Some(1));
    assert!(!daemon.table("nodelist").contains("\"n1\""));
}
