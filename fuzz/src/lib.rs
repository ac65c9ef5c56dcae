//! What the targets share: a small slice to answer from.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

use common::id::{Epoch, MacAddr};
use common::slice::{
    Boot, Entry, Host, Interface, Netboot, Network, Node, PoolMember, Role, Servers, Services, Site, Slice,
};

/// The address of the service node.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 250);

/// The address of the one node.
pub const NODE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// The hardware address of the one node.
pub const MAC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 1]);

/// One network with a range for strangers, one node that boots a kernel, one host; everything is
/// switched on.
///
/// # Panics
/// When its own names are none, which the first run would show.
pub fn slice() -> Slice {
    let mut slice = Slice::new();
    for entry in [services(), site(), network(), node(), host()] {
        slice.put(entry).expect("the fixture's entries are small");
    }
    slice
}

/// A DHCP request with a header that is right (RFC 2131 §2) and options that are anything. Its
/// first byte says whose it is: the node's when even, else a stranger's.
pub fn dhcp_request(bytes: &[u8]) -> Vec<u8> {
    let (&first, options) = bytes.split_first().unwrap_or((&0, &[]));
    let mac = if first % 2 == 0 { MAC } else { MacAddr::new([2, 0, 0, 0, 0, first]) };
    let mut request = vec![0; 236];
    request[..3].copy_from_slice(&[1, 1, 6]);
    request[28..34].copy_from_slice(&mac.bytes());
    request.extend_from_slice(&[99, 130, 83, 99]);
    request.extend_from_slice(options);
    request
}

fn services() -> Entry {
    Entry::Services(Services {
        sn: "sn1".parse().expect("a name"),
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

fn site() -> Entry {
    Entry::Site(Site {
        domain: "cluster".to_owned(),
        forwarders: vec![[192, 0, 2, 53].into()],
        lease_seconds: 43_200,
        http_port: 80,
        agent_port: 7701,
        logs_stay: false,
        authority: [7; 32],
    })
}

fn network() -> Entry {
    Entry::Network(Network {
        name: "lan".parse().expect("a name"),
        net: "10.0.0.0/24".parse().expect("a network"),
        gateway: Some(SERVER),
        server: Some(SERVER),
        dynamic: vec![([10, 0, 0, 100].into(), [10, 0, 0, 110].into())],
        nameservers: vec![SERVER],
        ntp_servers: vec![SERVER],
        domain: "cluster".to_owned(),
        mtu: Some(9000),
    })
}

fn node() -> Entry {
    Entry::Node(Box::new(Node {
        name: "n1".parse().expect("a name"),
        role: Role::Owner,
        epoch: Epoch::new(1),
        pool: vec![PoolMember { sn: "sn1".parse().expect("a name"), address: SERVER }],
        interfaces: vec![Interface {
            mac: MAC,
            host: "n1".to_owned(),
            ip: Some(NODE),
            network: "lan".parse().ok(),
        }],
        servers: Servers {
            master: SERVER,
            next_server: SERVER,
            nfs_server: SERVER,
            router: Some(SERVER),
            router_is_master: true,
            nameservers: vec![SERVER],
            ntp: vec![SERVER],
            log: Some(SERVER),
            domain: "cluster".to_owned(),
        },
        netboot: Netboot::Xnba,
        boot: Boot::Kernel {
            state: "shell".to_owned(),
            image: None,
            kernel: "tftpboot/kernel".parse().expect("a path"),
            initrd: None,
            cmdline: "quiet".to_owned(),
        },
        scripts: Vec::new(),
        join: None,
        agent_key: None,
        rests: false,
    }))
}

fn host() -> Entry {
    Entry::Host(Host {
        name: "mn".to_owned(),
        aliases: vec!["mgmt".to_owned()],
        addresses: vec![[10, 0, 0, 251].into()],
    })
}
