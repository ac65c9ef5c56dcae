//! Which addresses service nodes have, and which of them a node reaches.

use std::net::Ipv4Addr;

use common::id::{NodeName, SnName};
use common::slice::Net;

use crate::model::{Model, Network};
use crate::table::schema as table;

/// No address of a service node lies in a node's network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sn} has no address on network {network}")]
pub struct NoAddress {
    /// The service node.
    pub sn: SnName,
    /// The node's network.
    pub network: String,
}

/// The IPv4 addresses of a service node: those it has reported, then those it is defined with.
/// Loopback addresses count only where there are no others: a cluster on one machine.
pub fn addresses_of(model: &Model, sn: &SnName) -> Vec<Ipv4Addr> {
    let mut addresses: Vec<Ipv4Addr> = Vec::new();
    let reported = model.tables().rows_under(table::SNADDRESS, sn.as_str());
    let reported = reported.filter_map(|(_, row)| row.cell("address")?.parse::<Net>().ok());
    let defined = model.resolve(sn.as_str());
    for address in reported.map(|net| net.addr()).chain(defined) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.iter().any(|address| !address.is_loopback()) {
        addresses.retain(|address| !address.is_loopback());
    }
    addresses
}

/// The address of a service node on a network.
pub fn address_on(model: &Model, sn: &SnName, network: &Network) -> Option<Ipv4Addr> {
    addresses_of(model, sn).into_iter().find(|address| network.net.contains(address))
}

/// The address of `sn` that a node can reach: on the node's network, or, where the node's network
/// is not defined, any.
///
/// # Errors
/// When it has none there.
pub fn address_for(model: &Model, sn: &SnName, node: &NodeName) -> Result<Ipv4Addr, NoAddress> {
    let network = primary_ip(model, node).and_then(|ip| model.network_of(ip));
    let found = network
        .map_or_else(|| addresses_of(model, sn).into_iter().next(), |network| address_on(model, sn, network));
    let network = || network.map_or_else(|| "unknown".to_owned(), |network| network.name.to_string());
    found.ok_or_else(|| NoAddress { sn: sn.clone(), network: network() })
}

/// A service node by any of its names: as defined, with the site's domain, or by an address.
pub fn service_node_named(model: &Model, text: &str) -> Option<SnName> {
    if model.is_service_node(text) {
        return text.parse().ok();
    }
    let short = model.site("domain").and_then(|domain| text.strip_suffix(domain)?.strip_suffix('.'));
    if let Some(short) = short.filter(|short| model.is_service_node(short)) {
        return short.parse().ok();
    }
    let address: Ipv4Addr = text.parse().ok()?;
    model.service_nodes().into_iter().find(|sn| addresses_of(model, sn).contains(&address))
}

/// The address that a node is known by.
pub(crate) fn primary_ip(model: &Model, node: &NodeName) -> Option<Ipv4Addr> {
    model.ip(node.as_str())
}
