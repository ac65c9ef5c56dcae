//! The lines that the definitions ask for: of the table `hosts`, then of the interfaces in `nics`.
//!
//! The domain is that of the network which the address is on, else the site's. What cannot become a
//! line is said in xCAT's words and left out.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use common::id::MacAddr;

use super::line::{Entry, Style, entry};
use super::{file, nics};
use crate::command::Makehosts;
use crate::model::{self, Model, Network};
use crate::table::schema::{HOSTS, NICS};
use crate::talk::Talk;

/// The lines of some nodes, in the order in which they are appended.
#[derive(Debug)]
pub struct Wanted {
    /// One for each address.
    pub entries: Vec<Entry>,
}

/// The lines of `nodes`; none means all for which the table `hosts` says something. Addresses that
/// are defined nowhere are looked up in the file as it is, in the place of a resolver.
pub fn wanted(
    model: &Model,
    args: &Makehosts,
    nodes: Option<&[String]>,
    before: &[u8],
    talk: &mut Talk<'_>,
) -> Wanted {
    let style = style(model, args);
    let (known, entries, by_ip) = (OnceCell::new(), Vec::new(), HashMap::new());
    let mut making = Making { model, style, before, known, entries, by_ip, talk };
    let all;
    let (names, is_named) = match nodes {
        Some(nodes) => (nodes, true),
        None => {
            all = with_hosts(model);
            (all.as_slice(), false)
        }
    };
    for node in names {
        if args.link_local && is_named {
            making.link_local(node);
        } else {
            making.node(node, is_named, args.delete);
        }
    }
    if model.tables().count(NICS) > 0 {
        names.iter().for_each(|node| making.nics(node));
    }
    Wanted { entries: making.entries }
}

fn style(model: &Model, args: &Makehosts) -> Style {
    let by_site = model.site("FQDNfirst").unwrap_or_default().to_ascii_lowercase();
    Style {
        long_first: args.long_first || matches!(by_site.as_str(), "1" | "yes" | "enable"),
        others_first: args.others_first,
        add_domain: args.add_domain,
    }
}

/// Every node for which `hosts` says something, and every name there that is neither a node nor a
/// group: xCAT writes lines for these too.
fn with_hosts(model: &Model) -> Vec<String> {
    let columns = ["ip", "hostnames", "otherinterfaces"];
    let is_set = |name: &str| columns.iter().any(|column| model.cell(HOSTS, name, column).is_some());
    let mut names: Vec<String> = model.nodes().map(ToString::to_string).collect();
    let rows = model.tables().rows(HOSTS).filter(|(_, row)| row.is_live());
    let names_only = rows.map(|(key, _)| key.as_str());
    let strange = |name: &&str| !model.has_node(name) && !model.has_group(name);
    names.extend(names_only.filter(strange).map(str::to_owned));
    names.retain(|name| is_set(name));
    names.sort_unstable();
    names
}

struct Making<'a, 'b> {
    model: &'a Model,
    style: Style,
    before: &'a [u8],
    /// What that file says, once it was asked.
    known: OnceCell<HashMap<&'a str, IpAddr>>,
    entries: Vec<Entry>,
    /// Where the entry of an address is, and whose it is.
    by_ip: HashMap<IpAddr, (usize, String)>,
    talk: &'a mut Talk<'b>,
}

impl Making<'_, '_> {
    /// The lines of the table `hosts`.
    fn node(&mut self, node: &str, is_named: bool, is_deleted: bool) {
        let cell = |column| self.model.cell(HOSTS, node, column).unwrap_or_default();
        let (ip, others, interfaces) = (cell("ip"), cell("hostnames"), cell("otherinterfaces"));
        let mut addresses: Vec<&str> =
            ip.split(['|', ',', ' ']).map(str::trim).filter(|ip| !ip.is_empty()).collect();
        let found = (addresses.is_empty() && is_named).then(|| self.resolve(node)).flatten();
        let found = found.map(|ip| ip.to_string());
        addresses.extend(found.as_deref());
        match addresses.is_empty() && !is_deleted {
            true if is_named => self.talk.warn(&format!("Ignoring node '{node}', it can not be resolved.")),
            true => self.talk.error(&format!("Invalid IP Addr '' for node '{node}'.")),
            false => {}
        }
        for (at, text) in addresses.into_iter().enumerate() {
            match text.parse() {
                Ok(ip) => self.add(node, ip, if at == 0 { &others } else { "" }, node),
                Err(_) if is_named => {
                    self.talk.warn(&format!("Ignoring node '{node}', its ip address '{text}' is not valid."))
                }
                Err(_) => self.talk.error(&format!("Invalid IP Addr '{text}' for node '{node}'.")),
            }
        }
        for item in model::split(&interfaces) {
            let Some((name, ip)) = nics::pair(item) else { continue };
            let Ok(ip) = ip.trim().parse() else { continue };
            let name = if name.starts_with('-') { format!("{node}{name}") } else { name.to_owned() };
            self.add(&name, ip, "", node);
        }
    }

    /// The address that the file has for a name; the file is read through once, whoever asks.
    fn resolve(&self, name: &str) -> Option<IpAddr> {
        self.known.get_or_init(|| file::addresses(self.before)).get(name).copied()
    }

    /// The link-local address of the first hardware address.
    fn link_local(&mut self, node: &str) {
        let Some(mac) = self.model.macs(node).into_iter().find(|entry| !entry.noip) else { return };
        self.add(node, IpAddr::V6(link_local(mac.mac)), node, node);
    }

    /// The lines of the table `nics`.
    fn nics(&mut self, node: &str) {
        for found in nics::interfaces(self.model, node) {
            match found {
                Err(text) => self.talk.error(&text),
                Ok(nic) => self.nic(node, &nic),
            }
        }
    }

    fn nic(&mut self, node: &str, nic: &nics::Nic) {
        let ip = nic.ip;
        if let Some((at, _)) = self.by_ip.get(&ip).filter(|(_, owner)| owner == node) {
            // The node's own address stands in both tables: one line, with the names of both.
            let Some(known) = self.entries.get(*at) else { return };
            let aliases = nic.aliases.split_whitespace();
            let missing: Vec<&str> =
                aliases.filter(|alias| known.text.split(' ').all(|name| name != *alias)).collect();
            if !missing.is_empty() {
                let text = format!("{} {}", known.text.trim_end(), missing.join(" "));
                if let Some(known) = self.entries.get_mut(*at) {
                    known.text = text;
                }
            }
            return;
        }
        let by_address = self.network(ip);
        let by_name = self.model.network(&nic.network);
        if let (Some(found), Some(named)) = (by_address, by_name)
            && found.domain.is_some()
            && named.domain.is_some()
            && found.name != named.name
        {
            self.talk.warn(&format!(
                "The xCAT network name listed for\n'{}' is '{}' however the nic IP address '{ip}' seems to be \
                 in the '{}' network.\nIf there is an error then makes corrections to the database definitions \
                 and re-run this command.",
                nic.name, nic.network, found.name
            ));
        }
        let named = by_name.and_then(|network| network.domain.clone());
        match self.domain(ip, named) {
            Some(domain) => self.put(&nic.name, ip, &nic.aliases, &domain, node),
            None => self.talk.warn(&format!(
                "No domain can be determined for the NIC IP value of '{ip}'. The network domains must be \
                 provided in an xCAT network definition or the xCAT site definition."
            )),
        }
    }

    fn add(&mut self, name: &str, ip: IpAddr, others: &str, owner: &str) {
        match self.domain(ip, None) {
            Some(domain) => self.put(name, ip, others, &domain, owner),
            None => self.talk.warn(&format!(
                "No domain can be determined for node '{name}'. The domain of the xCAT node must be provided \
                 in an xCAT network definition or the xCAT site definition."
            )),
        }
    }

    fn put(&mut self, name: &str, ip: IpAddr, others: &str, domain: &str, owner: &str) {
        if ip.is_loopback() {
            // This host's own line would go, and with it its name.
            self.talk.warn(&format!("Ignoring node '{name}', its ip address '{ip}' is this host's own."));
            return;
        }
        let entry = match entry(self.style, ip, name, domain, others) {
            Ok(entry) => entry,
            Err(text) => return self.talk.error(&text),
        };
        match self.by_ip.get_mut(&ip) {
            None => {
                self.by_ip.insert(ip, (self.entries.len(), owner.to_owned()));
                self.entries.push(entry);
            }
            Some((at, other)) => {
                if other != owner {
                    self.talk.warn(&format!("{other} and {owner} both have {ip}: its line is {owner}'s."));
                    owner.clone_into(other);
                }
                if let Some(known) = self.entries.get_mut(*at) {
                    *known = entry;
                }
            }
        }
    }

    fn network(&self, ip: IpAddr) -> Option<&Network> {
        match ip {
            IpAddr::V4(ip) => self.model.network_of(ip),
            IpAddr::V6(_) => None,
        }
    }

    fn domain(&self, ip: IpAddr, named: Option<String>) -> Option<String> {
        let of_network = self.network(ip).and_then(|network| network.domain.clone());
        let domain = of_network.or(named).or_else(|| self.model.site("domain").map(str::to_owned))?;
        let domain = domain.trim_matches('.');
        (!domain.is_empty()).then(|| domain.to_owned())
    }
}

/// The address that a network card gives itself (RFC 4291, appendix A).
fn link_local(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.bytes();
    let pair = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    Ipv6Addr::new(0xfe80, 0, 0, 0, pair(a ^ 2, b), pair(c, 0xff), pair(0xfe, d), pair(e, f))
}
