//! Each service of a service node, asked by the clients that nodes have.

mod dhcp;
mod dns;
mod exportfs;
mod http;
mod make;
mod nfs;
mod nodeset;
mod ntp;
mod switches;
mod syslog;
mod tftp;

use std::net::Ipv4Addr;
use std::time::Duration;

use common::id::MacAddr;
use tests::client::dhcp::{Firmware, Offer, offers};
use tests::cluster::Cluster;
use tests::net::Host;
use tests::{Result, wait};

/// The address of sn1.
const SN1: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 11);
/// The address of sn2.
const SN2: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 12);

/// Longer than an answer takes.
const SILENCE: Duration = Duration::from_millis(1200);

/// What a client is offered that must be offered something: asks again while nothing comes.
fn offered(host: &Host, mac: MacAddr, firmware: &Firmware) -> Result<Vec<Offer>> {
    let mut found = wait::until(format!("an offer for {mac}"), wait::LONG, || {
        offers(host, mac, firmware, SILENCE).ok().filter(|found| !found.is_empty())
    })?;
    // On a busy machine the answer to one question may come with that to the next.
    found.dedup();
    Ok(found)
}

/// Sees that a client is offered nothing.
fn offered_nothing(host: &Host, mac: MacAddr, firmware: &Firmware) -> Result<()> {
    match offers(host, mac, firmware, SILENCE)?.as_slice() {
        [] => Ok(()),
        found => Err(format!("{mac} was offered {found:?}").into()),
    }
}

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
