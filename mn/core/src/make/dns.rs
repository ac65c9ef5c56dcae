//! `makedns`: whether the names of nodes are answered, and by whom.
//!
//! Every service node of a node's pool answers its name from its slice; there is no zone to write.
//! The lines on standard output are xCAT's, for the scripts that read them.

use std::collections::BTreeSet;

use common::id::{NodeName, SnName};
use serde_json::json;

use super::served::{self, Answers, Service};
use crate::change::Outcome;
use crate::command::Makedns;
use crate::model::Model;
use crate::node;
use crate::talk::{Context, Talk};

/// What `makedns` is about, before the service nodes were asked.
#[derive(Debug)]
pub struct Survey {
    nodes: Vec<NodeName>,
    /// Whom to ask whether they hold what is defined.
    pub service_nodes: BTreeSet<SnName>,
}

impl Survey {
    /// Looks at what is asked.
    ///
    /// # Errors
    /// What to answer where the noderange cannot be read, or nothing can be done at all.
    pub fn new(model: &Model, args: &Makedns, context: &Context) -> Result<Self, Outcome> {
        let mut talk = Talk::new(context);
        if args.external {
            talk.error(
                "records of a DNS server outside the cluster are not updated from here\n  try      let that \
                 server ask a service node for the zone (a forward zone), or load it with what makehosts writes",
            );
            return Err(talk.finish(None));
        }
        let domain = model.site("domain").is_some_and(|domain| !domain.trim_matches('.').is_empty());
        if !domain {
            talk.error("domain not defined in site table");
            return Err(talk.finish(None));
        }
        let has_ip = |node: &NodeName| model.ip(node.as_str()).is_some();
        match served::chosen(model, args.nodes.as_ref(), &mut talk, has_ip) {
            Some(nodes) => {
                let service_nodes = served::service_nodes(model, Service::Dns, &nodes);
                Ok(Self { nodes, service_nodes })
            }
            None => Err(talk.finish(None)),
        }
    }

    /// What to answer, when the service nodes have been asked.
    pub fn report(&self, model: &Model, args: &Makedns, answers: &Answers, context: &Context) -> Outcome {
        let mut talk = Talk::new(context);
        if args.verbose {
            talk.info(format!("domain name = {}", model.site("domain").unwrap_or_default()));
            talk.info(format!("nameservers = {}", model.site("nameservers").unwrap_or_default()));
        }
        let complete: Vec<NodeName> =
            self.nodes.iter().filter(|node| is_complete(model, node, &mut talk)).cloned().collect();
        // What xCAT does here takes minutes; the lines are what its users' scripts wait for.
        talk.info("Getting reverse zones, this may take several minutes for a large cluster.");
        talk.info("Completed getting reverse zones.");
        talk.info("Updating DNS records, this may take several minutes for a large cluster.");
        if args.delete {
            kept(&complete, &mut talk);
        } else {
            // Servers have no service node of their own: who serves their nodes answers their names.
            let is_served = |node: &&NodeName| {
                !model.is_service_node(node.as_str()) && !model.is_member(node.as_str(), "__mgmtnode")
            };
            let nodes: Vec<NodeName> = complete.iter().filter(is_served).cloned().collect();
            served::report(model, Service::Dns, &nodes, answers, &mut talk);
            unanswered(model, &nodes, &mut talk);
        }
        talk.info("Completed updating DNS records.");
        if args.verbose {
            for (sn, why) in answers {
                let word =
                    why.as_deref().map_or_else(|| "current".to_owned(), |why| format!("behind: {why}"));
                talk.info(format!("{sn}: {word}"));
            }
        }
        if talk.status() == 0 {
            talk.info("DNS setup is completed");
        }
        talk.finish(None)
    }
}

/// Whether a node has a name and an address that can be answered; what is missing is said.
fn is_complete(model: &Model, node: &NodeName, talk: &mut Talk<'_>) -> bool {
    let Some(ip) = model.ip(node.as_str()) else {
        talk.warn(&format!("Ignoring node '{node}', it can not be resolved."));
        return false;
    };
    talk.info(format!("Handling {node} in /etc/hosts."));
    let network = model.network_of(ip);
    let (names, unanswered) = names(model, node);
    talk.record(|| {
        let pool: Vec<String> = node::pool_of(model, node).iter().map(ToString::to_string).collect();
        json!({
            "node": node.as_str(), "ip": ip, "names": names, "unanswered": unanswered, "service_nodes": pool,
            "network": network.map(|network| network.name.as_str()),
        })
    });
    if network.is_none() {
        talk.info(format!(
            "Ignoring host {node}, it does not belong to any nets defined in networks table or the net it belongs \
             to is configured to use an external nameserver."
        ));
    }
    network.is_some()
}

/// The names that service nodes answer for a node (its own, those of its hardware addresses, its other
/// interfaces and its aliases), and those that cannot be asked for.
fn names(model: &Model, node: &NodeName) -> (BTreeSet<String>, BTreeSet<String>) {
    let hosts = model.macs(node.as_str()).into_iter().filter(|entry| !entry.noip);
    let hosts = hosts.filter_map(|entry| entry.host).filter(|host| !model.resolve(host).is_empty());
    let named = node::names_of(model, node.as_str()).into_iter().map(|(name, _)| name);
    let answered: BTreeSet<String> = hosts.chain([node.to_string()]).chain(named).collect();
    let all = model.addresses(node.as_str()).into_iter();
    let all = all.flat_map(|address| std::iter::once(address.name).chain(address.aliases));
    let others = all.filter(|name| !answered.contains(name)).collect();
    (answered, others)
}

/// Says which names of the nodes are answered by nobody.
fn unanswered(model: &Model, nodes: &[NodeName], talk: &mut Talk<'_>) {
    let others: Vec<String> = nodes.iter().flat_map(|node| names(model, node).1).collect();
    let Some(first) = others.first() else { return };
    let more = match others.len() {
        1 => "is".to_owned(),
        count => format!("and {} more are", count - 1),
    };
    talk.warn(&format!(
        "{first} {more} not answered: no name in DNS is written so\n  try      letters, digits, - and dots, at most \
         63 between two dots"
    ));
}

fn kept(nodes: &[NodeName], talk: &mut Talk<'_>) {
    let Some(first) = nodes.first() else { return };
    let more = match nodes.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    talk.warn(&format!(
        "nothing is deleted: the names of {first}{more} are what their definitions say\n  try      rmdef {first}, or \
         chdef {first} ip="
    ));
}
