use common::id::{Epoch, Generation};
use common::slice::{
    Boot, Entry, File, Interface, JoinSecret, Netboot, Network, Node, PoolMember, Role, Servers, Services,
    Site, Slice,
};
use proptest::prelude::*;

use super::*;

const N1: [u8; 4] = [10, 0, 0, 101];
const N2: [u8; 4] = [10, 0, 0, 102];
const GUEST: [u8; 4] = [10, 0, 0, 200];
const FOREIGN: [u8; 4] = [192, 0, 2, 1];
const KERNEL: &[u8] = b"0123456789";

fn node(name: &str, last: u8, role: Role) -> Entry {
    Entry::Node(Box::new(Node {
        name: name.parse().unwrap(),
        role,
        epoch: Epoch::new(1),
        pool: vec![
            PoolMember { sn: "sn1".parse().unwrap(), address: [10, 0, 0, 11].into() },
            PoolMember { sn: "sn2".parse().unwrap(), address: [10, 0, 0, 12].into() },
        ],
        interfaces: vec![Interface {
            mac: common::id::MacAddr::new([0x52, 0x54, 0, 0x77, 0, last]),
            host: name.to_owned(),
            ip: Some([10, 0, 0, last].into()),
            network: None,
        }],
        servers: Servers {
            master: [10, 0, 0, 11].into(),
            next_server: [10, 0, 0, 11].into(),
            nfs_server: [10, 0, 0, 11].into(),
            router: None,
            router_is_master: false,
            nameservers: Vec::new(),
            ntp: Vec::new(),
            log: None,
            domain: "cluster".to_owned(),
        },
        netboot: Netboot::Xnba,
        boot: Boot::Kernel {
            state: "shell".to_owned(),
            image: None,
            kernel: "tftpboot/k".parse().unwrap(),
            initrd: None,
            cmdline: String::new(),
        },
        scripts: Vec::new(),
        join: Some(JoinSecret([7; 16])),
        agent_key: None,
        rests: false,
    }))
}

fn site() -> Entry {
    Entry::Site(Site {
        domain: "cluster".to_owned(),
        forwarders: Vec::new(),
        lease_seconds: 600,
        http_port: 80,
        agent_port: 7701,
        logs_stay: false,
        authority: [0xab; 32],
    })
}

fn services() -> Entry {
    Entry::Services(Services {
        sn: "sn1".parse().unwrap(),
        dhcp: true,
        tftp: true,
        http: true,
        dns: true,
        ntp: true,
        syslog: true,
        nfs: true,
        dhcp_interfaces: Vec::new(),
    })
}

fn network() -> Entry {
    Entry::Network(Network {
        name: "mgt".parse().unwrap(),
        net: "10.0.0.0/24".parse().unwrap(),
        gateway: None,
        server: None,
        dynamic: Vec::new(),
        nameservers: Vec::new(),
        ntp_servers: Vec::new(),
        domain: "cluster".to_owned(),
        mtu: None,
    })
}

fn view() -> View {
    let kernel = Entry::File(File {
        path: "tftpboot/k".parse().unwrap(),
        hash: Digest::of(KERNEL),
        size: KERNEL.len() as u64,
        executable: false,
    });
    let mut slice = Slice::new();
    let nodes = [node("n1", 101, Role::Owner), node("n2", 102, Role::Owner), node("n3", 103, Role::Held)];
    for entry in nodes.into_iter().chain([site(), services(), network(), kernel]) {
        slice.put(entry).unwrap();
    }
    View::build(&slice).unwrap().at(Generation::new(42))
}

fn get(client: [u8; 4], target: &str) -> Answer {
    ask(Request { client: client.into(), target, ..plain() })
}

fn ask(request: Request<'_>) -> Answer {
    answer(&view(), &request)
}

fn plain<'a>() -> Request<'a> {
    Request {
        method: "GET",
        target: "/tftpboot/k",
        client: N1.into(),
        range: None,
        if_range: None,
        if_none_match: None,
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
}

fn text_of(answer: &Answer) -> &str {
    match &answer.body {
        Body::Text(text) => text,
        Body::Empty | Body::Content { .. } => panic!("not a text: {answer:?}"),
    }
}

#[test]
fn a_node_gets_its_script_with_its_token() {
    let answer = get(N1, "/tftpboot/xcat/xnba/nodes/n1");
    assert_eq!(answer.status, 200);
    let text = text_of(&answer);
    let token = text.split("drover.token=").nth(1).unwrap().split_whitespace().next().unwrap();
    let token: common::wire::join::Token = token.parse().unwrap();
    assert_eq!(token.name.as_str(), "n1");
    assert_eq!(token.addresses, ["10.0.0.11:7701".parse().unwrap(), "10.0.0.12:7701".parse().unwrap()]);
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    assert_eq!(get(N1, "/tftpboot/xcat/xnba/nodes/n1.uefi").status, 200);
}

#[test]
fn a_guest_gets_a_script_without_a_token_and_others_get_none() {
    let script = "/tftpboot/xcat/xnba/nodes/n1";
    let answer = get(GUEST, script);
    assert_eq!(answer.status, 200);
    assert!(!text_of(&answer).contains("token"), "{answer:?}");
    assert_eq!(get(N2, script).status, 404);
    assert_eq!(get([127, 0, 0, 1], script).status, 404);
    assert_eq!(get(FOREIGN, script).status, 403);
}

#[test]
fn a_node_that_is_held_gets_no_boot_file_here() {
    let answer = get([10, 0, 0, 103], "/tftpboot/xcat/xnba/nodes/n3");
    assert_eq!(answer.status, 404);
}

#[test]
fn files_are_for_served_networks_and_this_machine() {
    for client in [N1, N2, GUEST, [127, 0, 0, 1]] {
        assert_eq!(get(client, "//tftpboot/./k?x").status, 404);
        assert_eq!(get(client, "//tftpboot/k?x").status, 200);
    }
    assert_eq!(get(FOREIGN, "/tftpboot/k").status, 403);
    assert_eq!(get(FOREIGN, "/nothing").status, 403, "a stranger does not learn what is here");
}

#[test]
fn an_address_that_two_nodes_claim_is_nobodys() {
    let mut slice = Slice::new();
    for entry in [node("a", 9, Role::Owner), node("b", 9, Role::Owner), site(), services(), network()] {
        slice.put(entry).unwrap();
    }
    let view = View::build(&slice).unwrap();
    let target = "/tftpboot/xcat/xnba/nodes/a";
    let request = Request { client: [10, 0, 0, 9].into(), target, ..plain() };
    assert_eq!(answer(&view, &request).status, 403);
}

#[test]
fn ranges_and_tags() {
    let tag = format!("\"{}\"", Digest::of(KERNEL));
    let part = ask(Request { range: Some("bytes=2-4"), ..plain() });
    assert_eq!(part.status, 206);
    assert_eq!(header(&part, "content-range"), Some("bytes 2-4/10"));
    assert_eq!(header(&part, "content-length"), Some("3"));
    assert!(matches!(part.body, Body::Content { first: 2, length: 3, size: 10, .. }));

    let held = ask(Request { range: Some("bytes=2-4"), if_range: Some(&tag), ..plain() });
    assert_eq!(held.status, 206);
    let other = ask(Request { range: Some("bytes=2-4"), if_range: Some("\"other\""), ..plain() });
    assert_eq!((other.status, header(&other, "content-length")), (200, Some("10")));
    let beyond = ask(Request { range: Some("bytes=10-"), ..plain() });
    assert_eq!((beyond.status, header(&beyond, "content-range")), (416, Some("bytes */10")));
    let fresh = ask(Request { if_none_match: Some(&tag), range: Some("bytes=2-4"), ..plain() });
    assert_eq!((fresh.status, &fresh.body), (304, &Body::Empty));
    let head = ask(Request { method: "HEAD", range: Some("bytes=2-4"), ..plain() });
    assert_eq!((head.status, header(&head, "content-length")), (200, Some("10")));
    let posted = ask(Request { method: "POST", ..plain() });
    assert_eq!((posted.status, header(&posted, "allow")), (405, Some("GET, HEAD")));
}

/// A management controller has a name of the node's, and gets nothing of the node's.
#[test]
fn who_has_a_name_of_the_nodes_alone_is_not_the_node() {
    let Entry::Node(mut one) = node("n1", 101, Role::Owner) else { panic!() };
    let (mac, ip) = (common::id::MacAddr::NONE, Some([10, 0, 0, 9].into()));
    one.interfaces.push(Interface { mac, host: "n1-bmc".to_owned(), ip, network: None });
    let mut slice = Slice::new();
    for entry in [Entry::Node(one), site(), services(), network()] {
        slice.put(entry).unwrap();
    }
    let view = View::build(&slice).unwrap();
    assert!(matches!(view.client([10, 0, 0, 9].into()), Client::Guest));
    assert!(matches!(view.client(N1.into()), Client::Node(_)));
}

#[test]
fn every_answer_names_the_generation() {
    assert_eq!(text_of(&get(N1, "/drover/generation")), "42\n");
    for target in ["/tftpboot/k", "/nothing", "/%"] {
        assert_eq!(header(&get(N1, target), "drover-generation"), Some("42"), "{target}");
    }
    let later = not_here_yet(&view());
    assert_eq!((later.status, header(&later, "drover-generation")), (503, Some("42")));
}

proptest! {
    #[test]
    fn a_body_is_inside_its_file_whatever_is_asked(
        target in "/(tftpboot/k|\\PC{0,20})", range in proptest::option::of("bytes=[0-9,\\-]{0,12}"),
        client: [u8; 4],
    ) {
        let request = Request { target: &target, range: range.as_deref(), client: client.into(), ..plain() };
        if let Body::Content { size, first, length, .. } = ask(request).body {
            prop_assert!(first + length <= size);
        }
    }
}
