//! The slice indexed for DHCP: hardware address → reservation, and the networks.
//!
//! Options are encoded here, once a slice, so that a packet costs a look-up and a copy.
//!
//! **Invariant**: two owned nodes never claim the same address, nor one hardware address on one
//! network; such a slice is refused as a whole, with the names of both.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use common::id::{MacAddr, NetworkName, NodeName};
use common::slice::{Boot, Entry, Interface, Key, Net, Netboot, Network, Node, Role, Services, Site, Slice};

use super::options::{Facts, Prepared};
use crate::boot;

/// Lease time where the slice has no site entry: xCAT's default.
const LEASE_SECONDS: u32 = 43_200;

/// What DHCP answers from.
#[derive(Debug, Default)]
pub struct View {
    /// Whether the service is on.
    pub(crate) on: bool,
    /// Interfaces to serve on; empty for all.
    interfaces: Vec<String>,
    /// Whether relayed requests are answered, whatever interface they come in on.
    remote: bool,
    pub(crate) subnets: Vec<Subnet>,
    claims: HashMap<MacAddr, Vec<Claim>>,
    reserved: HashMap<Ipv4Addr, NodeName>,
}

/// A network that is served.
#[derive(Debug)]
pub(crate) struct Subnet {
    pub(crate) net: Net,
    /// This service node's address on it, where the management node knows one.
    pub(crate) server: Option<Ipv4Addr>,
    /// Addresses for strangers.
    pub(crate) dynamic: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// What strangers are told.
    pub(crate) options: Prepared,
    pub(crate) lease_seconds: u32,
    gateway: Option<Ipv4Addr>,
}

impl Subnet {
    /// Whether an address may be given to a stranger, as far as the network knows.
    pub(crate) fn is_dynamic(&self, ip: Ipv4Addr) -> bool {
        let never = [Some(self.net.network()), Some(self.net.broadcast()), self.gateway, self.server];
        self.net.contains(&ip)
            && self.dynamic.iter().any(|(first, last)| (*first..=*last).contains(&ip))
            && (self.net.prefix_len() >= 31 || !never[..2].contains(&Some(ip)))
            && !never[2..].contains(&Some(ip))
    }
}

/// What the slice knows of a hardware address.
#[derive(Clone, Debug)]
pub(crate) enum Claim {
    /// It is a node's, which is not answered: no address (`*NOIP*`), not the owner.
    Silent,
    /// A reserved address of an owned node.
    Reserved(Reservation),
}

/// A reserved address of an owned node.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) ip: Ipv4Addr,
    pub(crate) options: Prepared,
    pub(crate) node: Arc<Facets>,
}

/// What all reservations of one node share.
#[derive(Debug)]
pub(crate) struct Facets {
    pub(crate) name: NodeName,
    pub(crate) offline: bool,
    pub(crate) netboot: Netboot,
    pub(crate) next_server: Ipv4Addr,
    pub(crate) next_server_text: String,
    pub(crate) base: String,
}

impl View {
    /// Indexes a slice.
    ///
    /// # Errors
    /// When two owned nodes claim the same address or the same hardware address on one network.
    pub fn build(slice: &Slice) -> Result<Self, Vec<String>> {
        let services = match slice.entry(&Key::Services) {
            Some(Entry::Services(services)) if services.dhcp => services,
            _ => return Ok(Self::default()),
        };
        let mut view = Self::empty(services);
        let site = slice.site();
        let lease_seconds = site.map_or(LEASE_SECONDS, |site| site.lease_seconds);
        let networks: BTreeMap<_, _> = slice.networks().map(|network| (&network.name, network)).collect();
        view.subnets = networks.values().map(|network| subnet(network, lease_seconds)).collect();
        let mut problems = Vec::new();
        for node in slice.nodes() {
            let facets = Arc::new(facets(node, site));
            let names = node.interfaces.iter().filter(|interface| node.is_name_alone(interface));
            for ip in names.filter_map(|interface| interface.ip) {
                // Nobody's to be given away, and no claim to it.
                view.reserved.entry(ip).or_insert_with(|| node.name.clone());
            }
            for interface in node.own_interfaces() {
                let network = network_of(interface, &networks);
                let claim = claim(node, interface, network, &facets, lease_seconds);
                view.put(node, interface, claim, &mut problems);
            }
        }
        if problems.is_empty() { Ok(view) } else { Err(problems) }
    }

    fn empty(services: &Services) -> Self {
        // xCAT writes `eth0:noboot`; the part behind the colon is of no use here.
        let name = |entry: &String| entry.split(':').next().unwrap_or_default().to_owned();
        let all: Vec<String> = services.dhcp_interfaces.iter().map(name).collect();
        let remote = all.is_empty() || all.iter().any(|name| name.starts_with("!remote!"));
        let interfaces = all.into_iter().filter(|name| !name.starts_with("!remote!")).collect();
        Self { on: true, interfaces, remote, ..Self::default() }
    }

    fn put(&mut self, node: &Node, interface: &Interface, claim: Claim, problems: &mut Vec<String>) {
        if let Some(ip) = interface.ip {
            let owned = matches!(claim, Claim::Reserved(_));
            match self.reserved.get(&ip) {
                Some(other) if owned && *other != node.name && self.owns(other, ip) => {
                    problems.push(format!("{ip} is of {other} and of {}", node.name));
                }
                Some(_) if !owned => {}
                _ => drop(self.reserved.insert(ip, node.name.clone())),
            }
        }
        let claims = self.claims.entry(interface.mac).or_default();
        if let Claim::Reserved(new) = &claim
            && interface.mac != MacAddr::NONE
        {
            let clash = claims.iter().find_map(|old| match old {
                Claim::Reserved(old)
                    if old.node.name != new.node.name && same_net(&self.subnets, old, new) =>
                {
                    Some(&old.node.name)
                }
                _ => None,
            });
            if let Some(other) = clash {
                problems.push(format!("{} is of {other} and of {}", interface.mac, node.name));
            }
        }
        claims.push(claim);
    }

    /// Whether a node that was put before owns `ip`.
    fn owns(&self, name: &NodeName, ip: Ipv4Addr) -> bool {
        self.claims.values().flatten().any(|claim| match claim {
            Claim::Reserved(one) => one.node.name == *name && one.ip == ip,
            Claim::Silent => false,
        })
    }

    /// Whether the service is switched on (`servicenode.dhcpserver`).
    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// What is known of a hardware address; nothing of a stranger's.
    pub(crate) fn claims(&self, mac: MacAddr) -> Option<&[Claim]> {
        self.claims.get(&mac).map(Vec::as_slice)
    }

    /// Whether an address is a node's, whoever owns the node.
    pub(crate) fn is_reserved(&self, ip: Ipv4Addr) -> bool {
        self.reserved.contains_key(&ip)
    }

    /// Whether requests from this interface are answered.
    pub(crate) fn serves(&self, interface: &str, relayed: bool) -> bool {
        let label = interface.split(':').next().unwrap_or_default();
        (relayed && self.remote)
            || self.interfaces.is_empty()
            || self.interfaces.iter().any(|one| one == label)
    }

    /// The network that holds an address; the narrowest where they overlap.
    pub(crate) fn subnet_of(&self, ip: Ipv4Addr) -> Option<&Subnet> {
        let around = self.subnets.iter().filter(|subnet| subnet.net.contains(&ip));
        around.max_by_key(|subnet| subnet.net.prefix_len())
    }
}

fn same_net(subnets: &[Subnet], one: &Reservation, other: &Reservation) -> bool {
    subnets.iter().any(|subnet| subnet.net.contains(&one.ip) && subnet.net.contains(&other.ip))
}

fn subnet(network: &Network, lease_seconds: u32) -> Subnet {
    let facts = Facts {
        lease_seconds,
        router: network.gateway,
        nameservers: &network.nameservers,
        ntp: &network.ntp_servers,
        log: None,
        host: None,
        domain: &network.domain,
        mtu: network.mtu,
    };
    Subnet {
        net: network.net,
        server: network.server,
        dynamic: network.dynamic.clone(),
        options: Prepared::of(network.net, &facts),
        lease_seconds,
        gateway: network.gateway,
    }
}

/// The network that an interface names, else the narrowest that holds its address.
fn network_of<'a>(
    interface: &Interface,
    networks: &BTreeMap<&NetworkName, &'a Network>,
) -> Option<&'a Network> {
    let named = interface.network.as_ref().and_then(|name| networks.get(name)).copied();
    named.or_else(|| {
        let ip = interface.ip?;
        let around = networks.values().copied().filter(|network| network.net.contains(&ip));
        around.max_by_key(|network| network.net.prefix_len())
    })
}

fn facets(node: &Node, site: Option<&Site>) -> Facets {
    let next_server = node.servers.next_server;
    Facets {
        name: node.name.clone(),
        offline: node.boot == Boot::Offline,
        netboot: node.netboot,
        next_server,
        next_server_text: next_server.to_string(),
        base: site.map_or_else(|| format!("http://{next_server}"), |site| boot::http_base(next_server, site)),
    }
}

fn claim(
    node: &Node,
    interface: &Interface,
    network: Option<&Network>,
    facets: &Arc<Facets>,
    lease_seconds: u32,
) -> Claim {
    let (Role::Owner, Some(ip), Some(network)) = (node.role, interface.ip, network) else {
        return Claim::Silent;
    };
    // A router outside the interface's network cannot be reached from it: a node's second network
    // gets none, or it would have two default routes.
    let router = node.servers.router.filter(|router| network.net.contains(router));
    let domain = if node.servers.domain.is_empty() { &network.domain } else { &node.servers.domain };
    let facts = Facts {
        lease_seconds,
        router,
        nameservers: &node.servers.nameservers,
        ntp: &node.servers.ntp,
        log: node.servers.log,
        host: Some(&interface.host),
        domain,
        mtu: network.mtu,
    };
    Claim::Reserved(Reservation { ip, options: Prepared::of(network.net, &facts), node: Arc::clone(facets) })
}
