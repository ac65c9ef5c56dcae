//! What a service node tells the agents of its nodes.
//!
//! [`desired`] is a pure function of the slice: every member of a pool says the same about a node,
//! up to what the management node let each of them know.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use common::id::SnName;
use common::slice::{Entry, Host, Node, Slice};
use common::wire::MAX_LIST;
use common::wire::agent::{Desired, HostsLine};

#[cfg(test)]
pub(crate) mod fixture;

/// What `node` shall be like, as far as its agent sees to it.
///
/// The gateway is given only where it is the service node: any other router is the node's own
/// affair and does not change in a move.
pub fn desired(slice: &Slice, node: &Node) -> Desired {
    let servers = &node.servers;
    let owner = node.owner().map(|member| member.sn.clone());
    Desired {
        node: node.name.clone(),
        epoch: node.epoch,
        // A node without a pool is in no slice; were it, its own name keeps the agent where it is.
        owner: owner.unwrap_or_else(|| SnName::from(&node.name)),
        pool: node.pool.clone(),
        agent_port: slice.site().map_or(common::wire::SN_PORT, |site| site.agent_port),
        log: servers.log,
        ntp: servers.ntp.clone(),
        nameservers: servers.nameservers.clone(),
        domain: servers.domain.clone(),
        hosts: hosts(slice, node),
        gateway: servers.router.filter(|_| servers.router_is_master),
        scripts: node.scripts.clone(),
        rests: node.rests,
    }
}

/// The lines of the node's hosts file: itself, its pool, then the other names of the slice.
///
/// A service node of the pool has the address on the node's side, and that one alone: its other
/// addresses may not be reachable from the node, and a resolver takes the first line.
fn hosts(slice: &Slice, node: &Node) -> Vec<HostsLine> {
    let domain = node.servers.domain.as_str();
    let mut lines = Lines::default();
    for interface in &node.interfaces {
        if let Some(address) = interface.ip {
            lines.add(address, &interface.host, &[], domain);
        }
    }
    let others: BTreeMap<&str, &Host> = slice
        .entries()
        .filter_map(|entry| match entry {
            Entry::Host(host) => Some((host.name.as_str(), host)),
            _ => None,
        })
        .collect();
    for member in &node.pool {
        let aliases = others.get(member.sn.as_str()).map_or(&[][..], |host| &host.aliases);
        lines.add(member.address, member.sn.as_str(), aliases, domain);
    }
    for (name, host) in others {
        if node.pool.iter().any(|member| member.sn.as_str() == name) {
            continue;
        }
        for address in &host.addresses {
            if let IpAddr::V4(address) = address {
                lines.add(*address, name, &host.aliases, domain);
            }
        }
    }
    lines.0
}

#[derive(Default)]
struct Lines(Vec<HostsLine>);

impl Lines {
    fn add(&mut self, address: Ipv4Addr, name: &str, aliases: &[String], domain: &str) {
        let mut names = Vec::new();
        if !domain.is_empty() && !name.contains('.') {
            names.push(format!("{name}.{domain}"));
        }
        names.push(name.to_owned());
        names.extend(aliases.iter().cloned());
        let at = self.0.iter().position(|line| line.address == address).unwrap_or_else(|| {
            self.0.push(HostsLine { address, names: Vec::new() });
            self.0.len() - 1
        });
        // A hosts file is for what must be known without DNS; MAX_LIST lines also fit a frame.
        self.0.truncate(MAX_LIST);
        let Some(line) = self.0.get_mut(at) else { return };
        for name in names {
            if !line.names.contains(&name) {
                line.names.push(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice() -> Slice {
        let mut slice = Slice::new();
        let host = |name: &str, alias: &str, last: u8| {
            let addresses = vec![[10, 9, 0, last].into()];
            Entry::Host(Host { name: name.to_owned(), aliases: vec![alias.to_owned()], addresses })
        };
        slice.put(host("mn", "master", 1)).unwrap();
        slice.put(host("sn1", "sn1-ib", 2)).unwrap();
        slice
    }

    #[test]
    fn the_hosts_file_names_the_node_its_pool_and_the_management_node() {
        let lines = desired(&slice(), &fixture::node("n1")).hosts;
        let text: Vec<_> =
            lines.iter().map(|one| format!("{} {}", one.address, one.names.join(" "))).collect();
        assert_eq!(
            text,
            [
                "10.0.0.11 n1.cluster n1",
                "10.0.0.1 sn1.cluster sn1 sn1-ib",
                "10.0.0.2 sn2.cluster sn2",
                "10.9.0.1 mn.cluster mn master",
            ]
        );
    }

    #[test]
    fn the_gateway_is_the_agents_affair_only_where_it_is_the_service_node() {
        let mut node = fixture::node("n1");
        node.servers.router = Some([10, 0, 0, 254].into());
        assert_eq!(desired(&slice(), &node).gateway, None);
        node.servers.router_is_master = true;
        assert_eq!(desired(&slice(), &node).gateway, Some([10, 0, 0, 254].into()));
    }

    #[test]
    fn what_an_agent_is_told_does_not_depend_on_this_service_nodes_role() {
        let mut node = fixture::node("n1");
        let as_owner = desired(&slice(), &node).digest();
        node.role = common::slice::Role::Backup;
        assert_eq!(desired(&slice(), &node).digest(), as_owner);
    }
}
