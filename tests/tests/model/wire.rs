//! Names, addresses and packets of the simulated rack.

use std::net::Ipv4Addr;

use common::id::{Digest, MacAddr, NodeName, SnName};
use common::slice::Slice;
use dhcproto::v4::{DhcpOption, Encodable as _, Encoder, Message, MessageType};
use sn_proto::dhcp::lease::Table;
use sn_proto::dhcp::machine as dhcp;

pub(crate) fn sn(number: u8) -> SnName {
    format!("sn{number}").parse().expect("a name")
}

pub(crate) fn node(number: u8) -> NodeName {
    format!("n{number}").parse().expect("a name")
}

/// The number in a name such as `sn2`.
pub(crate) fn number(name: &str) -> u8 {
    name.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().expect("a numbered name")
}

/// The key of a node's agent.
pub(crate) fn key(node: &NodeName) -> Digest {
    Digest::of(node.as_str().as_bytes())
}

fn mac(node: u8) -> MacAddr {
    MacAddr::new([0x52, 0x54, 0, 0, 0, node])
}

/// What the administrator has typed: service nodes at 10.0.0.11 and on, nodes at 10.0.0.101 and on,
/// each with all service nodes in its pool. Their first owners take turns.
pub(crate) fn stanza(service_nodes: u8, nodes: u8) -> String {
    let mut text = "clustersite:\n  objtype=site\n  domain=cluster.test\n  master=10.0.0.1\n\
         rack:\n  objtype=network\n  net=10.0.0.0\n  mask=255.255.255.0\n  gateway=<xcatmaster>\n"
        .to_owned();
    for sn in 1..=service_nodes {
        text += &format!(
            "sn{sn}:\n  objtype=node\n  groups=service\n  ip=10.0.0.{}\n  setupdhcp=1\n  setuptftp=1\n",
            10 + sn
        );
    }
    for node in 1..=nodes {
        let owner = (node - 1) % service_nodes.min(2) + 1;
        let others = (1..=service_nodes).filter(|sn| *sn != owner).map(|sn| format!(",sn{sn}"));
        let pool = format!("sn{owner}{}", others.collect::<String>());
        text += &format!(
            "n{node}:\n  objtype=node\n  groups=compute\n  ip=10.0.0.{}\n  mac={}\n  netboot=xnba\n  \
             servicenode={pool}\n",
            100 + node,
            mac(node)
        );
    }
    text
}

/// What a node's firmware says when it starts.
pub(crate) fn discover(node: u8) -> Vec<u8> {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(7, none, none, none, none, &mac(node).bytes());
    message.opts_mut().insert(DhcpOption::MessageType(MessageType::Discover));
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).expect("a message that we made");
    bytes
}

/// A DHCP server on the rack.
pub(crate) fn dhcp_machine(sn: u8) -> dhcp::Machine {
    let ports = dhcp::Ports { server: 67, client: 68 };
    let mut machine = dhcp::Machine::new(ports, Table::default());
    let net = format!("10.0.0.{}/24", 10 + sn).parse().expect("a network");
    let address = dhcp::Address { interface: "rack".to_owned(), index: 1, net };
    machine.handle(0, dhcp::Event::Addresses(vec![address]), &mut Vec::new());
    machine
}

/// The roles in a slice, for the story.
pub(crate) fn roles(slice: &Slice) -> String {
    let role = |node: &common::slice::Node| format!("{}:{:?}@{}", node.name, node.role, node.epoch);
    slice.nodes().map(role).collect::<Vec<_>>().join(" ")
}
