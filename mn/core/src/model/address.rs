//! The names and addresses of a node, out of the tables `hosts` and `nics`.
//!
//! `hosts.ip` is the node's own; `hosts.otherinterfaces` (`name:ip` or `-suffix:ip`) and
//! `nics.nicips` (`eth0!A|B,eth1!C`, with prefixes, suffixes and aliases laid out the same) add the
//! others. Addresses that cannot be read are left out here and reported by [`super::check`].

use std::net::Ipv4Addr;

use crate::template;

/// A name and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The name.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Other names of the same address.
    pub aliases: Vec<String>,
    /// The interface it is on, where it is of the table `nics`.
    pub nic: Option<String>,
}

impl Address {
    /// Whether this is its name or one of the others.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

/// What `hosts` says of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hosts<'a> {
    pub(super) ip: &'a str,
    pub(super) names: &'a str,
    pub(super) others: &'a str,
}

/// What `nics` says of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nics<'a> {
    pub(super) ips: &'a str,
    pub(super) suffixes: &'a str,
    pub(super) prefixes: &'a str,
    pub(super) aliases: &'a str,
}

pub(super) fn all(node: &str, hosts: &Hosts<'_>, nics: &Nics<'_>) -> Vec<Address> {
    let mut found = Vec::new();
    let own = hosts.ip.split(['|', ',', ' ']).filter_map(|ip| ip.trim().parse().ok());
    for (at, ip) in own.enumerate() {
        let names = if at == 0 { hosts.names } else { "" };
        let aliases = names.split([',', ' ', '\t']).filter(|name| !name.is_empty()).map(str::to_owned);
        found.push(Address { name: node.to_owned(), ip, aliases: aliases.collect(), nic: None });
    }
    for (name, ip) in super::split(hosts.others).filter_map(|other| other.split_once(':')) {
        let Ok(ip) = ip.trim().parse() else { continue };
        let name = if name.starts_with('-') { format!("{node}{name}") } else { name.to_owned() };
        found.push(Address { name, ip, aliases: Vec::new(), nic: None });
    }
    for (nic, ips) in by_nic(nics.ips) {
        // One interface may have a template of its own: `eth0!|\D+(\d+)|10.0.0.($1)|`.
        let ips = template::value(ips, node);
        let of_nic = |text| by_nic(text).find(|(name, _)| *name == nic).map_or("", |(_, values)| values);
        let (prefixes, suffixes, aliases) =
            (of_nic(nics.prefixes), of_nic(nics.suffixes), of_nic(nics.aliases));
        for (at, ip) in ips.split('|').enumerate() {
            let Ok(ip) = ip.trim().parse() else { continue };
            let nth = |text: &'_ str| text.split('|').nth(at).unwrap_or_default().trim().to_owned();
            let name = match (nth(prefixes), nth(suffixes)) {
                // xCAT's own default, so that a second interface never takes the node's name.
                (prefix, suffix) if prefix.is_empty() && suffix.is_empty() => format!("{node}-{nic}"),
                (prefix, suffix) => format!("{prefix}{node}{suffix}"),
            };
            let aliases = nth(aliases).split_whitespace().map(str::to_owned).collect();
            found.push(Address { name, ip, aliases, nic: Some(nic.to_owned()) });
        }
    }
    found
}

/// The first address in a text.
pub(super) fn first(text: &str) -> Option<Ipv4Addr> {
    text.split(['|', ',', ' ']).find_map(|ip| ip.trim().parse().ok())
}

/// `eth0!A|B,eth1!C`: each interface with what is said of it.
pub(crate) fn by_nic(text: &str) -> impl Iterator<Item = (&str, &str)> {
    super::split(text)
        .filter_map(|part| part.split_once('!'))
        .map(|(nic, values)| (nic.trim(), values.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_adds_its_names() {
        let hosts = Hosts { ip: "10.0.0.1", names: "a, b", others: "-bmc:10.1.0.1,other:10.2.0.1,bad:x" };
        let nics = Nics {
            ips: "eth1!10.3.0.1|10.3.1.1,ib0!10.4.0.1,eth2!|\\D+(\\d+)|10.5.0.($1)|",
            suffixes: "eth1!-e1|-e1b,ib0!-ib",
            prefixes: "ib0!x-",
            aliases: "eth1!one two|three",
        };
        let shown: Vec<String> = all("n1", &hosts, &nics)
            .iter()
            .map(|a| {
                format!("{} {} {} {}", a.name, a.ip, a.aliases.join("+"), a.nic.as_deref().unwrap_or(""))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "n1 10.0.0.1 a+b ",
                "n1-bmc 10.1.0.1  ",
                "other 10.2.0.1  ",
                "n1-e1 10.3.0.1 one+two eth1",
                "n1-e1b 10.3.1.1 three eth1",
                "x-n1-ib 10.4.0.1  ib0",
                "n1-eth2 10.5.0.1  eth2",
            ]
        );
    }
}
