//! Noise at every port, and clients that never finish: everyone else is served on.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use common::wire::{ALPN_JOIN, MN_PORT, PROTOCOL, SN_PORT, frame};
use tests::attack::{self, Noise, quic};
use tests::client::dhcp::{self, Firmware};
use tests::cluster::{Cluster, MN_IP};
use tests::{Result, sandbox};

use super::{Daemons, all_is_well, thief};

/// How many bad messages each port gets.
const MESSAGES: usize = 1500;

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
                b"\0\x01xcat/osimage/demo/vmlinuz\0octet\0blksize\x0065464\0windowsize\x0065535\0tsize\x000\0"
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
    sandbox::test("security::noise::noise_at_every_udp_port_harms_nobody", || {
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
    sandbox::test("security::noise::noise_at_every_tcp_port_harms_nobody", || {
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
    sandbox::test("security::noise::clients_that_never_finish_keep_nobody_out", || {
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
    sandbox::test("security::noise::noise_at_the_operators_socket_harms_nobody", || {
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

#[test]
fn strangers_who_ask_nothing_keep_no_agent_out() {
    sandbox::test("security::noise::strangers_who_ask_nothing_keep_no_agent_out", || {
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
