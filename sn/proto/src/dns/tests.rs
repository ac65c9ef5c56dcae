use std::net::Ipv4Addr;

use common::id::{Epoch, MacAddr};
use common::slice::{
    Boot, Entry, Host, Interface, Netboot, Network, Node, Role, Servers, Services, Site, Slice,
};
use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use proptest::prelude::*;

use super::*;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);
const STRANGER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);

const CLUSTER: &str = "
    site cluster 192.0.2.53
    net lan 10.0.0.0/24 cluster 10.0.0.250
    net fast 10.7.0.0/16 ib.cluster 10.7.0.250
    net half 192.168.5.0/25 cluster -
    node N1 10.0.0.1
    node n2 10.0.0.2 10.0.0.3 10.7.0.2
    node n3 n3-eth0=10.0.0.30 n3-ib=10.7.0.30
    node w1.dom 10.0.0.41
    node w2.cluster 10.0.0.42
    node small 192.168.5.9
    host mn 10.0.0.251 mgmt
    host ns.example.com 198.51.100.1
";

/// A slice from lines: `site DOMAIN FORWARDER…`, `net NAME NET DOMAIN SERVER|-`,
/// `node NAME [HOST=]ADDRESS…`, `host NAME ADDRESS ALIAS…`.
fn slice(text: &str) -> Slice {
    let mut slice = Slice::new();
    slice.put(services(true)).unwrap();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        slice.put(entry(&words)).unwrap();
    }
    slice
}

fn services(dns: bool) -> Entry {
    Entry::Services(Services {
        sn: "sn1".parse().unwrap(),
        dhcp: true,
        tftp: true,
        http: true,
        dns,
        ntp: true,
        syslog: true,
        nfs: true,
        dhcp_interfaces: Vec::new(),
    })
}

fn entry(words: &[&str]) -> Entry {
    match words {
        ["site", domain, forwarders @ ..] => Entry::Site(Site {
            domain: (*domain).to_owned(),
            forwarders: forwarders.iter().map(|text| text.parse().unwrap()).collect(),
            lease_seconds: 43_200,
            http_port: 80,
            agent_port: 1,
            logs_stay: false,
            authority: [0; 32],
        }),
        ["net", name, net, domain, server] => Entry::Network(Network {
            name: name.parse().unwrap(),
            net: net.parse().unwrap(),
            gateway: None,
            server: server.parse().ok(),
            dynamic: Vec::new(),
            nameservers: Vec::new(),
            ntp_servers: Vec::new(),
            domain: (*domain).to_owned(),
            mtu: None,
        }),
        ["node", name, interfaces @ ..] => node(name, interfaces),
        ["host", name, address, aliases @ ..] => Entry::Host(Host {
            name: (*name).to_owned(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            addresses: vec![address.parse().unwrap()],
        }),
        other => panic!("{other:?}"),
    }
}

fn node(name: &str, interfaces: &[&str]) -> Entry {
    let interface = |text: &&str| {
        let (host, ip) = text.split_once('=').unwrap_or((name, *text));
        Interface {
            mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
            host: host.to_owned(),
            ip: Some(ip.parse().unwrap()),
            network: None,
        }
    };
    let here = Ipv4Addr::new(10, 0, 0, 250);
    Entry::Node(Box::new(Node {
        name: name.parse().unwrap(),
        role: Role::Held,
        epoch: Epoch::ZERO,
        pool: Vec::new(),
        interfaces: interfaces.iter().map(interface).collect(),
        servers: Servers {
            master: here,
            next_server: here,
            nfs_server: here,
            router: None,
            router_is_master: false,
            nameservers: vec![here],
            ntp: vec![here],
            log: None,
            domain: "cluster".to_owned(),
        },
        netboot: Netboot::Xnba,
        boot: Boot::Disk,
        scripts: Vec::new(),
        join: None,
        agent_key: None,
        rests: false,
    }))
}

fn view() -> View {
    View::build(&slice(CLUSTER)).unwrap()
}

fn query(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.id = 4;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

fn ask_with(view: &View, message: &Message, client: Ipv4Addr) -> Verdict {
    answer(view, &message.to_vec().unwrap(), client, Transport::Udp)
}

/// The reply as `hickory-proto` reads it: the judge of what we wrote.
fn reply(verdict: Verdict) -> Message {
    let Verdict::Reply(bytes) = verdict else { panic!("{verdict:?}") };
    Message::from_vec(&bytes).unwrap()
}

fn ask(view: &View, name: &str, kind: RecordType) -> Message {
    reply(ask_with(view, &query(name, kind), CLIENT))
}

/// What a person would see: the code, then the data of the answers.
fn check(name: &str, kind: RecordType) -> String {
    let message = ask(&view(), name, kind);
    assert!(message.metadata.authoritative, "{message}");
    let mut words = vec![format!("{:?}", message.metadata.response_code)];
    words.extend(message.answers.iter().map(|record| {
        assert_eq!(record.name, Name::from_ascii(name).unwrap());
        record.data.to_string()
    }));
    words.extend(message.authorities.iter().map(|record| format!("soa of {}", record.name)));
    words.join(" ")
}

#[test]
fn a_node_is_found_by_its_full_name_and_by_its_bare_one() {
    assert_eq!(check("n1.cluster.", RecordType::A), "NoError 10.0.0.1");
    assert_eq!(check("n1.", RecordType::A), "NoError 10.0.0.1");
    assert_eq!(check("1.0.0.10.in-addr.arpa.", RecordType::PTR), "NoError N1.cluster.");
}

#[test]
fn an_interface_with_a_name_of_its_own_is_found_by_it() {
    assert_eq!(check("n3.cluster.", RecordType::A), "NoError 10.0.0.30");
    assert_eq!(check("n3-eth0.cluster.", RecordType::A), "NoError 10.0.0.30");
    assert_eq!(check("n3-ib.cluster.", RecordType::A), "NoError 10.7.0.30");
    assert_eq!(check("n3-ib.ib.cluster.", RecordType::A), "NoError 10.7.0.30");
    assert_eq!(check("30.0.0.10.in-addr.arpa.", RecordType::PTR), "NoError n3.cluster.");
}

#[test]
fn several_addresses_take_turns() {
    let first = |id| {
        let mut message = query("n2.cluster.", RecordType::A);
        message.metadata.id = id;
        let reply = reply(ask_with(&view(), &message, CLIENT));
        assert_eq!(reply.answers.len(), 3);
        reply.answers[0].data.to_string()
    };
    assert_eq!([first(0), first(1), first(2)], ["10.0.0.2", "10.0.0.3", "10.7.0.2"]);
}

#[test]
fn hosts_have_their_aliases_as_addresses() {
    assert_eq!(check("mgmt.cluster.", RecordType::A), "NoError 10.0.0.251");
    assert_eq!(check("251.0.0.10.in-addr.arpa.", RecordType::PTR), "NoError mn.cluster.");
}

#[test]
fn dotted_names_are_found_as_they_are() {
    assert_eq!(check("w1.dom.cluster.", RecordType::A), "NoError 10.0.0.41");
    assert_eq!(check("w1.dom.", RecordType::A), "NoError 10.0.0.41");
    assert_eq!(check("w2.cluster.", RecordType::A), "NoError 10.0.0.42");
    assert_eq!(check("ns.example.com.", RecordType::A), "NoError 198.51.100.1");
    assert_eq!(check("1.100.51.198.in-addr.arpa.", RecordType::PTR), "NoError ns.example.com.cluster.");
}

#[test]
fn what_is_not_there_says_so_with_the_zone() {
    assert_eq!(check("nobody.cluster.", RecordType::A), "NXDomain soa of cluster.");
    assert_eq!(check("x.n1.cluster.", RecordType::A), "NXDomain soa of cluster.");
    assert_eq!(check("n1.cluster.", RecordType::AAAA), "NoError soa of cluster.");
    assert_eq!(check("n9.ib.cluster.", RecordType::A), "NXDomain soa of ib.cluster.");
    assert_eq!(check("9.0.0.10.in-addr.arpa.", RecordType::PTR), "NXDomain soa of 0.0.10.in-addr.arpa.");
}

#[test]
fn the_parent_of_a_name_is_there_and_empty() {
    assert_eq!(check("dom.cluster.", RecordType::A), "NoError soa of cluster.");
    assert_eq!(check("0.7.10.in-addr.arpa.", RecordType::PTR), "NoError soa of 7.10.in-addr.arpa.");
}

#[test]
fn the_zone_names_its_server_and_its_address() {
    let message = ask(&view(), "cluster.", RecordType::NS);
    assert_eq!(message.answers[0].data.to_string(), "sn1.cluster.");
    let glue: Vec<_> =
        message.additionals.iter().map(|record| (record.name.to_string(), &record.data)).collect();
    assert_eq!(glue.len(), 2, "{message}");
    assert_eq!(glue[0].0, "sn1.cluster.");
    let message = ask(&view(), "7.10.in-addr.arpa.", RecordType::SOA);
    let RData::SOA(soa) = &message.answers[0].data else { panic!("{message}") };
    assert_eq!((soa.mname.to_string(), soa.minimum), ("sn1.cluster.".to_owned(), 60));
}

#[test]
fn any_gets_one_set() {
    assert_eq!(check("n1.cluster.", RecordType::ANY), "NoError 10.0.0.1");
    assert!(check("cluster.", RecordType::ANY).starts_with("NoError sn1.cluster. hostmaster.cluster."));
}

#[test]
fn the_case_of_the_question_is_kept() {
    let bytes = query("n1.CLUSTER.", RecordType::A).to_vec().unwrap();
    let mut bytes = bytes;
    bytes[13] = b'N';
    let Verdict::Reply(got) = answer(&view(), &bytes, CLIENT, Transport::Udp) else { panic!() };
    assert_eq!(got[12..28], bytes[12..28]);
}

#[test]
fn only_own_clients_are_forwarded_for() {
    let view = view();
    let outside = query("www.example.org.", RecordType::A);
    assert_eq!(ask_with(&view, &outside, CLIENT), Verdict::Forward { limit: 512 });
    assert_eq!(ask_with(&view, &outside, Ipv4Addr::LOCALHOST), Verdict::Forward { limit: 512 });
    let refused = |message: &Message, client| {
        let reply = reply(ask_with(&view, message, client));
        assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
        reply.metadata.recursion_available
    };
    assert!(!refused(&outside, STRANGER));
    let mut plain = outside.clone();
    plain.metadata.recursion_desired = false;
    assert!(refused(&plain, CLIENT));
}

#[test]
fn without_a_forwarder_other_names_are_refused() {
    let view =
        View::build(&slice("site cluster 10.0.0.250 0.0.0.0\n net lan 10.0.0.0/24 cluster 10.0.0.250"));
    let view = view.unwrap();
    assert!(view.forwarders().is_empty());
    let reply = ask(&view, "www.example.org.", RecordType::A);
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
}

#[test]
fn the_other_half_of_a_small_networks_reverse_zone_is_not_ours() {
    assert_eq!(check("9.5.168.192.in-addr.arpa.", RecordType::PTR), "NoError small.cluster.");
    assert_eq!(
        check("10.5.168.192.in-addr.arpa.", RecordType::PTR),
        "NXDomain soa of 5.168.192.in-addr.arpa."
    );
    let other = query("200.5.168.192.in-addr.arpa.", RecordType::PTR);
    assert_eq!(ask_with(&view(), &other, CLIENT), Verdict::Forward { limit: 512 });
}

#[test]
fn a_service_that_is_off_is_silent() {
    let mut slice = slice(CLUSTER);
    slice.put(services(false)).unwrap();
    for view in [View::build(&slice).unwrap(), View::build(&Slice::new()).unwrap()] {
        assert_eq!(ask_with(&view, &query("n1.cluster.", RecordType::A), CLIENT), Verdict::Drop);
    }
}

#[test]
fn a_name_that_cannot_be_in_dns_is_refused_with_its_entry() {
    let problems = View::build(&slice("site cluster\nnode a..b 10.0.0.1")).unwrap_err();
    assert!(problems[0].starts_with("node a..b: \"a..b.cluster\" is not a DNS name"), "{problems:?}");
}

#[test]
fn odd_packets_get_their_code_or_silence() {
    let view = view();
    let good = query("n1.cluster.", RecordType::A).to_vec().unwrap();
    let code = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        edit(&mut bytes);
        match answer(&view, &bytes, CLIENT, Transport::Udp) {
            Verdict::Reply(bytes) => Some(bytes[3] & 0xf),
            _ => None,
        }
    };
    assert_eq!(code(&|_| {}), Some(0));
    assert_eq!(code(&|b| b.truncate(11)), None);
    assert_eq!(code(&|b| b[2] |= 0x80), None, "a response");
    assert_eq!(code(&|b| b[2] |= 5 << 3), Some(4), "an update");
    assert_eq!(code(&|b| b.truncate(20)), Some(1), "cut");
    assert_eq!(code(&|b| b[5] = 2), Some(1), "two questions");
    assert_eq!(code(&|b| b[5] = 0), Some(1), "no question");
    assert_eq!(code(&|b| b[12] = 0xc0), Some(1), "a compressed question");
    assert_eq!(code(&|b| b[11] = 9), Some(1), "additionals that are not there");
    assert_eq!(code(&|b| *b.last_mut().unwrap() = 3), Some(5), "class CHAOS");
    let at = good.len() - 3;
    assert_eq!(code(&|b| b[at] = 252), Some(5), "a zone transfer");
    assert_eq!(code(&|b| b.extend([0, 0, 41, 2, 0, 0, 9, 0, 0, 0, 0])), Some(0), "bytes behind the end");
}

#[test]
fn edns_is_answered_with_edns() {
    let view = view();
    let mut message = query("n1.cluster.", RecordType::A);
    message.set_edns(Edns::new());
    let got = reply(ask_with(&view, &message, CLIENT)).edns.unwrap();
    assert_eq!((got.max_payload(), got.version()), (1232, 0));
    message.edns.as_mut().unwrap().set_version(1);
    let got = reply(ask_with(&view, &message, CLIENT));
    // 16 has two names; BADVERS is the one for OPT.
    assert_eq!(u16::from(got.metadata.response_code), 16);
}

#[test]
fn a_long_answer_is_cut_by_udp_and_whole_by_tcp() {
    let addresses: String = (0..200).map(|last| format!(" 10.0.0.{last}")).collect();
    let view = View::build(&slice(&format!("site cluster\nnode big{addresses}"))).unwrap();
    let mut message = query("big.cluster.", RecordType::A);
    let cut = reply(ask_with(&view, &message, CLIENT));
    assert!(cut.metadata.truncation && cut.answers.is_empty());
    let mut edns = Edns::new();
    edns.set_max_payload(65_000);
    message.set_edns(edns);
    let Verdict::Reply(bytes) = ask_with(&view, &message, CLIENT) else { panic!() };
    assert!(bytes.len() <= 1232);
    let cut = Message::from_vec(&bytes).unwrap();
    assert!(cut.metadata.truncation && cut.edns.is_some(), "{cut}");
    let whole = reply(answer(&view, &message.to_vec().unwrap(), CLIENT, Transport::Tcp));
    assert_eq!((whole.answers.len(), whole.metadata.truncation), (200, false));
}

#[test]
fn chaos_is_refused() {
    let mut message = query("version.bind.", RecordType::TXT);
    message.queries[0].set_query_class(DNSClass::CH);
    assert_eq!(reply(ask_with(&view(), &message, CLIENT)).metadata.response_code, ResponseCode::Refused);
}

#[test]
fn a_large_network_has_its_whole_octets_as_zones() {
    let view = View::build(&slice("site cluster\nnet big 172.16.0.0/12 cluster -")).unwrap();
    for (name, zone) in [
        ("1.2.16.172.in-addr.arpa.", "16.172.in-addr.arpa."),
        ("1.2.31.172.in-addr.arpa.", "31.172.in-addr.arpa."),
    ] {
        assert_eq!(ask(&view, name, RecordType::PTR).authorities[0].name.to_string(), zone);
    }
    let outside = ask(&view, "1.2.32.172.in-addr.arpa.", RecordType::PTR);
    assert_eq!(outside.metadata.response_code, ResponseCode::Refused);
}

/// A node of any name that may be one, with any addresses.
fn any_node() -> impl Strategy<Value = Entry> {
    let name = "[a-zA-Z0-9][a-zA-Z0-9_-]{0,8}(\\.[a-z]{1,3}){0,2}";
    let interface = ("([a-z]{0,5}=)?", prop::array::uniform2(0u8..4))
        .prop_map(|(host, [net, last])| format!("{host}10.{net}.0.{last}"));
    (name, prop::collection::vec(interface, 0..4)).prop_map(|(name, interfaces)| {
        let interfaces: Vec<&str> = interfaces.iter().map(String::as_str).collect();
        node(&name, &interfaces)
    })
}

proptest! {
    #[test]
    fn every_address_leads_back_to_a_name_that_has_it(nodes in prop::collection::vec(any_node(), 0..12)) {
        let mut slice = slice("site cluster\nnet a 10.0.0.0/16 cluster -\nnet b 10.1.0.0/30 b.cluster -");
        for node in nodes {
            slice.put(node).unwrap();
        }
        let view = View::build(&slice).unwrap();
        for node in slice.nodes() {
            for address in node.interfaces.iter().filter_map(|interface| interface.ip) {
                let back = ask(&view, &Name::from(address).to_string(), RecordType::PTR);
                let name = back.answers[0].data.to_string();
                let forth = ask(&view, &name, RecordType::A);
                prop_assert!(forth.answers.iter().any(|a| a.data == RData::A(address.into())), "{forth}");
            }
            if node.primary().is_some() {
                let whole = node.name.as_str().to_ascii_lowercase().ends_with(".cluster");
                let name = if whole { format!("{}.", node.name) } else { format!("{}.cluster.", node.name) };
                prop_assert!(!ask(&view, &name, RecordType::A).answers.is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn no_packet_panics(bytes: Vec<u8>) {
        let _ = answer(&view(), &bytes, CLIENT, Transport::Udp);
    }

    #[test]
    fn no_changed_query_panics_and_every_reply_can_be_read(
        name in "(n1|N2|x|dom|[a-z]{1,63})(\\.cluster|\\.ib\\.cluster|\\.in-addr\\.arpa|)",
        kind in any::<u16>(),
        edns: Option<u16>,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut: Option<prop::sample::Index>,
    ) {
        let mut message = query(&format!("{name}."), RecordType::from(kind));
        if let Some(size) = edns {
            let mut edns = Edns::new();
            edns.set_max_payload(size);
            message.set_edns(edns);
        }
        let mut bytes = message.to_vec().unwrap();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        for transport in [Transport::Udp, Transport::Tcp] {
            if let Verdict::Reply(reply) = answer(&view(), &bytes, CLIENT, transport) {
                prop_assert!(reply.len() <= 1232);
                prop_assert_eq!(&reply[..2], &bytes[..2]);
                prop_assert!(reply[2] & 0x80 != 0);
                prop_assert!(Message::from_vec(&reply).is_ok());
            }
        }
    }

    #[test]
    fn the_reader_agrees_with_hickory_on_what_is_a_query(
        labels in prop::collection::vec("[a-zA-Z0-9][a-zA-Z0-9_]{0,19}", 1..6),
        kind in 1u16..40,
    ) {
        let name = format!("{}.", labels.join("."));
        let message = query(&name, RecordType::from(kind));
        let bytes = message.to_vec().unwrap();
        let header = wire::Header::read(&bytes).unwrap();
        let got = wire::Query::read(header, &bytes).unwrap();
        prop_assert_eq!((got.kind, got.class), (kind, 1));
        let lower = name::from_text(&name.to_ascii_lowercase()).unwrap();
        prop_assert_eq!(got.name.as_bytes(), lower.as_slice());
    }
}
