//! Decisions, from the client's side: a request in, what leaves out.

use std::net::Ipv4Addr;
use std::sync::Arc;

use common::id::{Epoch, MacAddr};
use common::slice::{
    Boot, Entry, Interface, Netboot, Network, Node, PoolMember, Role, Servers, Services, Site, Slice,
};
use dhcproto::v4::{
    Architecture, Decodable as _, Decoder, DhcpOption, Encodable as _, Encoder, Message, MessageType,
    OptionCode,
    relay::{RelayAgentInformation, RelayInfo},
};
use proptest::prelude::*;

use super::lease::Table;
use super::machine::{Action, Address, Event, Machine, Note, Packet, Ports, Silence};
use super::view::View;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const NODE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 101);
const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 1]);
const SECOND: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 1, 1]);
const STRANGER: MacAddr = MacAddr::new([0x52, 0x54, 0, 9, 9, 9]);

fn node(role: Role) -> Node {
    let interface = |mac, ip: Option<Ipv4Addr>| Interface {
        mac,
        host: "n1".to_owned(),
        ip,
        network: ip.map(|_| "rack".parse().unwrap()),
    };
    Node {
        name: "n1".parse().unwrap(),
        role,
        epoch: Epoch::ZERO,
        pool: vec![PoolMember { sn: "sn1".parse().unwrap(), address: SERVER }],
        interfaces: vec![interface(MAC, Some(NODE)), interface(SECOND, None)],
        servers: Servers {
            master: SERVER,
            next_server: SERVER,
            nfs_server: SERVER,
            router: Some([10, 0, 0, 254].into()),
            router_is_master: false,
            nameservers: vec![SERVER],
            ntp: vec![SERVER],
            log: Some(SERVER),
            domain: "cluster".to_owned(),
        },
        netboot: Netboot::Xnba,
        boot: Boot::Disk,
        scripts: Vec::new(),
        join: None,
        agent_key: None,
        rests: false,
    }
}

fn network(name: &str, net: &str, dynamic: Vec<(Ipv4Addr, Ipv4Addr)>) -> Entry {
    Entry::Network(Network {
        name: name.parse().unwrap(),
        net: net.parse().unwrap(),
        gateway: None,
        server: None,
        dynamic,
        nameservers: Vec::new(),
        ntp_servers: Vec::new(),
        domain: "cluster".to_owned(),
        mtu: Some(9000),
    })
}

fn slice(nodes: Vec<Node>, dynamic: Vec<(Ipv4Addr, Ipv4Addr)>, interfaces: &[&str]) -> Slice {
    let mut slice = Slice::new();
    let site = Site {
        domain: "cluster".to_owned(),
        forwarders: Vec::new(),
        lease_seconds: 600,
        http_port: 8080,
        agent_port: 1,
        logs_stay: false,
        authority: [0; 32],
    };
    slice.put(Entry::Site(site)).unwrap();
    let services = Services {
        sn: "sn1".parse().unwrap(),
        dhcp: true,
        tftp: true,
        http: true,
        dns: true,
        ntp: true,
        syslog: true,
        nfs: true,
        dhcp_interfaces: interfaces.iter().map(|&name| name.to_owned()).collect(),
    };
    slice.put(Entry::Services(services)).unwrap();
    slice.put(network("rack", "10.0.0.0/24", dynamic)).unwrap();
    slice.put(network("far", "10.5.0.0/24", Vec::new())).unwrap();
    nodes.into_iter().for_each(|node| slice.put(Entry::Node(Box::new(node))).unwrap());
    slice
}

/// A server at 10.0.0.1 on eth0 (number 2) and 192.168.7.1 on eth1 (number 3).
fn server(slice: &Slice) -> Machine {
    let mut machine = Machine::new(Ports { server: 67, client: 68 }, Table::default());
    let address = |interface: &str, index, net: &str| Address {
        interface: interface.to_owned(),
        index,
        net: net.parse().unwrap(),
    };
    let addresses = vec![address("eth0", 2, "10.0.0.1/24"), address("eth1", 3, "192.168.7.1/24")];
    machine.handle(0, Event::Addresses(addresses), &mut Vec::new());
    machine.handle(0, Event::View(Arc::new(View::build(slice).unwrap())), &mut Vec::new());
    machine
}

fn owner() -> Machine {
    server(&slice(vec![node(Role::Owner)], Vec::new(), &[]))
}

fn with_range() -> Machine {
    let range = (Ipv4Addr::new(10, 0, 0, 100), Ipv4Addr::new(10, 0, 0, 102));
    server(&slice(vec![node(Role::Owner)], vec![range], &[]))
}

/// A request under construction.
struct Ask {
    message: Message,
    to: Ipv4Addr,
    interface: u32,
    now: u64,
}

fn ask(kind: MessageType, mac: MacAddr) -> Ask {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(7, none, none, none, none, &mac.bytes());
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    Ask { message, to: Ipv4Addr::BROADCAST, interface: 2, now: 1000 }
}

impl Ask {
    fn with(mut self, option: DhcpOption) -> Self {
        self.message.opts_mut().insert(option);
        self
    }

    fn requested(self, ip: impl Into<Ipv4Addr>) -> Self {
        self.with(DhcpOption::RequestedIpAddress(ip.into()))
    }

    fn chosen(self, server: impl Into<Ipv4Addr>) -> Self {
        self.with(DhcpOption::ServerIdentifier(server.into()))
    }

    fn ciaddr(mut self, ip: impl Into<Ipv4Addr>) -> Self {
        self.message.set_ciaddr(ip);
        self
    }

    fn pxe(self, arch: u16) -> Self {
        self.with(DhcpOption::ClassIdentifier(b"PXEClient:Arch:0".to_vec()))
            .with(DhcpOption::ClientSystemArchitecture(Architecture::from(arch)))
    }

    fn to(mut self, machine: &mut Machine) -> Outcome {
        self.message.set_hops(0);
        let mut bytes = Vec::new();
        self.message.encode(&mut Encoder::new(&mut bytes)).unwrap();
        let mut actions = Vec::new();
        let packet = Packet { bytes: &bytes, to: self.to, interface: self.interface };
        machine.handle(self.now, Event::Packet(packet), &mut actions);
        let mut outcome = Outcome::default();
        for action in actions {
            match action {
                Action::Keep(_) => {
                    assert!(outcome.answer.is_none(), "a lease is kept before it is told");
                    outcome.kept = true;
                }
                Action::Send(datagram) => {
                    let answer = Message::decode(&mut Decoder::new(&datagram.bytes)).unwrap();
                    assert_eq!(answer.xid(), 7);
                    outcome.way = Some((datagram.to.to_string(), datagram.source, datagram.interface));
                    outcome.answer = Some(answer);
                }
                Action::Note(Note::Silent(why, _)) => outcome.silence = Some(why),
                Action::Note(Note::Conflict(..)) => outcome.conflict = true,
                Action::Note(Note::Answered(..)) => {}
            }
        }
        outcome
    }
}

#[derive(Debug, Default)]
struct Outcome {
    answer: Option<Message>,
    way: Option<(String, Ipv4Addr, Option<u32>)>,
    silence: Option<Silence>,
    kept: bool,
    conflict: bool,
}

impl Outcome {
    fn kind(&self) -> Option<MessageType> {
        self.answer.as_ref().and_then(|answer| answer.opts().msg_type())
    }

    fn is(&self, kind: MessageType, ip: impl Into<Ipv4Addr>) {
        let got = self.answer.as_ref().map(Message::yiaddr);
        assert_eq!((self.kind(), got), (Some(kind), Some(ip.into())), "{self:?}");
    }

    fn is_silent(&self, why: Silence) {
        assert_eq!((self.kind(), self.silence), (None, Some(why)), "{self:?}");
    }

    fn option(&self, code: OptionCode) -> Option<DhcpOption> {
        self.answer.as_ref()?.opts().get(code).cloned()
    }

    fn file(&self) -> String {
        let file = self.answer.as_ref().and_then(Message::fname).unwrap_or_default();
        String::from_utf8(file.to_vec()).unwrap().trim_end_matches('\0').to_owned()
    }
}

#[test]
fn a_node_is_offered_its_address_and_told_its_servers() {
    let got = ask(MessageType::Discover, MAC).to(&mut owner());
    got.is(MessageType::Offer, NODE);
    let answer = got.answer.as_ref().unwrap();
    assert_eq!(answer.siaddr(), SERVER);
    for option in [
        DhcpOption::SubnetMask([255, 255, 255, 0].into()),
        DhcpOption::Router(vec![[10, 0, 0, 254].into()]),
        DhcpOption::DomainNameServer(vec![SERVER]),
        DhcpOption::NtpServers(vec![SERVER]),
        DhcpOption::LogServer(vec![SERVER]),
        DhcpOption::Hostname("n1".to_owned()),
        DhcpOption::DomainName("cluster".to_owned()),
        DhcpOption::BroadcastAddr([10, 0, 0, 255].into()),
        DhcpOption::InterfaceMtu(9000),
        DhcpOption::AddressLeaseTime(600),
        DhcpOption::Renewal(300),
        DhcpOption::Rebinding(525),
        DhcpOption::ServerIdentifier(SERVER),
    ] {
        let code = OptionCode::from(&option);
        assert_eq!(got.option(code), Some(option));
    }
    assert_eq!(got.way, Some(("255.255.255.255:68".to_owned(), SERVER, Some(2))));
}

#[test]
fn an_address_is_in_the_network_around_it_when_none_is_named() {
    let mut node = node(Role::Owner);
    node.interfaces[0].network = None;
    let got = ask(MessageType::Discover, MAC).to(&mut server(&slice(vec![node], Vec::new(), &[])));
    got.is(MessageType::Offer, NODE);
}

#[test]
fn the_client_gets_what_it_asks_for_and_its_identifier_back() {
    let wanted = DhcpOption::ParameterRequestList(vec![OptionCode::Router]);
    let id = DhcpOption::ClientIdentifier(vec![1, 2, 3]);
    let got = ask(MessageType::Discover, MAC).with(wanted).with(id.clone()).to(&mut owner());
    assert_eq!(got.option(OptionCode::ClientIdentifier), Some(id));
    assert!(got.option(OptionCode::Router).is_some() && got.option(OptionCode::SubnetMask).is_some());
    assert_eq!(got.option(OptionCode::DomainNameServer), None);
}

#[test]
fn a_node_is_found_by_its_hardware_address_whatever_identifier_it_sends() {
    let mut machine = owner();
    let other = DhcpOption::ClientIdentifier([&[1], &STRANGER.bytes()[..]].concat());
    ask(MessageType::Discover, MAC).with(other).to(&mut machine).is(MessageType::Offer, NODE);
    let mine = DhcpOption::ClientIdentifier([&[1], &MAC.bytes()[..]].concat());
    ask(MessageType::Discover, STRANGER).with(mine).to(&mut machine).is_silent(Silence::Stranger);
}

#[test]
fn only_the_owner_answers_and_only_the_owner_refuses() {
    for role in [Role::Held, Role::Backup] {
        let mut machine = server(&slice(vec![node(role)], Vec::new(), &[]));
        ask(MessageType::Discover, MAC).to(&mut machine).is_silent(Silence::NotOurs);
        let wrong = ask(MessageType::Request, MAC).requested([10, 0, 0, 7]);
        wrong.to(&mut machine).is_silent(Silence::NotOurs);
    }
    let wrong = ask(MessageType::Request, STRANGER).requested([10, 0, 0, 7]);
    wrong.to(&mut owner()).is_silent(Silence::Stranger);
    let wrong = ask(MessageType::Request, MAC).requested([10, 0, 0, 7]).to(&mut owner());
    wrong.is(MessageType::Nak, Ipv4Addr::UNSPECIFIED);
    assert_eq!(wrong.way.unwrap().0, "255.255.255.255:68");
}

#[test]
fn an_interface_without_an_address_is_the_nodes_and_is_not_answered() {
    let mut machine = with_range();
    for now in [1000, 1010] {
        let got = Ask { now, ..ask(MessageType::Discover, SECOND) }.to(&mut machine);
        got.is_silent(Silence::NotOurs);
    }
}

/// Of two nodes the same, as where both may hold a service's address.
#[test]
fn an_address_that_is_a_name_alone_is_given_to_nobody() {
    let named = |name: &str, own: u8| {
        let mut node = Node { name: name.parse().unwrap(), ..node(Role::Owner) };
        let ip = |last| Some(Ipv4Addr::new(10, 0, 0, last));
        let mac = MacAddr::new([0x52, 0x54, 0, 0, 0, own]);
        let interface = |mac, host: String, last| Interface { mac, host, ip: ip(last), network: None };
        node.interfaces = vec![interface(mac, name.to_owned(), own)];
        node.interfaces.push(interface(MacAddr::NONE, format!("{name}-vip"), 100));
        node
    };
    let range = (Ipv4Addr::new(10, 0, 0, 100), Ipv4Addr::new(10, 0, 0, 100));
    let mut machine = server(&slice(vec![named("n1", 101), named("n2", 102)], vec![range], &[]));
    assert_eq!(offered(&mut machine, STRANGER, 1000), None);
    let own = MacAddr::new([0x52, 0x54, 0, 0, 0, 102]);
    ask(MessageType::Discover, own).to(&mut machine).is(MessageType::Offer, [10, 0, 0, 102]);
}

#[test]
fn a_node_on_a_foreign_network_is_no_stranger() {
    let mut machine = with_range();
    let got = Ask { interface: 3, ..ask(MessageType::Discover, MAC) }.to(&mut machine);
    got.is_silent(Silence::Network);
    let mut relayed = ask(MessageType::Discover, MAC);
    relayed.message.set_giaddr([10, 5, 0, 1]);
    relayed.to(&mut machine).is_silent(Silence::NotOurs);
}

#[test]
fn the_client_that_chose_another_server_is_left_to_it() {
    let mut machine = owner();
    let request = || ask(MessageType::Request, MAC).requested(NODE);
    request().chosen([10, 0, 0, 2]).to(&mut machine).is_silent(Silence::OtherServer);
    request().chosen(SERVER).to(&mut machine).is(MessageType::Ack, NODE);
    let other = ask(MessageType::Request, MAC).chosen(SERVER).requested([10, 0, 0, 7]);
    other.to(&mut machine).is(MessageType::Nak, Ipv4Addr::UNSPECIFIED);
}

#[test]
fn after_a_move_the_new_owner_acknowledges_what_the_old_one_gave() {
    let mut new = owner();
    // It rebinds by broadcast, or starts again and asks for what it had: no server is named.
    let rebinding = ask(MessageType::Request, MAC).ciaddr(NODE).to(&mut new);
    rebinding.is(MessageType::Ack, NODE);
    assert_eq!(rebinding.option(OptionCode::ServerIdentifier), Some(DhcpOption::ServerIdentifier(SERVER)));
    assert_eq!(rebinding.way, Some(("10.0.0.101:68".to_owned(), SERVER, None)));
    ask(MessageType::Request, MAC).requested(NODE).to(&mut new).is(MessageType::Ack, NODE);
    // It renews by unicast, perhaps through a router, so on another interface.
    let renewing = Ask { to: SERVER, interface: 3, ..ask(MessageType::Request, MAC).ciaddr(NODE) };
    renewing.to(&mut new).is(MessageType::Ack, NODE);
}

#[test]
fn information_is_given_without_a_lease() {
    let got = ask(MessageType::Inform, MAC).ciaddr(NODE).to(&mut owner());
    got.is(MessageType::Ack, Ipv4Addr::UNSPECIFIED);
    assert_eq!(got.option(OptionCode::AddressLeaseTime), None);
    assert_eq!(got.way.unwrap().0, "10.0.0.101:68");
}

#[test]
fn a_declined_reservation_is_told_to_the_log() {
    let decline = || ask(MessageType::Decline, MAC).requested(NODE);
    assert!(decline().chosen(SERVER).to(&mut owner()).conflict);
    assert!(!decline().chosen([10, 0, 0, 2]).to(&mut owner()).conflict);
    ask(MessageType::Release, MAC).ciaddr(NODE).to(&mut owner()).is_silent(Silence::Heard);
}

#[test]
fn a_relay_is_answered_from_the_address_it_asked_and_gets_its_option_back() {
    let mut relayed = ask(MessageType::Discover, MAC);
    relayed.message.set_giaddr([10, 0, 0, 250]);
    let mut info = RelayAgentInformation::default();
    info.insert(RelayInfo::AgentCircuitId(vec![1, 2, 3]));
    let option = DhcpOption::RelayAgentInformation(info);
    let to = Ipv4Addr::new(192, 168, 7, 1);
    let got = Ask { to, interface: 3, ..relayed.with(option.clone()) }.to(&mut owner());
    got.is(MessageType::Offer, NODE);
    assert_eq!(got.way, Some(("10.0.0.250:67".to_owned(), to, None)));
    assert_eq!(got.option(OptionCode::RelayAgentInformation), Some(option));
    assert_eq!(got.option(OptionCode::ServerIdentifier), Some(DhcpOption::ServerIdentifier(to)));
}

#[test]
fn an_interface_that_is_not_listed_is_not_served() {
    let mut machine = server(&slice(vec![node(Role::Owner)], Vec::new(), &["eth1:noboot"]));
    ask(MessageType::Discover, MAC).to(&mut machine).is_silent(Silence::Off);
    let mut machine = server(&slice(vec![node(Role::Owner)], Vec::new(), &["eth0"]));
    ask(MessageType::Discover, MAC).to(&mut machine).is(MessageType::Offer, NODE);
}

#[test]
fn each_kind_of_firmware_gets_its_file() {
    let file = |netboot, ask: Ask| {
        let node = Node { netboot, ..node(Role::Owner) };
        ask.to(&mut server(&slice(vec![node], Vec::new(), &[]))).file()
    };
    let pxe = |arch| ask(MessageType::Discover, MAC).pxe(arch);
    let ipxe = |arch| pxe(arch).with(DhcpOption::UserClass(b"iPXE".to_vec()));
    let http = |arch| {
        let class = DhcpOption::ClassIdentifier(b"HTTPClient:Arch:00016".to_vec());
        pxe(arch).with(class)
    };
    let base = "http://10.0.0.1:8080/tftpboot";
    assert_eq!(file(Netboot::Xnba, pxe(0)), "undionly.kpxe");
    assert_eq!(file(Netboot::Xnba, pxe(7)), "snponly.efi");
    assert_eq!(file(Netboot::Xnba, pxe(11)), "arm64-efi/snponly.efi");
    assert_eq!(file(Netboot::Xnba, http(16)), format!("{base}/ipxe.efi"));
    assert_eq!(file(Netboot::Xnba, ipxe(0)), format!("{base}/xcat/xnba/nodes/n1"));
    assert_eq!(file(Netboot::Xnba, ipxe(7)), format!("{base}/xcat/xnba/nodes/n1.uefi"));
    assert_eq!(file(Netboot::Pxe, pxe(0)), "pxelinux.0");
    assert_eq!(file(Netboot::Pxe, pxe(9)), "snponly.efi");
    assert_eq!(file(Netboot::Grub2, pxe(7)), "boot/grub2/grub2-n1");
    assert_eq!(file(Netboot::Xnba, ask(MessageType::Discover, MAC)), "");
}

#[test]
fn firmware_hears_its_own_class_and_ipxe_does_not_wait_for_proxies() {
    let pxe = ask(MessageType::Discover, MAC).pxe(7).to(&mut owner());
    let class = |text: &str| Some(DhcpOption::ClassIdentifier(text.as_bytes().to_vec()));
    assert_eq!(pxe.option(OptionCode::ClassIdentifier), class("PXEClient"));
    let http = DhcpOption::ClassIdentifier(b"HTTPClient:Arch:00016:UNDI:003000".to_vec());
    let http = ask(MessageType::Discover, MAC).with(http).to(&mut owner());
    assert_eq!(http.option(OptionCode::ClassIdentifier), class("HTTPClient"));
    let ipxe = ask(MessageType::Discover, MAC).with(DhcpOption::UserClass(b"iPXE".to_vec()));
    let ipxe = ipxe.to(&mut owner());
    let Some(DhcpOption::Unknown(option)) = ipxe.option(OptionCode::from(175)) else { panic!("{ipxe:?}") };
    assert_eq!(option.data(), [176, 1, 1]);
}

#[test]
fn petitboot_gets_the_address_of_its_configuration() {
    let node = Node { netboot: Netboot::Petitboot, ..node(Role::Owner) };
    let wanted = DhcpOption::ParameterRequestList(vec![OptionCode::from(209)]);
    let got = ask(MessageType::Discover, MAC).with(wanted);
    let got = got.to(&mut server(&slice(vec![node], Vec::new(), &[])));
    let Some(DhcpOption::Unknown(option)) = got.option(OptionCode::from(209)) else { panic!("{got:?}") };
    assert_eq!(option.data(), b"http://10.0.0.1:8080/tftpboot/petitboot/n1");
}

#[test]
fn an_offline_node_may_renew_but_not_boot() {
    let node = Node { boot: Boot::Offline, ..node(Role::Owner) };
    let mut machine = server(&slice(vec![node], Vec::new(), &[]));
    ask(MessageType::Discover, MAC).pxe(0).to(&mut machine).is_silent(Silence::Offline);
    ask(MessageType::Discover, MAC).to(&mut machine).is(MessageType::Offer, NODE);
}

#[test]
fn a_stranger_gets_nothing_without_a_range() {
    let mut machine = owner();
    for now in [1000, 1010, 1020] {
        Ask { now, ..ask(MessageType::Discover, STRANGER) }.to(&mut machine).is_silent(Silence::Stranger);
    }
}

/// Asks twice, as strangers have to.
fn offered(machine: &mut Machine, mac: MacAddr, now: u64) -> Option<Ipv4Addr> {
    Ask { now, ..ask(MessageType::Discover, mac) }.to(machine);
    let again = Ask { now: now + 4, ..ask(MessageType::Discover, mac) }.to(machine);
    again.answer.map(|answer| answer.yiaddr())
}

#[test]
fn a_stranger_that_asks_again_gets_an_address_that_is_no_nodes() {
    let mut machine = with_range();
    ask(MessageType::Discover, STRANGER).to(&mut machine).is_silent(Silence::Stranger);
    let offer = Ask { now: 1004, ..ask(MessageType::Discover, STRANGER) }.to(&mut machine);
    let ip = offer.answer.as_ref().unwrap().yiaddr();
    assert!(!offer.kept && ip != NODE && [100, 102].contains(&ip.octets()[3]), "{ip}");
    let ack = ask(MessageType::Request, STRANGER).chosen(SERVER).requested(ip).to(&mut machine);
    ack.is(MessageType::Ack, ip);
    assert!(ack.kept);
    // It keeps its address, and renews it at once.
    assert_eq!(offered(&mut machine, STRANGER, 9000), Some(ip));
    let renews = Ask { to: SERVER, now: 9010, ..ask(MessageType::Request, STRANGER).ciaddr(ip) };
    assert!(renews.to(&mut machine).kept);
    // Two addresses are for strangers; the node's own between them is not.
    assert!(offered(&mut machine, MacAddr::new([2, 0, 0, 0, 0, 1]), 9100).is_some());
    assert_eq!(offered(&mut machine, MacAddr::new([2, 0, 0, 0, 0, 2]), 9100), None);
}

fn ask_at(machine: &mut Machine, now: u64) -> Outcome {
    Ask { now, ..ask(MessageType::Discover, STRANGER) }.to(machine)
}

#[test]
fn a_stranger_that_goes_elsewhere_is_left_alone() {
    let mut machine = with_range();
    ask(MessageType::Discover, STRANGER).to(&mut machine);
    let elsewhere = ask(MessageType::Request, STRANGER).requested([10, 0, 0, 50]).chosen([10, 0, 0, 2]);
    elsewhere.to(&mut machine).is_silent(Silence::OtherServer);
    assert_eq!(offered(&mut machine, STRANGER, 1010), None);
    // Much later it is a stranger like any other, and has to ask twice again.
    ask_at(&mut machine, 5000).is_silent(Silence::Stranger);
    assert!(ask_at(&mut machine, 5004).answer.is_some());
    // The clock was set back: nothing is held against it.
    ask_at(&mut machine, 100).is_silent(Silence::Stranger);
    assert!(ask_at(&mut machine, 104).answer.is_some());
    // The node of another service node renews, and hears no refusal.
    let renews = Ask { to: SERVER, ..ask(MessageType::Request, STRANGER).ciaddr([10, 0, 0, 50]) };
    renews.to(&mut machine).is_silent(Silence::Stranger);
}

#[test]
fn a_declined_address_goes_to_nobody_for_a_while() {
    let mut machine = with_range();
    let ip = offered(&mut machine, STRANGER, 1000).unwrap();
    ask(MessageType::Request, STRANGER).chosen(SERVER).requested(ip).to(&mut machine);
    let decline = ask(MessageType::Decline, STRANGER).chosen(SERVER).requested(ip).to(&mut machine);
    assert!(decline.kept);
    let next = offered(&mut machine, STRANGER, 1100).unwrap();
    assert_ne!(next, ip);
}

#[test]
fn the_same_address_twice_is_refused_with_both_names() {
    let twin = Node { name: "n2".parse().unwrap(), ..node(Role::Owner) };
    let problems = View::build(&slice(vec![node(Role::Owner), twin.clone()], Vec::new(), &[])).unwrap_err();
    assert_eq!(problems, ["10.0.0.101 is of n1 and of n2", "52:54:00:00:00:01 is of n1 and of n2"]);
    // A node that is held while it moves here is no rival of itself elsewhere.
    let twin = Node { role: Role::Backup, ..twin };
    let mut machine = server(&slice(vec![node(Role::Owner), twin], Vec::new(), &[]));
    ask(MessageType::Discover, MAC).to(&mut machine).is(MessageType::Offer, NODE);
}

#[test]
fn nodes_without_a_hardware_address_are_no_rivals() {
    let bare = |name: &str, last: u8| {
        let mut node = Node { name: name.parse().unwrap(), ..node(Role::Owner) };
        node.interfaces.truncate(1);
        node.interfaces[0].mac = MacAddr::NONE;
        node.interfaces[0].ip = Some([10, 0, 0, last].into());
        node
    };
    let nodes = vec![bare("n8", 108), bare("n9", 109)];
    View::build(&slice(nodes, Vec::new(), &[])).unwrap();
}

#[test]
fn a_service_that_is_off_says_nothing() {
    let mut machine = Machine::new(Ports { server: 67, client: 68 }, Table::default());
    ask(MessageType::Discover, MAC).to(&mut machine).is_silent(Silence::Off);
}

#[test]
fn a_small_client_gets_a_small_answer_with_what_it_needs_to_boot() {
    let id = DhcpOption::ClientIdentifier(vec![9; 200]);
    let ask = ask(MessageType::Discover, MAC).pxe(7).with(id);
    let got = ask.with(DhcpOption::MaxMessageSize(300)).to(&mut owner());
    let answer = got.answer.as_ref().unwrap();
    let mut bytes = Vec::new();
    answer.encode(&mut Encoder::new(&mut bytes)).unwrap();
    assert!(bytes.len() <= 548, "{}", bytes.len());
    assert_eq!(got.file(), "snponly.efi");
    assert!(got.option(OptionCode::Router).is_some());
}

proptest! {
    #[test]
    fn no_packets_panic_and_no_address_is_leased_twice(
        steps in prop::collection::vec((0u8..5, 1u8..9, 98u8..104, any::<bool>(), 0u64..40), 1..60),
    ) {
        let mut machine = with_range();
        let mut now = 1000;
        let mut told: std::collections::BTreeMap<Ipv4Addr, (MacAddr, u64)> = std::collections::BTreeMap::new();
        for (who, kind, ip, chosen, wait) in steps {
            now += wait;
            let mac = if who == 0 { MAC } else { MacAddr::new([2, 0, 0, 0, 0, who]) };
            let mut one = Ask { now, ..ask(MessageType::from(kind), mac).requested([10, 0, 0, ip]) };
            if chosen {
                one = one.chosen(SERVER);
            }
            let got = one.to(&mut machine);
            if kind == 7 || kind == 4 {
                told.retain(|_, (holder, _)| *holder != mac);
            }
            if got.kind() == Some(MessageType::Ack) && kind == 3 {
                let ip = got.answer.unwrap().yiaddr();
                if let Some((holder, until)) = told.get(&ip) {
                    prop_assert!(*holder == mac || *until <= now, "{ip} is of {holder}");
                }
                prop_assert_eq!(ip == NODE, mac == MAC);
                told.retain(|_, (holder, _)| *holder != mac);
                told.insert(ip, (mac, now + 600));
            }
        }
    }
}
