//! A small node for tests of this crate.

use common::id::Epoch;
use common::slice::{Boot, Interface, Netboot, Node, PoolMember, Role, Servers};

/// A node `nX` with one interface, owned by `sn1` with `sn2` behind it.
pub(crate) fn node(name: &str) -> Node {
    let last: u8 = name.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
    let member = |sn: &str, last| PoolMember { sn: sn.parse().unwrap(), address: [10, 0, 0, last].into() };
    Node {
        name: name.parse().unwrap(),
        role: Role::Owner,
        epoch: Epoch::new(1),
        pool: vec![member("sn1", 1), member("sn2", 2)],
        interfaces: vec![Interface {
            mac: common::id::MacAddr::new([2, 0, 0, 0, 0, last]),
            host: name.to_owned(),
            ip: Some([10, 0, 0, 10 + last].into()),
            network: Some("mgt".parse().unwrap()),
        }],
        servers: Servers {
            master: [10, 0, 0, 1].into(),
            next_server: [10, 0, 0, 1].into(),
            nfs_server: [10, 0, 0, 1].into(),
            router: None,
            router_is_master: false,
            nameservers: vec![[10, 0, 0, 1].into()],
            ntp: vec![[10, 0, 0, 1].into()],
            log: Some([10, 0, 0, 1].into()),
            domain: "cluster".to_owned(),
        },
        netboot: Netboot::Xnba,
        boot: Boot::Disk,
        scripts: vec![],
        join: None,
        agent_key: None,
        rests: false,
    }
}
