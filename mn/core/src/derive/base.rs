//! Everything in a slice but its nodes.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use common::id::SnName;
use common::slice::{Entry, Export, File, FilePath, Host, Image, Key, Net, Outline, Peer, Services, Site};

use super::{Facts, Need, servers};
use crate::model::{Gateway, Model, Network, Server};
use crate::node;
use crate::table::{Row, schema as table};

/// Folders of the served tree that every service node has.
const FOR_ALL: &[&str] = &["tftpboot/", "install/postscripts/", "install/custom/", "install/syncfiles/"];

/// The entries that a slice has beside its nodes.
pub(super) fn derive<'a>(
    model: &Model,
    sn: &SnName,
    facts: &Facts,
    needs: impl Iterator<Item = &'a Need>,
    slice: &Outline,
) -> Vec<Entry> {
    let mut entries = vec![Entry::Site(site(model, facts))];
    let services = services(model, sn);
    let mut networks: BTreeSet<String> = served_to_strangers(model, sn).collect();
    let mut folders: Vec<String> = FOR_ALL.iter().map(|&folder| folder.to_owned()).collect();
    entries.extend(model.site("master").and_then(|master| host(model, slice, "mn", &[master])));
    for need in needs {
        match need {
            Need::Network(name) => {
                networks.insert(name.clone());
            }
            Need::Image(name) => {
                folders.extend(node::folders(model, name).into_iter().map(|folder| folder + "/"));
                entries.extend(image(model, name));
            }
            Need::Host(name) => entries.extend(host(model, slice, name, &[name])),
            Need::Server(_) => {}
            Need::Peer(peer) => {
                entries
                    .push(Entry::Peer(Peer { sn: peer.clone(), addresses: node::addresses_of(model, peer) }));
            }
        }
    }
    let networks: Vec<&Network> =
        model.networks().iter().filter(|network| networks.contains(network.name.as_str())).collect();
    if services.nfs && !networks.is_empty() {
        let clients = networks.iter().map(|network| network.net).collect();
        entries.extend(export("/install", clients));
    }
    entries.extend(networks.into_iter().map(|network| Entry::Network(self::network(model, sn, network))));
    entries.extend(files(model, &folders));
    entries.push(Entry::Services(services));
    entries
}

fn site(model: &Model, facts: &Facts) -> Site {
    let number = |key: &str| model.site(key).and_then(|text| text.trim().parse().ok());
    let forwarders = model.site("forwarders").unwrap_or_default();
    Site {
        domain: model.site("domain").unwrap_or_default().trim_matches('.').to_ascii_lowercase(),
        forwarders: forwarders.split(',').filter_map(|word| word.trim().parse::<IpAddr>().ok()).collect(),
        lease_seconds: number("dhcplease").unwrap_or(43_200),
        http_port: number("httpport").and_then(|port| u16::try_from(port).ok()).unwrap_or(80),
        agent_port: number("agentport")
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(common::wire::SN_PORT),
        logs_stay: model.site("svloglocal").is_some_and(is_yes),
        authority: facts.authority,
    }
}

fn is_yes(word: &str) -> bool {
    matches!(word.trim().to_ascii_lowercase().as_str(), "1" | "2" | "y" | "yes" | "true" | "enable")
}

/// The switches of the `servicenode` table. As in xCAT, a service that no column asks for is left
/// alone; syslog, for which xCAT has no switch, is on unless `monserver` (`setupsyslog`) says no.
pub fn services(model: &Model, sn: &SnName) -> Services {
    let cell = |column| model.cell(table::SERVICENODE, sn.as_str(), column).map(std::borrow::Cow::into_owned);
    let on = |column| cell(column).is_some_and(|word| is_yes(&word));
    let interfaces = cell("dhcpinterfaces").unwrap_or_default();
    Services {
        sn: sn.clone(),
        dhcp: on("dhcpserver"),
        tftp: on("tftpserver"),
        http: on("nfsserver") || on("tftpserver"),
        dns: on("nameserver"),
        ntp: on("ntpserver"),
        syslog: cell("monserver").is_none_or(|word| is_yes(&word)),
        nfs: on("nfsserver"),
        dhcp_interfaces: interfaces
            .split([',', '|'])
            .map(str::trim)
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

/// Networks whose dynamic range this service node hands out (`networks.dhcpserver`).
fn served_to_strangers<'a>(model: &'a Model, sn: &'a SnName) -> impl Iterator<Item = String> + 'a {
    let mine = move |network: &&Network| hands_out(model, sn, network);
    model.networks().iter().filter(mine).map(|network| network.name.to_string())
}

fn hands_out(model: &Model, sn: &SnName, network: &Network) -> bool {
    let named = network.dhcpserver.as_deref().and_then(|name| node::service_node_named(model, name));
    !network.dynamic.is_empty() && named.as_ref() == Some(sn)
}

fn network(model: &Model, sn: &SnName, network: &Network) -> common::slice::Network {
    let server = node::address_on(model, sn, network);
    let first = |lists: [Vec<Server>; 2]| -> Vec<Ipv4Addr> {
        let one = |word: &Server| match word {
            Server::Master => server,
            Server::Addr(address) => Some(*address),
            Server::Name(name) => model.resolve(name).into_iter().next(),
        };
        let found = lists.iter().map(|list| list.iter().filter_map(one).collect::<Vec<_>>());
        found.into_iter().find(|found| !found.is_empty()).unwrap_or_else(|| server.into_iter().collect())
    };
    let of_site = |key| model.site(key).map(servers::list).unwrap_or_default();
    let domain = network.domain.clone().or_else(|| model.site("domain").map(str::to_owned));
    common::slice::Network {
        name: network.name.clone(),
        net: network.net,
        gateway: match &network.gateway {
            Gateway::Addr(address) => Some(*address),
            Gateway::Master => server,
            Gateway::None => None,
        },
        server,
        dynamic: if hands_out(model, sn, network) { network.dynamic.clone() } else { Vec::new() },
        nameservers: first([network.nameservers.clone(), of_site("nameservers")]),
        ntp_servers: first([network.ntp.clone(), of_site("ntpservers")]),
        domain: domain.unwrap_or_default().trim_matches('.').to_ascii_lowercase(),
        mtu: network.mtu,
    }
}

/// A name with all addresses that any of `sources` has, unless a node of the slice has that name.
fn host(model: &Model, slice: &Outline, name: &str, sources: &[&str]) -> Option<Entry> {
    if name.parse().is_ok_and(|node| slice.contains(&Key::Node(node))) {
        return None;
    }
    let mut addresses: Vec<IpAddr> = Vec::new();
    for source in sources {
        let sn = node::service_node_named(model, source);
        let known = sn.map(|sn| node::addresses_of(model, &sn)).unwrap_or_default();
        for address in known.into_iter().chain(model.resolve(source)).map(IpAddr::V4) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    let entry = Host { name: name.to_owned(), aliases: Vec::new(), addresses };
    (!entry.addresses.is_empty()).then_some(Entry::Host(entry))
}

fn image(model: &Model, name: &str) -> Option<Entry> {
    let bootable = node::bootable(model, name)?;
    let node::Bootable { kernel, initrd, cmdline } = bootable;
    Some(Entry::Image(Image { name: name.parse().ok()?, kernel, initrd, cmdline }))
}

fn export(pseudo: &str, clients: Vec<Net>) -> Option<Entry> {
    let path: FilePath = pseudo.parse().ok()?;
    Some(Entry::Export(Export { pseudo: pseudo.to_owned(), path, writable: false, clients }))
}

fn files<'a>(model: &'a Model, folders: &'a [String]) -> impl Iterator<Item = Entry> + 'a {
    let wanted = |path: &str| folders.iter().any(|folder| path.starts_with(folder.as_str()));
    let rows = model.tables().rows(table::FILE).filter(move |(key, _)| wanted(key.as_str()));
    rows.filter_map(|(key, row)| file(key.as_str(), row)).map(Entry::File)
}

fn file(path: &str, row: &Row) -> Option<File> {
    let hash = row.cell("hash")?.parse().ok()?;
    let mode = row.cell("mode").and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or_default();
    let size = row.cell("size")?.parse().ok()?;
    Some(File { path: path.parse().ok()?, hash, size, executable: mode & 0o111 != 0 })
}
