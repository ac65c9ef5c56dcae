//! From a slice to a [`View`]: collects names, then encodes each once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use common::slice::{Entry, Host, Key, Net, Network, Node, Services, Slice};

use super::name::{ancestors, from_text};
use super::view::{Records, SOA_TTL, TTL, View, Zone};
use super::wire::{CLASS_IN, kind};

/// For secondaries, which there are none of: refresh, retry, expire.
const SOA_TIMES: [u32; 3] = [3600, 600, 86_400];

/// What is collected before anything is encoded.
struct Draft<'s> {
    slice: &'s Slice,
    networks: Vec<&'s Network>,
    site_domain: String,
    names: BTreeMap<Vec<u8>, Name>,
    zones: HashMap<Box<[u8]>, Zone>,
    problems: Vec<String>,
}

/// A name's addresses, each once in the order they were found, and what it points to.
#[derive(Default)]
struct Name {
    addresses: Vec<Ipv4Addr>,
    pointer: Option<Vec<u8>>,
}

pub(super) fn view(slice: &Slice) -> Result<View, Vec<String>> {
    let Some(Entry::Services(services)) = slice.entry(&Key::Services) else {
        return Ok(View::default());
    };
    if !services.dns {
        return Ok(View::default());
    }
    let mut draft = Draft {
        slice,
        networks: slice.networks().collect(),
        site_domain: slice.site().map(|site| domain(&site.domain)).unwrap_or_default(),
        names: BTreeMap::new(),
        zones: HashMap::new(),
        problems: Vec::new(),
    };
    draft.add_zones();
    slice.nodes().for_each(|node| draft.add_node(node));
    for entry in slice.entries() {
        if let Entry::Host(host) = entry {
            draft.add_host(host);
        }
    }
    let server = draft.add_server(services);
    draft.finish(server)
}

impl Draft<'_> {
    /// The domains of the site, the networks and the nodes, and the networks' reverse zones.
    fn add_zones(&mut self) {
        let mut domains = BTreeSet::from([self.site_domain.clone()]);
        domains.extend(self.networks.iter().map(|network| domain(&network.domain)));
        domains.extend(self.slice.nodes().map(|node| domain(&node.servers.domain)));
        for text in domains.iter().filter(|text| !text.is_empty()) {
            match from_text(text) {
                Ok(wire) => {
                    self.zones.insert(wire.into(), Zone::Whole);
                }
                Err(problem) => self.problems.push(format!("domain {problem}")),
            }
        }
        let nets: Vec<Net> = self.networks.iter().map(|network| network.net.trunc()).collect();
        nets.into_iter().for_each(|net| self.add_reverse_zones(net));
    }

    fn add_reverse_zones(&mut self, net: Net) {
        // Where 0.0.0.0/0 is a network, all reverse names would be ours; nobody means that.
        if net.prefix_len() == 0 {
            return;
        }
        // At most 128 zones: /9 is 128 of /16, /17 is 128 of /24.
        let octets = net.prefix_len().div_ceil(8).min(3);
        if net.prefix_len() > 24 {
            let zone = reverse_name(net.network(), octets);
            match self.zones.entry(zone.into()).or_insert_with(|| Zone::Part(Vec::new())) {
                Zone::Whole => {}
                Zone::Part(nets) => nets.push(net),
            }
            return;
        }
        for subnet in net.subnets(octets * 8).into_iter().flatten() {
            self.zones.insert(reverse_name(subnet.network(), octets).into(), Zone::Whole);
        }
    }

    fn add_node(&mut self, node: &Node) {
        let origin = format!("node {}", node.name);
        let own = match domain(&node.servers.domain) {
            empty if empty.is_empty() => self.site_domain.clone(),
            domain => domain,
        };
        let name = node.name.as_str();
        let named = |host: &str| host.is_empty() || host.eq_ignore_ascii_case(name);
        if !node.interfaces.iter().any(|interface| named(&interface.host) && interface.ip.is_some())
            && let Some(address) = node.primary().and_then(|interface| interface.ip)
        {
            self.add(&origin, name, &own, address);
        }
        for interface in &node.interfaces {
            let host = if named(&interface.host) { name } else { &interface.host };
            if let Some(address) = interface.ip {
                self.add(&origin, host, &own, address);
            }
        }
    }

    fn add_host(&mut self, host: &Host) {
        let origin = format!("host {}", host.name);
        let site = self.site_domain.clone();
        for name in std::iter::once(&host.name).chain(&host.aliases) {
            for address in &host.addresses {
                if let IpAddr::V4(address) = address {
                    self.add(&origin, name, &site, *address);
                }
            }
        }
    }

    /// The name of this service node, which its zones name as their server. Where no entry says
    /// its addresses, those are taken that it serves on.
    fn add_server(&mut self, services: &Services) -> Vec<u8> {
        let full = self.full_names(services.sn.as_str(), &self.site_domain, None);
        let full = full.first().map_or("", String::as_str);
        let wire = self.wire(&format!("service node {}", services.sn), full).unwrap_or_else(|| vec![0]);
        if !self.names.contains_key(&wire.to_ascii_lowercase()) {
            let site = self.site_domain.clone();
            let addresses: Vec<Ipv4Addr> =
                self.networks.iter().filter_map(|network| network.server).collect();
            for address in addresses {
                self.add("this service node", services.sn.as_str(), &site, address);
            }
        }
        wire
    }

    /// Adds an address under a name's full forms and its bare one, and the way back.
    fn add(&mut self, origin: &str, name: &str, own: &str, address: Ipv4Addr) {
        let network = self.networks.iter().copied().find(|network| network.net.contains(&address));
        let mut names = self.full_names(name, own, network);
        names.push(name.to_owned());
        let mut first = None;
        for text in names {
            let Some(wire) = self.wire(origin, &text) else { return };
            let addresses = &mut self.names.entry(wire.to_ascii_lowercase()).or_default().addresses;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
            first.get_or_insert(wire);
        }
        self.names
            .entry(reverse_name(address, 4))
            .or_default()
            .pointer
            .get_or_insert_with(|| first.unwrap_or_default());
    }

    /// `name` in its own domain and in that of its address's network; as it is where it ends in a
    /// domain of ours already, or where there is no domain.
    fn full_names(&self, name: &str, own: &str, network: Option<&Network>) -> Vec<String> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let whole = name.contains('.')
            && from_text(&name.to_ascii_lowercase())
                .is_ok_and(|wire| ancestors(&wire).skip(1).any(|at| self.zones.contains_key(at)));
        if whole {
            return vec![name.to_owned()];
        }
        let other = network.map(|network| domain(&network.domain)).unwrap_or_default();
        let mut names: Vec<String> = [own, &other]
            .iter()
            .filter(|domain| !domain.is_empty())
            .map(|domain| format!("{name}.{domain}"))
            .collect();
        names.dedup();
        if names.is_empty() {
            names.push(name.to_owned());
        }
        names
    }

    fn wire(&mut self, origin: &str, text: &str) -> Option<Vec<u8>> {
        from_text(text).map_err(|problem| self.problems.push(format!("{origin}: {problem}"))).ok()
    }

    fn finish(self, server: Vec<u8>) -> Result<View, Vec<String>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let networks: Vec<Net> = self.networks.iter().map(|network| network.net).collect();
        let own: BTreeSet<IpAddr> =
            self.networks.iter().filter_map(|network| network.server).map(IpAddr::V4).collect();
        let mut forwarders: Vec<IpAddr> =
            self.slice.site().map(|site| site.forwarders.clone()).unwrap_or_default();
        forwarders.retain(|address| !own.contains(address) && usable(*address));
        let mut view = View {
            on: true,
            names: HashMap::new(),
            zones: self.zones,
            soa: soa(&self.site_domain, &server, self.slice),
            server: with_length(&server),
            networks,
            forwarders,
        };
        for (wire, name) in &self.names {
            insert(&mut view, wire, name);
        }
        for zone in view.zones.keys().cloned().collect::<Vec<_>>() {
            view.names.entry(zone.clone()).or_default().apex = zone.len();
            insert_parents(&mut view, &zone);
        }
        Ok(view)
    }
}

/// Encodes a name.
fn insert(view: &mut View, wire: &[u8], name: &Name) {
    let apex = view.zone_of(wire).unwrap_or(wire.len());
    let addresses: Vec<u8> =
        name.addresses.iter().flat_map(|address| record(kind::A, &[&[0, 4], &address.octets()])).collect();
    let pointer = name.pointer.as_ref().map(|target| record(kind::PTR, &[&with_length(target)]).into());
    view.names.insert(wire.into(), Records { apex, addresses: addresses.into(), pointer });
    insert_parents(view, wire);
}

/// Makes the parents of a name exist up to the zone: they have no records, but to say that they
/// are not there would make resolvers believe the same of all below (RFC 8020).
fn insert_parents(view: &mut View, wire: &[u8]) {
    for parent in ancestors(wire).skip(1) {
        let Some(apex) = view.zone_of(parent) else { return };
        view.names.entry(parent.into()).or_insert_with(|| Records { apex, ..Records::default() });
    }
}

/// A record whose owner is the question's name.
fn record(kind: u16, data: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0xc0, 12];
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&CLASS_IN.to_be_bytes());
    bytes.extend_from_slice(&TTL.to_be_bytes());
    data.iter().for_each(|piece| bytes.extend_from_slice(piece));
    bytes
}

/// The data of the SOA of every zone. The serial number only has to differ between slices: there
/// are no secondaries that would compare it.
fn soa(site_domain: &str, server: &[u8], slice: &Slice) -> Box<[u8]> {
    let contact = match site_domain {
        "" => "hostmaster".to_owned(),
        domain => format!("hostmaster.{domain}"),
    };
    let mut data = server.to_vec();
    data.extend(from_text(&contact).unwrap_or_else(|_| vec![0]));
    data.extend(slice.digest().as_bytes().iter().take(4));
    SOA_TIMES.iter().chain([&SOA_TTL]).for_each(|time| data.extend_from_slice(&time.to_be_bytes()));
    with_length(&data)
}

/// Names and a SOA have at most some 600 bytes.
fn with_length(data: &[u8]) -> Box<[u8]> {
    let len = u16::try_from(data.len()).unwrap_or_default();
    [&len.to_be_bytes(), data].concat().into()
}

/// The first `octets` numbers of an address as a reverse name.
fn reverse_name(address: Ipv4Addr, octets: u8) -> Vec<u8> {
    let mut wire = Vec::with_capacity(30);
    for octet in address.octets().iter().take(usize::from(octets)).rev() {
        let digits = octet.to_string();
        wire.extend(u8::try_from(digits.len()));
        wire.extend_from_slice(digits.as_bytes());
    }
    wire.extend_from_slice(b"\x07in-addr\x04arpa\0");
    wire
}

/// A domain as it stands in the tables, without its dots at the ends and in lower case.
fn domain(text: &str) -> String {
    text.trim_matches('.').to_ascii_lowercase()
}

/// Whether a resolver can be at this address.
fn usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_broadcast() && !v4.is_multicast(),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    }
}
