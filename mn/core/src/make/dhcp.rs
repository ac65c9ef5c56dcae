//! `makedhcp`: whether nodes can be given their addresses, and by whom.
//!
//! xCAT writes reservations into a DHCP server; here the owner of a node answers from its slice, so
//! that there is nothing to write: what is missing in the definitions is said in xCAT's words, and
//! whether the owners hold what is defined is for the daemon to ask between [`Survey::new`] and
//! [`Survey::report`].

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use common::id::{MacAddr, NodeName, SnName};
use serde_json::json;

use super::served::{self, Answers, Service};
use crate::change::Outcome;
use crate::command::{DhcpTask, Makedhcp};
use crate::model::{Gateway, Model, Network, mac};
use crate::node;
use crate::table::schema::MAC;
use crate::talk::{Context, Talk};

/// What `makedhcp` is about, before the service nodes were asked.
#[derive(Debug)]
pub struct Survey {
    nodes: Vec<NodeName>,
    /// Whom to ask whether they hold what is defined.
    pub service_nodes: BTreeSet<SnName>,
}

/// An address that is kept for a hardware address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reservation {
    host: String,
    ip: Ipv4Addr,
    mac: MacAddr,
}

impl Survey {
    /// Looks at what is asked.
    ///
    /// # Errors
    /// What to answer where the noderange cannot be read.
    pub fn new(model: &Model, args: &Makedhcp, context: &Context) -> Result<Self, Outcome> {
        let mut talk = Talk::new(context);
        if args.what == DhcpTask::Networks {
            return Ok(Self { nodes: Vec::new(), service_nodes: Service::Dhcp.running(model) });
        }
        let has_mac = |node: &NodeName| model.cell(MAC, node.as_str(), "mac").is_some();
        match served::chosen(model, args.nodes.as_ref(), &mut talk, has_mac) {
            Some(nodes) => {
                let service_nodes = served::service_nodes(model, Service::Dhcp, &nodes);
                Ok(Self { nodes, service_nodes })
            }
            None => Err(talk.finish(None)),
        }
    }

    /// What to answer, when the service nodes have been asked.
    pub fn report(&self, model: &Model, args: &Makedhcp, answers: &Answers, context: &Context) -> Outcome {
        let mut talk = Talk::new(context);
        match args.what {
            DhcpTask::Networks => self.networks(model, answers, &mut talk),
            DhcpTask::Query => self.nodes(model, true, answers, &mut talk),
            DhcpTask::Nodes => {
                ranges(model, &mut talk);
                self.nodes(model, args.verbose, answers, &mut talk);
            }
            DhcpTask::Delete => self.delete(model, &mut talk),
        }
        if args.verbose {
            for (sn, why) in answers {
                let word =
                    why.as_deref().map_or_else(|| "current".to_owned(), |why| format!("behind: {why}"));
                talk.info(format!("{sn}: {word}"));
            }
        }
        talk.finish(None)
    }

    fn nodes(&self, model: &Model, is_shown: bool, answers: &Answers, talk: &mut Talk<'_>) {
        let mut complete = Vec::new();
        for node in &self.nodes {
            let found = reservations(model, node, talk);
            for one in &found {
                talk.record(|| record(model, node, one));
                if is_shown {
                    talk.info(text(one));
                }
            }
            if !found.is_empty() {
                complete.push(node.clone());
            }
        }
        served::report(model, Service::Dhcp, &complete, answers, talk);
    }

    fn delete(&self, model: &Model, talk: &mut Talk<'_>) {
        let is_defined = |node: &&NodeName| model.cell(MAC, node.as_str(), "mac").is_some();
        let kept: Vec<&NodeName> = self.nodes.iter().filter(is_defined).collect();
        let Some(first) = kept.first() else { return };
        let more = match kept.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        talk.warn(&format!(
            "nothing is deleted: the reservations of {first}{more} are what their definitions say\n  try      rmdef \
             {first}, chdef {first} mac=, or nodeset {first} offline, after which it is not answered"
        ));
    }

    fn networks(&self, model: &Model, answers: &Answers, talk: &mut Talk<'_>) {
        for network in model.networks() {
            if network.dynamic.is_empty() {
                talk.warn(&format!(
                    "No dynamic range specified for {}. If hardware discovery is being used, a dynamic range \
                     is required.",
                    network.net.network()
                ));
            }
            if let Gateway::Addr(gateway) = network.gateway
                && !network.net.contains(&gateway)
            {
                talk.error(&format!(
                    "Specified gateway {gateway} is not valid for {}/{}, must be on same network",
                    network.net.network(),
                    network.net.netmask()
                ));
            }
        }
        ranges(model, talk);
        for (sn, why) in answers {
            if let Some(why) = why {
                talk.error(&format!(
                    "{sn} does not hold what is defined now: {why}\n  try      lsslice {sn}"
                ));
            }
        }
    }
}

/// Ranges for strangers that nobody gives out. With service nodes, each needs the one that does.
fn ranges(model: &Model, talk: &mut Talk<'_>) {
    let serving = Service::Dhcp.running(model);
    if serving.is_empty() {
        return;
    }
    for network in model.networks().iter().filter(|network| !network.dynamic.is_empty()) {
        match &network.dhcpserver {
            None => talk.error(&format!(
                "Hierarchy requested, therefore networks.dhcpserver must be set for net={}",
                network.net.network()
            )),
            Some(name) => {
                let sn = node::service_node_named(model, name).filter(|sn| serving.contains(sn));
                if sn.is_none() {
                    talk.error(&format!(
                        "the dynamic range of {} is given out by nobody: dhcpserver={name} is no service node \
                         that gives DHCP\n  try      chdef -t network {} dhcpserver={}",
                        network.name,
                        network.name,
                        serving.first().map_or("SERVICENODE", SnName::as_str)
                    ));
                }
            }
        }
    }
}

/// What a node's hardware addresses get; what they cannot get is said.
fn reservations(model: &Model, node: &NodeName, talk: &mut Talk<'_>) -> Vec<Reservation> {
    let Some(cell) = model.cell(MAC, node.as_str(), "mac") else {
        talk.warn(&format!("Unable to find mac address for {node}"));
        return Vec::new();
    };
    for part in mac::unreadable(&cell) {
        let mac = part.split('!').next().unwrap_or(part);
        talk.error(&format!("Invalid mac address {mac} for {node}"));
    }
    let mut found = Vec::new();
    for entry in mac::entries(&cell).into_iter().filter(|entry| !entry.noip) {
        let host = entry.host.unwrap_or_else(|| node.to_string());
        let own = || model.ip(node.as_str());
        let ip = if host == node.as_str() { own() } else { model.resolve(&host).into_iter().next() };
        let Some(ip) = ip else {
            talk.warn(&format!("The hostname {host} of node {node} could not be resolved."));
            continue;
        };
        let Some(network) = model.network_of(ip) else {
            talk.warn(&format!(
                "{node}: {ip} is on no network that is defined, so nothing is reserved\n  try      makenetworks, \
                 or mkdef -t network"
            ));
            continue;
        };
        if is_dynamic(network, ip) {
            talk.error(&format!(
                "Node {node} has IP {ip} which is inside the DHCP dynamic range. Move the node IP outside the \
                 dynamic range or adjust the range in the networks table."
            ));
            continue;
        }
        found.push(Reservation { host, ip, mac: entry.mac });
    }
    found
}

fn is_dynamic(network: &Network, ip: Ipv4Addr) -> bool {
    network.dynamic.iter().any(|(first, last)| (*first..=*last).contains(&ip))
}

/// As xCAT shows what its DHCP server has.
fn text(one: &Reservation) -> String {
    format!("{}: ip-address = {}, hardware-address = {}", one.host, one.ip, one.mac)
}

fn record(model: &Model, node: &NodeName, one: &Reservation) -> serde_json::Value {
    json!({
        "node": node.as_str(), "host": one.host, "ip-address": one.ip,
        "hardware-address": one.mac.to_string(),
        "service_node": node::pool_of(model, node).first().map(SnName::as_str),
    })
}
