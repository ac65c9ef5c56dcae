//! Each service of a service node, asked by the clients that nodes have.

mod dhcp;
mod dns;
mod http;
mod nfs;
mod nodeset;
mod ntp;
mod switches;
mod syslog;
mod tftp;

use std::net::Ipv4Addr;

use tests::Result;
use tests::cluster::Cluster;

/// The address of sn1.
const SN1: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 11);
/// The address of sn2.
const SN2: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 12);

/// A cluster with one service node, all of it started, its nodes switched off.
fn rack(nodes: u16) -> Result<Cluster> {
    let mut cluster = Cluster::lay(nodes, 1)?;
    cluster.start_all()?;
    Ok(cluster)
}

/// The same, with nodes that have booted and so have their addresses.
fn booted_rack(nodes: u16) -> Result<Cluster> {
    let cluster = rack(nodes)?;
    for node in &cluster.nodes {
        node.boot()?;
    }
    Ok(cluster)
}
