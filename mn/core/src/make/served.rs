//! Who serves a node, and what stands in the way: what `makedns` and `makedhcp` have in common.
//!
//! Reasons are gathered by what is wrong, so that ten thousand nodes of a service node that is away
//! are one line.

use std::collections::{BTreeMap, BTreeSet};

use common::id::{NodeName, SnName};

use crate::command::Range;
use crate::model::Model;
use crate::talk::Talk;
use crate::{derive, node};

/// How many names a line shows.
const SHOWN: usize = 5;

/// What service nodes were found to be, once asked: none for one that serves what it shall, else why
/// it does not.
pub type Answers = BTreeMap<SnName, Option<String>>;

/// A service that nodes are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Dhcp,
    Dns,
}

impl Service {
    /// Its name for people.
    const fn name(self) -> &'static str {
        match self {
            Self::Dhcp => "DHCP",
            Self::Dns => "DNS",
        }
    }

    /// The attribute of a service node that asks for it.
    const fn switch(self) -> &'static str {
        match self {
            Self::Dhcp => "setupdhcp",
            Self::Dns => "setupnameserver",
        }
    }

    /// The service nodes that give it.
    pub(super) fn running(self, model: &Model) -> BTreeSet<SnName> {
        let is_on = |sn: &SnName| {
            let services = derive::services_of(model, sn);
            match self {
                Self::Dhcp => services.dhcp,
                Self::Dns => services.dns,
            }
        };
        model.service_nodes().into_iter().filter(is_on).collect()
    }

    /// The service nodes of a node's pool that give it this: its owner for DHCP, all for DNS.
    fn givers(self, pool: Vec<SnName>) -> Vec<SnName> {
        match self {
            Self::Dhcp => pool.into_iter().take(1).collect(),
            Self::Dns => pool,
        }
    }
}

/// Why nodes are not served, or may not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    /// The definitions name no service node.
    Nobody,
    /// The owner cannot be reached from the node's network.
    NoAddress { sn: SnName, network: String },
    /// The service is off.
    Off(SnName),
    /// The service node that nodes ask first, or each of them, has not applied what it shall hold.
    Behind { sn: SnName, why: String },
    /// Another of the pool has not, which nodes ask when the first is silent.
    Weakened { sn: SnName, why: String },
}

/// The service nodes to be asked about nodes.
pub(super) fn service_nodes(model: &Model, service: Service, nodes: &[NodeName]) -> BTreeSet<SnName> {
    let running = service.running(model);
    let pools = nodes.iter().map(|node| node::pool_of(model, node));
    pools.flat_map(|pool| service.givers(pool)).filter(|sn| running.contains(sn)).collect()
}

/// Says which nodes nobody serves, and why.
pub(super) fn report(
    model: &Model,
    service: Service,
    nodes: &[NodeName],
    answers: &Answers,
    talk: &mut Talk<'_>,
) {
    let running = service.running(model);
    let mut found: BTreeMap<Trouble, Vec<&NodeName>> = BTreeMap::new();
    for node in nodes {
        for trouble in troubles(model, service, &running, node, answers) {
            found.entry(trouble).or_default().push(node);
        }
    }
    for (trouble, nodes) in found {
        say(service, &trouble, &nodes, talk);
    }
}

fn troubles(
    model: &Model,
    service: Service,
    running: &BTreeSet<SnName>,
    node: &NodeName,
    answers: &Answers,
) -> Vec<Trouble> {
    let pool = node::pool_of(model, node);
    let Some(owner) = pool.first().cloned() else { return vec![Trouble::Nobody] };
    if let Err(none) = node::address_for(model, &owner, node) {
        return vec![Trouble::NoAddress { sn: none.sn, network: none.network }];
    }
    let givers: Vec<SnName> = service.givers(pool).into_iter().filter(|sn| running.contains(sn)).collect();
    if givers.is_empty() {
        return vec![Trouble::Off(owner)];
    }
    let why = |sn: &SnName| answers.get(sn).cloned().unwrap_or_else(|| Some("it was not asked".to_owned()));
    let behind: Vec<(&SnName, String)> = givers.iter().filter_map(|sn| Some((sn, why(sn)?))).collect();
    let is_served = behind.first().is_none_or(|(sn, _)| Some(*sn) != givers.first());
    let trouble = |(sn, why): (&SnName, String)| match is_served {
        true => Trouble::Weakened { sn: sn.clone(), why },
        false => Trouble::Behind { sn: sn.clone(), why },
    };
    behind.into_iter().map(trouble).collect()
}

fn say(service: Service, trouble: &Trouble, nodes: &[&NodeName], talk: &mut Talk<'_>) {
    let (names, service_name) = (names(nodes), service.name());
    match trouble {
        Trouble::Nobody => {
            talk.warn(&format!(
                "{names} named no service node: nobody of this cluster gives {service_name}\n  try      \
                 chdef {} servicenode=SERVICENODE",
                one(nodes)
            ));
        }
        Trouble::NoAddress { sn, network } => {
            talk.error(&format!(
                "{names} not served: {sn} has no address on network {network}\n  try      another \
                 servicenode, or give {sn} an address there"
            ));
        }
        Trouble::Off(sn) => {
            talk.error(&format!(
                "{names} not served: {sn} gives no {service_name}\n  try      chdef {sn} {}=1",
                service.switch()
            ));
        }
        Trouble::Behind { sn, why } => {
            talk.error(&format!(
                "{names} served as before, if at all: {sn} does not hold what is defined now: {why}\n  try      \
                 lsslice {sn}"
            ));
        }
        Trouble::Weakened { sn, why } => {
            talk.warn(&format!(
                "{names} served by others of the pool: {sn} does not hold what is defined now: {why}"
            ));
        }
    }
}

/// `n1 is`, `n1, n2 are`, `n1, n2, n3, n4, n5 and 9 more are`.
fn names(nodes: &[&NodeName]) -> String {
    let shown: Vec<&str> = nodes.iter().take(SHOWN).map(|node| node.as_str()).collect();
    let shown = shown.join(", ");
    match nodes.len() {
        1 => format!("{shown} is"),
        count if count <= SHOWN => format!("{shown} are"),
        count => format!("{shown} and {} more are", count - SHOWN),
    }
}

fn one<'a>(nodes: &[&'a NodeName]) -> &'a str {
    nodes.first().map_or("NODE", |node| node.as_str())
}

/// The nodes of a noderange, or those of which `counts` is true; none where the noderange cannot be
/// read, which is said.
pub(super) fn chosen(
    model: &Model,
    range: Option<&Range>,
    talk: &mut Talk<'_>,
    counts: impl Fn(&NodeName) -> bool,
) -> Option<Vec<NodeName>> {
    let Some(range) = range else {
        return Some(model.nodes().filter(|node| counts(node)).cloned().collect());
    };
    match range.expand(model) {
        Ok(chosen) => {
            chosen.warnings.iter().for_each(|text| talk.warn(text));
            Some(chosen.nodes)
        }
        Err(refusal) => {
            talk.refuse(&refusal);
            None
        }
    }
}
