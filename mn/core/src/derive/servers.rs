//! Which servers a node is told of.

use std::net::Ipv4Addr;

use common::slice::{PoolMember, Servers};

use super::kept::{Kept, Place};
use crate::model::{Gateway, Model, Network, RowsOf, Server};

/// The servers that a node is told of, of its rows of `noderes`; none where its owner has no address
/// for it.
pub(super) fn servers(
    kept: &Kept<'_>,
    resources: &RowsOf<'_>,
    pool: &[PoolMember],
    place: Place<'_>,
) -> Option<Servers> {
    let (model, network) = (kept.model, place.network);
    let owner = pool.first()?;
    let cell = |column| resources.text(column);
    let master = owner.address;
    let one = |server: &Server| pick(kept, server, network, master);
    let boot_server = cell("tftpserver").map(named).or_else(|| {
        network.filter(|_| cell("xcatmaster").is_none()).and_then(|network| network.tftpserver.clone())
    });
    let (router, router_is_master) = match network.map(|network| &network.gateway) {
        Some(Gateway::Addr(address)) => (Some(*address), false),
        Some(Gateway::Master) => (Some(master), true),
        _ => (None, false),
    };
    // The first of the lists that has an address counts; without any, the master serves.
    let first = |lists: [Vec<Server>; 3]| {
        let found = lists.iter().map(|list| list.iter().filter_map(one).collect::<Vec<Ipv4Addr>>());
        found.into_iter().find(|found| !found.is_empty()).unwrap_or_else(|| vec![master])
    };
    let of_network = |read: fn(&Network) -> &Vec<Server>| network.map(read).cloned().unwrap_or_default();
    let of_site = |key| model.site(key).map(list).unwrap_or_default();
    let of_node = cell("nameservers").as_deref().map(list).unwrap_or_default();
    let ignored = cell("syslog").is_some_and(|word| word == "ignore");
    let log = of_network(|network| &network.logservers).iter().find_map(one).unwrap_or(master);
    let domain = network.and_then(|network| network.domain.clone());
    let domain = domain.or_else(|| model.site("domain").map(str::to_owned)).unwrap_or_default();
    Some(Servers {
        master,
        next_server: boot_server.as_ref().and_then(one).unwrap_or(master),
        nfs_server: cell("nfsserver").map(named).as_ref().and_then(one).unwrap_or(master),
        router,
        router_is_master,
        nameservers: first([of_node, of_network(|network| &network.nameservers), of_site("nameservers")]),
        ntp: first([Vec::new(), of_network(|network| &network.ntp), of_site("ntpservers")]),
        log: (!ignored).then_some(log),
        domain: domain.trim_matches('.').to_ascii_lowercase(),
    })
}

/// The names of servers, as rows of `noderes` have them: what the node is told hangs on their addresses.
pub(super) fn names(resources: &RowsOf<'_>) -> impl Iterator<Item = String> {
    let one = ["tftpserver", "nfsserver"].into_iter().filter_map(|column| resources.text(column)).map(named);
    let list = resources.text("nameservers").as_deref().map(list).unwrap_or_default();
    one.chain(list).filter_map(|server| match server {
        Server::Name(name) => Some(name),
        Server::Master | Server::Addr(_) => None,
    })
}

/// The names of servers that hold for all nodes, or for those of a network.
pub(super) fn shared_names(model: &Model) -> impl Iterator<Item = &str> {
    let of_networks = model.networks().iter().flat_map(of_network).filter_map(|server| match server {
        Server::Name(name) => Some(name.as_str()),
        Server::Master | Server::Addr(_) => None,
    });
    let of_site = ["master", "nameservers", "ntpservers"].into_iter().filter_map(|key| model.site(key));
    of_networks.chain(of_site.flat_map(|words| words.split(',').map(str::trim)))
}

fn of_network(network: &Network) -> impl Iterator<Item = &Server> {
    let lists = network.nameservers.iter().chain(&network.ntp).chain(&network.logservers);
    lists.chain(&network.tftpserver)
}

fn named(name: String) -> Server {
    if name == "<xcatmaster>" { Server::Master } else { Server::Name(name) }
}

pub(super) fn list(words: &str) -> Vec<Server> {
    words
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| named(word.to_owned()))
        .collect()
}

/// The address of a server as a node should use it: on its network where there is one.
fn pick(kept: &Kept<'_>, server: &Server, network: Option<&Network>, master: Ipv4Addr) -> Option<Ipv4Addr> {
    let name = match server {
        Server::Master => return Some(master),
        Server::Addr(address) => return Some(*address),
        Server::Name(name) => name,
    };
    let found = kept.addresses_named(name);
    let near = network.and_then(|network| found.iter().find(|address| network.net.contains(*address)));
    near.or_else(|| found.first()).copied()
}
