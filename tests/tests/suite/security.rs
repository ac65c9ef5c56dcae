//! A hostile machine on the wire, and a thief with a member's key: what they get is a refusal, and
//! everyone else is served on.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::id::{Digest, Generation};
use common::slice::{Slice, Stamp};
use common::wire::agent::FromAgent;
use common::wire::push::{FromSn, Hello, Outcome, PushHead, ToSn};
use common::wire::{ALPN_JOIN, ALPN_MEMBER, MN_PORT, Opening, PROTOCOL, SN_PORT, frame};
use nix::sys::signal::Signal;
use runtime::link::authority::Authority;
use runtime::link::endpoint::{Arrived, Listener};
use runtime::link::identity::Role;
use tests::attack::quic::{self, Card, Heard};
use tests::attack::{self, Noise};
use tests::client::dhcp::{self, Firmware};
use tests::client::lookup;
use tests::client::transfer::{self, Transport};
use tests::cluster::{Cluster, DOMAIN, MN_IP, Node};
use tests::net::Host;
use tests::process::Run;
use tests::{Result, sandbox, wait};

/// How much more memory a daemon may have after an attack than before: buffers that it keeps.
const MEMORY: u64 = 96 << 20;

/// How many bad messages each port gets.
const MESSAGES: usize = 1500;

/// A machine on the rack's wire that belongs to nobody.
fn thief(cluster: &Cluster) -> Result<Host> {
    Ok(cluster.guest("thief", None, Some(Ipv4Addr::new(10, 77, 9, 9)))?.host)
}

/// What a running daemon is: to be the same after an attack.
#[derive(Debug)]
struct Daemons {
    mn: u32,
    sn: u32,
    memory: [u64; 2],
}

impl Daemons {
    fn of(cluster: &Cluster) -> Result<Self> {
        let mn = cluster.mn_pid().ok_or("mn does not run")?;
        let sn = cluster.service_nodes[0].pid().ok_or("sn1 does not run")?;
        Ok(Self { mn, sn, memory: [attack::resident(mn)?, attack::resident(sn)?] })
    }

    /// The same processes, with no more memory than they may have, and no panic in their logs.
    fn are_unharmed(&self, cluster: &mut Cluster) -> Result<()> {
        let now = Self::of(cluster)?;
        assert_eq!((self.mn, self.sn), (now.mn, now.sn));
        assert!(cluster.service_nodes[0].is_up(), "sn1 has ended");
        for (before, after) in self.memory.iter().zip(now.memory) {
            assert!(after < before + MEMORY, "from {before} to {after} bytes of memory");
        }
        for log in ["mn.log", "sn1.log"] {
            let said = fs::read_to_string(cluster.work.join(log))?;
            assert!(!said.contains("panicked"), "{log}: {said}");
            assert!(said.len() < 200_000, "strangers filled {log} with {} bytes", said.len());
        }
        Ok(())
    }
}

/// Every service of sn1 answers its real client, the agents obey, and the management node commands.
fn all_is_well(cluster: &Cluster, word: &str) -> Result<()> {
    let (node, sn) = (&cluster.nodes[0], &cluster.service_nodes[0]);
    assert_eq!(node.boot()?.server(), Some(sn.ip));
    assert!(node.script(sn.ip)?.kernel.is_some());
    let file = node.folder().join("fetched");
    transfer::tftp(&node.host, sn.ip, "xcat/osimage/demo/initrd.img", &file)?;
    assert_eq!(fs::read(&file)?, b"an initial RAM disk");
    let name = format!("{}.{DOMAIN}", node.name);
    for words in [&[][..], &["+tcp"]] {
        let dig = Run::new("dig").arg(format!("@{}", sn.ip)).args(["+short", "+time=2"]).args(words.to_vec());
        assert_eq!(dig.arg(&name).on(&node.host)?.ok()?.trim(), node.ip.to_string());
    }
    assert!(lookup::clock(&node.host, sn.ip)?.abs() < 1.0);
    for (way, what) in [(Transport::Udp, "udp"), (Transport::Tcp, "tcp")] {
        let line = format!("{word} {what}");
        transfer::log(&node.host, sn.ip, way, &line)?;
        let logs = [sn.log_of(&node.name), cluster.mn_dir().join("log").join(format!("{}.log", node.name))];
        for log in logs {
            let has = || fs::read_to_string(&log).ok()?.contains(&line).then_some(());
            wait::until(format!("{line:?} in {}", log.display()), wait::LONG, has)?;
        }
    }
    cluster.put("install/postscripts/hello", format!("#!/bin/sh\necho {word}\n").as_bytes())?;
    let said = cluster.ok("updatenode n001 -P hello")?;
    assert!(said.contains(word), "{said}");
    Ok(())
}

/// Messages of which each port's bad ones are made.
fn valid(cluster: &Cluster) -> Result<Vec<(u16, Vec<Vec<u8>>)>> {
    let query = |name: &str, kind: u8| {
        let mut bytes = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).unwrap_or(63));
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.extend_from_slice(&[0, 0, kind, 0, 1]);
        bytes
    };
    // A name whose compression points at itself (RFC 1035 §4.1.4).
    let circle = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01".to_vec();
    let mac = cluster.nodes[0].mac;
    let firmware =
        Firmware { class: Some("PXEClient:Arch:00007".to_owned()), architecture: Some(7), user_class: None };
    let mut ntp = vec![0x23];
    ntp.resize(48, 0);
    let mut initial = b"\xc3\x00\x00\x00\x01\x08abcdefgh\x08ABCDEFGH\x00\x44\xb0".to_vec();
    initial.resize(1200, 0x55);
    Ok(vec![
        (67, vec![dhcp::discover(mac, &firmware)?]),
        (
            69,
            vec![
                b"\0\x01xcat/osimage/demo/vmlinuz\0octet\0blksize\065464\0windowsize\065535\0tsize\00\0"
                    .to_vec(),
                b"\0\x02x\0octet\0".to_vec(),
                b"\0\x04\0\x01".to_vec(),
            ],
        ),
        (53, vec![query("n001.cluster.test", 1), query("1.1.77.10.in-addr.arpa", 12), circle]),
        (123, vec![ntp]),
        (
            514,
            vec![b"<13>Oct 11 22:14:15 n001 su: 'su root' failed".to_vec(), b"<165>1 - - - - - -".to_vec()],
        ),
        (SN_PORT, vec![initial]),
    ])
}

#[test]
fn noise_at_every_udp_port_harms_nobody() {
    sandbox::test("security::noise_at_every_udp_port_harms_nobody", || {
        let mut cluster = Cluster::lay(2, 1)?;
        cluster.start_all_with_agents()?;
        all_is_well(&cluster, "before")?;
        let before = Daemons::of(&cluster)?;
        let sn = cluster.service_nodes[0].ip;
        let thief = thief(&cluster)?;
        for (port, valid) in valid(&cluster)? {
            let messages = Noise::new(u64::from(port)).messages(&valid, MESSAGES);
            // From an address that nobody knows, and from a node's own.
            attack::udp(&thief, SocketAddrV4::new(sn, port), &messages)?;
            attack::udp(&cluster.nodes[1].host, SocketAddrV4::new(sn, port), &messages)?;
            if port == 67 {
                attack::udp(&thief, SocketAddrV4::new(Ipv4Addr::BROADCAST, port), &messages)?;
            }
            if port == SN_PORT {
                attack::udp(&thief, SocketAddrV4::new(MN_IP, MN_PORT), &messages)?;
            }
        }
        all_is_well(&cluster, "afterwards")?;
        before.are_unharmed(&mut cluster)
    });
}

/// Bad streams for each TCP port.
fn streams() -> Vec<(u16, Vec<Vec<u8>>)> {
    let long = |text: &str, count: usize| text.repeat(count).into_bytes();
    let get =
        |head: &str| format!("GET /tftpboot/xcat/osimage/demo/vmlinuz HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n");
    let http = vec![
        long("GET / HTTP/1.1\r\n", 1),
        [b"GET /".to_vec(), long("a", 1 << 20), b" HTTP/1.1\r\n\r\n".to_vec()].concat(),
        get(&"X-Long: x\r\n".repeat(20_000)).into_bytes(),
        get(&format!("Range: bytes={}", "0-0,".repeat(5000))).into_bytes(),
        get("Range: bytes=18446744073709551615-18446744073709551615").into_bytes(),
        get("Content-Length: 99999999999999999999").into_bytes(),
        get("Transfer-Encoding: chunked").into_bytes(),
        b"GET /tftpboot/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
    ];
    let dns = vec![
        b"\xff\xff".to_vec(),
        [b"\xff\xff".to_vec(), vec![0xc0; 65_535]].concat(),
        b"\0\0".to_vec(),
        b"\0\x01\0\0\x01\0\0\x01\0".to_vec(),
    ];
    let syslog = vec![
        b"99999999999999999999 <13>x".to_vec(),
        b"2147483647 <13>".to_vec(),
        long("<13>", 1 << 19),
        long("0 ", 10_000),
        long("\n", 100_000),
    ];
    vec![(80, http), (53, dns), (514, syslog)]
}

#[test]
fn noise_at_every_tcp_port_harms_nobody() {
    sandbox::test("security::noise_at_every_tcp_port_harms_nobody", || {
        let mut cluster = Cluster::lay(2, 1)?;
        cluster.start_all_with_agents()?;
        all_is_well(&cluster, "before")?;
        let before = Daemons::of(&cluster)?;
        let sn = cluster.service_nodes[0].ip;
        let thief = thief(&cluster)?;
        for (port, bad) in streams() {
            let noise = Noise::new(u64::from(port)).messages(&bad, 100);
            attack::tcp(&thief, SocketAddrV4::new(sn, port), &bad)?;
            attack::tcp(&cluster.nodes[1].host, SocketAddrV4::new(sn, port), &bad)?;
            attack::tcp(&thief, SocketAddrV4::new(sn, port), &noise)?;
        }
        all_is_well(&cluster, "afterwards")?;
        before.are_unharmed(&mut cluster)
    });
}

#[test]
fn clients_that_never_finish_keep_nobody_out() {
    sandbox::test("security::clients_that_never_finish_keep_nobody_out", || {
        let mut cluster = Cluster::lay(2, 1)?;
        cluster.start_all_with_agents()?;
        let before = Daemons::of(&cluster)?;
        let sn = cluster.service_nodes[0].ip;
        let thief = thief(&cluster)?;
        let mut held = Vec::new();
        for (port, beginning) in [(80, &b"GET /tft"[..]), (53, b"\0"), (514, b"<13>an unfinished li")] {
            held.extend(attack::hold(&thief, SocketAddrV4::new(sn, port), 700, beginning)?);
        }
        all_is_well(&cluster, "meanwhile")?;
        drop(held);
        before.are_unharmed(&mut cluster)
    });
}

#[test]
fn noise_at_the_operators_socket_harms_nobody() {
    sandbox::test("security::noise_at_the_operators_socket_harms_nobody", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all()?;
        let before = Daemons::of(&cluster)?;
        let socket = cluster.mn_dir().join("mn.sock");
        let tables = cluster.ok("tabdump noderes")?;
        let request = common::wire::operator::Request {
            protocol: PROTOCOL,
            words: vec!["lsdef".to_owned()],
            command: vec![0; 40],
            view: common::wire::operator::View::default(),
            parts: u32::MAX,
        };
        let valid = frame::encode(&request)?;
        let mut bad = Noise::new(1).messages(std::slice::from_ref(&valid), 500);
        bad.extend([valid, u32::MAX.to_be_bytes().to_vec(), vec![0x7f; 1 << 20]]);
        attack::unix(&socket, &bad)?;
        let silent = (0..100).map(|_| std::os::unix::net::UnixStream::connect(&socket));
        let silent = silent.collect::<std::io::Result<Vec<_>>>()?;
        assert_eq!(cluster.ok("tabdump noderes")?, tables);
        drop(silent);
        before.are_unharmed(&mut cluster)
    });
}

/// What a service node says first.
fn hello_of_a_service_node() -> Result<Vec<u8>> {
    let hello =
        Hello { protocol: PROTOCOL, version: "x".to_owned(), holds: None, addresses: vec![], series: 1 };
    Ok([frame::encode(&Opening::Control)?, frame::encode(&FromSn::Hello(hello))?].concat())
}

/// What an agent says first.
fn hello_of_an_agent() -> Result<Vec<u8>> {
    let hello = FromAgent::Hello { protocol: PROTOCOL, epoch: Default::default(), settled: None };
    Ok([frame::encode(&Opening::Control)?, frame::encode(&hello)?].concat())
}

/// Calls a member's port and gives the words of the refusal.
fn refusal(host: &Host, to: SocketAddrV4, card: Option<&Card>, words: &[u8]) -> Result<String> {
    match quic::call(host, to, card, ALPN_MEMBER, words)? {
        Heard::Refused(why) => Ok(why),
        other => Err(format!("{to} did not refuse: {other:?}").into()),
    }
}

#[test]
fn who_has_no_certificate_of_this_cluster_is_refused_everywhere() {
    sandbox::test("security::who_has_no_certificate_of_this_cluster_is_refused_everywhere", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all()?;
        let thief = thief(&cluster)?;
        let elsewhere = |name: &str, role| Card::foreign(&cluster.work.join(name), &role);
        let sn1 = elsewhere("foreign-sn", Role::ServiceNode("sn1".parse()?))?;
        let mn = elsewhere("foreign-mn", Role::ManagementNode)?;
        let n001 = elsewhere("foreign-agent", Role::Agent("n001".parse()?))?;
        let ports = [
            (SocketAddrV4::new(MN_IP, MN_PORT), hello_of_a_service_node()?),
            (SocketAddrV4::new(cluster.service_nodes[0].ip, SN_PORT), hello_of_an_agent()?),
        ];
        for (port, words) in ports {
            let why = refusal(&thief, port, None, &words)?;
            assert!(why.contains("certificate"), "{port}: {why}");
            for foreign in [&sn1, &mn, &n001] {
                let why = refusal(&thief, port, Some(foreign), &words)?;
                assert!(why.contains("the cryptographic handshake failed"), "{port}: {why}");
            }
            let why = quic::call(&thief, port, None, b"h3", &words)?;
            assert!(matches!(&why, Heard::Refused(_)), "{port}: {why:?}");
            // The door for strangers says nothing to who brings no token.
            let said = quic::call(&thief, port, None, ALPN_JOIN, &words)?;
            assert!(!matches!(&said, Heard::Answered(bytes) if bytes.len() > 1000), "{port}: {said:?}");
        }
        Ok(())
    });
}

#[test]
fn a_members_certificate_opens_only_its_own_doors() {
    sandbox::test("security::a_members_certificate_opens_only_its_own_doors", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all_with_agents()?;
        let agent = Card::stolen(&cluster.nodes[0].folder().join("agent"))?;
        let (n001, sn1) = (&cluster.nodes[0].host, SocketAddrV4::new(cluster.service_nodes[0].ip, SN_PORT));
        let mn = SocketAddrV4::new(MN_IP, MN_PORT);
        let why = refusal(n001, mn, Some(&agent), &hello_of_a_service_node()?)?;
        assert!(why.contains("agents speak to their service node"), "{why}");
        // An agent that says what a service node says is no better served at its own service node.
        let heard = quic::call(n001, sn1, Some(&agent), ALPN_MEMBER, &hello_of_a_service_node()?)?;
        assert!(!matches!(heard, Heard::Answered(_)), "{heard:?}");
        all_is_well(&cluster, "afterwards")
    });
}

#[test]
fn an_agent_with_another_nodes_certificate_is_refused() {
    sandbox::test("security::an_agent_with_another_nodes_certificate_is_refused", || {
        let mut cluster = Cluster::lay(2, 1)?;
        cluster.start_all_with_agents()?;
        let [own, other] = [0, 1].map(|number| cluster.nodes[number].folder().join("agent"));
        cluster.nodes[1].stop_agent(Signal::SIGKILL)?;
        fs::remove_dir_all(&other)?;
        Run::new("cp").arg("-a").arg(&own).arg(&other).here()?.ok()?;
        cluster.start_agent(1, None)?;
        let sn1 = &cluster.service_nodes[0];
        let noticed = || sn1.said().contains("refused an agent").then_some(());
        wait::until("sn1 to notice the thief", wait::LONG, noticed)?;
        all_is_well(&cluster, "n001-is-itself")?;
        // n002's agent is n002's agent or nobody.
        wait::until("n002 to be without an agent", wait::LONG, || {
            let said = cluster.command("updatenode n002 -P hello").ok()?;
            assert!(said.status == 1 && !said.out.contains("n001-is-itself"), "{said:?}");
            // Its own agent was killed a moment ago, which takes its time to be noticed.
            said.err.contains("n002: Error: its agent is not connected").then_some(())
        })
    });
}

#[test]
fn a_certificate_from_before_a_new_join_is_refused() {
    sandbox::test("security::a_certificate_from_before_a_new_join_is_refused", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all_with_agents()?;
        let (sn1, mn) =
            (SocketAddrV4::new(cluster.service_nodes[0].ip, SN_PORT), SocketAddrV4::new(MN_IP, MN_PORT));
        let agent = cluster.nodes[0].folder().join("agent");
        let old_agent = Card::stolen(&agent)?;
        let old_sn = Card::stolen(&cluster.service_nodes[0].dir)?;
        // The node is installed anew and joins again.
        cluster.nodes[0].stop_agent(Signal::SIGKILL)?;
        fs::remove_dir_all(&agent)?;
        let token = cluster.nodes[0].script(cluster.service_nodes[0].ip)?.token;
        cluster.start_agent(0, token.as_deref())?;
        wait::until("n001 to answer", wait::LONG, || cluster.ok("updatenode n001 -s").ok())?;
        let why = refusal(&cluster.nodes[0].host, sn1, Some(&old_agent), &hello_of_an_agent()?)?;
        assert!(why.contains("not the certificate that was given to this node last"), "{why}");
        // The same for the service node.
        cluster.stop_sn(0, Signal::SIGTERM)?;
        cluster.join_again(0)?;
        let why = refusal(&cluster.service_nodes[0].host, mn, Some(&old_sn), &hello_of_a_service_node()?)?;
        assert!(why.contains("another machine has joined under this name"), "{why}");
        all_is_well(&cluster, "afterwards")
    });
}

#[test]
fn a_copied_service_node_is_noticed_and_harms_nobody_for_long() {
    sandbox::test("security::a_copied_service_node_is_noticed_and_harms_nobody_for_long", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all_with_agents()?;
        let copy = cluster.work.join("copy");
        Run::new("cp").arg("-a").arg(&cluster.service_nodes[0].dir).arg(&copy).here()?.ok()?;
        let run = Run::new(cluster.programs().path("sn")).arg("serve").env("DROVER_DIR", &copy);
        let mut thief = run.spawn(&thief(&cluster)?, &cluster.work.join("copy.log"))?;
        let alarm = || {
            let said = fs::read_to_string(cluster.work.join("mn.log")).ok()?;
            said.contains("connected from another address").then_some(())
        };
        wait::until("mn to notice the copy", wait::LONG, alarm)?;
        thief.end(Signal::SIGKILL)?;
        // The real one connects again by itself.
        wait::until("sn1 to be back", wait::LONG, || cluster.ok("lsslice sn1").ok())?;
        all_is_well(&cluster, "afterwards")
    });
}

#[test]
fn strangers_who_ask_nothing_keep_no_agent_out() {
    sandbox::test("security::strangers_who_ask_nothing_keep_no_agent_out", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all()?;
        let thief = thief(&cluster)?;
        let sn1 = cluster.service_nodes[0].ip;
        let held = [SocketAddrV4::new(sn1, SN_PORT), SocketAddrV4::new(MN_IP, MN_PORT)]
            .map(|port| quic::hold(&thief, port, 600, ALPN_JOIN));
        cluster.nodes[0].boot()?;
        let token = cluster.nodes[0].script(sn1)?.token;
        let start = std::time::Instant::now();
        cluster.start_agent(0, token.as_deref())?;
        cluster.nodes[0].await_following(sn1)?;
        let took = start.elapsed();
        assert!(took < Duration::from_secs(5), "the agent joined after {took:?}");
        for held in held {
            held?;
        }
        all_is_well(&cluster, "afterwards")
    });
}

#[test]
fn a_removed_node_is_refused_at_once() {
    sandbox::test("security::a_removed_node_is_refused_at_once", || {
        let mut cluster = Cluster::lay(2, 1)?;
        cluster.start_all_with_agents()?;
        let card = Card::stolen(&cluster.nodes[1].folder().join("agent"))?;
        cluster.ok("rmdef n002")?;
        let sn1 = SocketAddrV4::new(cluster.service_nodes[0].ip, SN_PORT);
        refusal(&cluster.nodes[1].host, sn1, Some(&card), &hello_of_an_agent()?)?;
        all_is_well(&cluster, "afterwards")
    });
}

#[test]
fn a_boot_script_is_for_its_own_node() {
    sandbox::test("security::a_boot_script_is_for_its_own_node", || {
        let mut cluster = Cluster::lay(2, 1)?;
        cluster.start_all()?;
        let sn1 = cluster.service_nodes[0].ip;
        for node in &cluster.nodes {
            node.boot()?;
        }
        let [n001, n002] = [&cluster.nodes[0], &cluster.nodes[1]];
        let token = n001.script(sn1)?.token.ok_or("no token for the node itself")?;
        let dir = format!("http://{sn1}/tftpboot/xcat/xnba/nodes");
        for file in ["n001", "n001.uefi", "n001.pxelinux"] {
            let answer = transfer::http(&n002.host, &format!("{dir}/{file}"), &[])?;
            assert_ne!(answer.code, 200, "{file}: {}", answer.body);
        }
        let stranger = transfer::http(&thief(&cluster)?, &format!("{dir}/n001"), &[])?;
        assert!(!stranger.body.contains("drover.token"), "{}", stranger.body);
        let fetched = n002.folder().join("fetched");
        if transfer::tftp(&n002.host, sn1, "xcat/xnba/nodes/n001", &fetched).is_ok() {
            let text = fs::read_to_string(&fetched)?;
            assert!(!text.contains("drover.token"), "{text}");
        }
        // And who has it all the same cannot use it from n002.
        let run = Run::new(cluster.programs().path("node-agent")).args(["join", &token]);
        let ended = run.env("DROVER_DIR", cluster.work.join("thief")).on(&n002.host)?;
        assert_eq!(ended.status, 1, "{ended:?}");
        assert!(ended.err.contains("n001") && ended.err.contains("try"), "{}", ended.err);
        assert!(!cluster.work.join("thief/identity").exists());
        Ok(())
    });
}

/// A management node that has the real one's keys, and pushes this to the next that comes; gives
/// what it answered.
fn pushed(cluster: &Cluster, head: impl FnOnce(&Authority, Stamp) -> PushHead + Send) -> Result<Outcome> {
    let authority = Authority::load(&cluster.mn_dir())?;
    cluster.mn.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { tokio::time::timeout(wait::LONG, push(&authority, head)).await? })
    })
}

async fn push(authority: &Authority, head: impl FnOnce(&Authority, Stamp) -> PushHead) -> Result<Outcome> {
    let listener = Listener::bind(SocketAddrV4::new(MN_IP, MN_PORT).into(), &authority.own_identity()?)?;
    let link = loop {
        let incoming = listener.accept().await.ok_or("the listener ended")?;
        match incoming.establish().await {
            Ok(Arrived::Member(link)) => break link,
            Ok(Arrived::Stranger(_)) | Err(_) => {}
        }
    };
    let (mut sender, mut receiver) = link.accept().await?;
    let Opening::Control = receiver.expect().await? else { return Err("no conversation".into()) };
    let FromSn::Hello(hello) = receiver.expect().await? else { return Err("no hello".into()) };
    let holds = hello.holds.ok_or("it holds nothing")?;
    sender.send(&ToSn::Welcome { protocol: PROTOCOL, reports_through: 0, logs_through: 0 }).await?;
    sender.send(&ToSn::Push(head(authority, holds))).await?;
    sender.send(&ToSn::PushEnd).await?;
    let outcome = loop {
        if let FromSn::Ack(ack) = receiver.expect().await? {
            break ack.outcome;
        }
    };
    link.close("enough");
    listener.close();
    listener.drained().await;
    Ok(outcome)
}

/// A push of an empty slice.
fn nothing(authority: &Authority, stamp: Stamp) -> PushHead {
    let stamp = Stamp { digest: Slice::new().digest(), ..stamp };
    PushHead { signature: authority.sign_stamp(&stamp), stamp, base: None }
}

#[test]
fn a_slice_that_is_old_or_forged_is_refused() {
    sandbox::test("security::a_slice_that_is_old_or_forged_is_refused", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all_with_agents()?;
        cluster.stop_mn(Signal::SIGTERM)?;
        let reason = |outcome: Outcome| match outcome {
            Outcome::Refused { reasons } => Ok(reasons.join("\n")),
            other => Err(format!("it was not refused: {other:?}")),
        };
        let earlier =
            |stamp: Stamp| Stamp { generation: Generation::new(stamp.generation.value() - 1), ..stamp };
        let why = reason(pushed(&cluster, |keys, held| nothing(keys, earlier(held)))?)?;
        assert!(why.contains("is older than"), "{why}");
        let why = reason(pushed(&cluster, nothing)?)?;
        assert!(why.contains("is held with digest"), "{why}");
        let later = |stamp: Stamp| Stamp { generation: stamp.generation.next(), ..stamp };
        let forged =
            pushed(&cluster, |keys, held| PushHead { signature: vec![7; 64], ..nothing(keys, later(held)) });
        let why = reason(forged?)?;
        assert!(why.contains("signature"), "{why}");
        let sn2 = "sn2".parse()?;
        let others = pushed(&cluster, |keys, held| nothing(keys, Stamp { sn: sn2, ..later(held) }));
        let why = reason(others?)?;
        assert!(why.contains("the one of sn2"), "{why}");
        // A digest that the parts do not have.
        let cut = pushed(&cluster, |keys, held| {
            let stamp = Stamp { digest: Digest::of(b"other"), ..later(held) };
            PushHead { signature: keys.sign_stamp(&stamp), stamp, base: None }
        });
        let why = reason(cut?)?;
        assert!(why.contains("its entries have digest"), "{why}");
        cluster.serve_mn()?;
        all_is_well(&cluster, "afterwards")
    });
}

/// All files below a folder.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::symlink_metadata(path)?.permissions().mode() & 0o777)
}

#[test]
fn secrets_are_for_their_owners_alone() {
    sandbox::test("security::secrets_are_for_their_owners_alone", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all_with_agents()?;
        let sn_token = cluster.mn_program(&["token", "create", "sn9", "--define"])?.ok()?;
        let agent_token = cluster.nodes[0].script(cluster.service_nodes[0].ip)?.token.ok_or("no token")?;
        let [sn, agent] = [cluster.service_nodes[0].dir.clone(), cluster.nodes[0].folder().join("agent")];
        for dir in [cluster.mn_dir(), sn.clone(), agent.clone()] {
            assert_eq!(mode(&dir)?, 0o700, "{}", dir.display());
        }
        for file in [cluster.mn_dir().join("authority"), sn.join("identity"), agent.join("identity")] {
            assert_eq!(mode(&file)?, 0o600, "{}", file.display());
        }
        assert_eq!(mode(&cluster.mn_dir().join("mn.sock"))?, 0o660);
        // Nobody is told a secret who cannot use it: no log, no table, no definition.
        let mut told = Vec::new();
        for command in
            ["tabdump jointoken", "lsdef n001 -l", "lsdef -a -l", "lsdef n001 --json", "lsslice --json"]
        {
            // sn9 has not joined, so `lsslice` says that not all is well.
            told.push((command.to_owned(), cluster.command(command)?.out));
        }
        let logs =
            files(&cluster.work)?.into_iter().filter(|path| path.extension().is_some_and(|end| end == "log"));
        for log in logs {
            told.push((log.display().to_string(), fs::read_to_string(log)?));
        }
        assert!(told.iter().any(|(name, _)| name.ends_with("mn.log")));
        for token in [sn_token.trim(), &agent_token] {
            let secret = token.rsplit(':').next().ok_or("no secret")?;
            for (name, text) in &told {
                assert!(!text.contains(secret), "{name} tells a secret");
            }
        }
        Ok(())
    });
}

#[test]
fn a_used_token_is_good_for_nobody() {
    sandbox::test("security::a_used_token_is_good_for_nobody", || {
        let mut cluster = Cluster::lay(1, 1)?;
        cluster.start_all()?;
        let node: &Node = &cluster.nodes[0];
        node.boot()?;
        let token = node.script(cluster.service_nodes[0].ip)?.token.ok_or("no token")?;
        let join = |dir: &str| {
            let run = Run::new(cluster.programs().path("node-agent")).args(["join", &token]);
            run.env("DROVER_DIR", cluster.work.join(dir)).limit(Duration::from_secs(40)).on(&node.host)
        };
        join("first")?.ok()?;
        let ended = join("second")?;
        assert_eq!(ended.status, 1);
        assert!(ended.err.contains("used already") && ended.err.contains("try"), "{}", ended.err);
        Ok(())
    });
}
