//! Which nodes a move takes, and everything that refuses it, before anything changes.

use std::net::Ipv4Addr;

use common::id::{NodeName, SnName};
use common::report::Refusal;

use super::attributes;
use crate::change::updatenode;
use crate::command::Snmove;
use crate::draft::Draft;
use crate::model::Model;
use crate::moves::{self, Move, State, under_way};
use crate::node;
use crate::table::{nearest, schema as table};
use crate::target::Chosen;

/// A move that nothing refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The service node that takes.
    pub target: SnName,
    /// `-D`.
    pub targetn: Option<String>,
    /// `-s`.
    pub source: Option<SnName>,
    /// `-S`.
    pub sourcen: Option<String>,
    /// `-i`.
    pub ignore_nodes: bool,
    /// The nodes that move, in the order of their names.
    pub nodes: Vec<Moving>,
    /// Selected nodes that are as they would become already.
    pub settled: Vec<NodeName>,
    /// What is probably not meant, for the operator; it stops nothing.
    pub warnings: Vec<String>,
}

/// A node that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moving {
    /// The node.
    pub node: NodeName,
    /// Its owner; none where it has none yet.
    pub from: Option<SnName>,
    /// What changes in its definition: attribute, before, after.
    pub changes: Vec<(String, String, String)>,
}

/// Plans moves, one for each target: without `-d` each node goes to the second of its pool.
///
/// # Errors
/// Everything that is wrong, all at once; then nothing is changed for any node.
pub fn plan(model: &Model, arguments: &Snmove) -> Result<Vec<Plan>, Vec<Refusal>> {
    let ask = Ask::read(model, arguments)?;
    let Chosen { nodes, mut warnings } = ask.select(model, arguments)?;
    let mut refusals = scripts(model, arguments);
    let mut plans: Vec<Plan> = Vec::new();
    for node in nodes {
        match ask.node(model, &node) {
            Err(refusal) => refusals.push(refusal.about(&node)),
            Ok((target, moving)) => {
                let at = plans.iter().position(|plan| plan.target == target).unwrap_or_else(|| {
                    plans.push(ask.plan(target));
                    plans.len() - 1
                });
                let follows = arguments.ignore_nodes || !moves::rests(model, &node);
                if moving.changes.is_empty() && follows {
                    plans[at].settled.push(node)
                } else {
                    plans[at].nodes.push(moving)
                }
            }
        }
    }
    warnings.extend(plans.iter().filter_map(|plan| ask.unknown_name(model, plan)));
    if let Some(first) = plans.first_mut() {
        first.warnings = warnings;
    }
    if refusals.is_empty() { Ok(plans) } else { Err(refusals) }
}

/// Scripts of `-P` that are not there: found now, since afterwards the nodes have moved.
fn scripts(model: &Model, arguments: &Snmove) -> Vec<Refusal> {
    let words = arguments.postscripts.as_deref().unwrap_or_default();
    updatenode::named(model, &postscripts(words)).err().unwrap_or_default()
}

/// The scripts that a `-P` names besides those of the node (`all`).
pub fn postscripts(words: &str) -> Vec<String> {
    let words = words.split(',').map(str::trim);
    words.filter(|word| !word.is_empty() && *word != "all").map(str::to_owned).collect()
}

/// What was asked, with the service nodes looked up.
struct Ask {
    target: Option<SnName>,
    targetn: Option<String>,
    source: Option<SnName>,
    sourcen: Option<String>,
    ignore_nodes: bool,
}

/// The service node of this name; `other` is the other end of the move, which it cannot be.
fn service_node(model: &Model, option: &str, text: &str, other: Option<&str>) -> Result<SnName, Refusal> {
    node::service_node_named(model, text).ok_or_else(|| {
        let known: Vec<String> = model.service_nodes().iter().map(ToString::to_string).collect();
        let may_be = known.iter().map(String::as_str).filter(|name| Some(*name) != other);
        let close = nearest::names(text, may_be);
        let because = if model.has_node(text) {
            format!("{text} is a node without a row in the table servicenode")
        } else {
            format!(
                "the service nodes are: {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )
        };
        let attempt = close.first().map_or_else(
            || {
                if model.has_node(text) {
                    format!("chdef {text} setupdhcp=1 setuptftp=1 setupnfs=1")
                } else {
                    format!("mn token create {text} --define, or lsslice to see them all")
                }
            },
            |name| format!("{option} {name}"),
        );
        Refusal::new(format!("{text} is not a service node")).because(because).attempt(attempt)
    })
}

impl Ask {
    fn read(model: &Model, arguments: &Snmove) -> Result<Self, Vec<Refusal>> {
        let mut refusals = Vec::new();
        if arguments.ignore_nodes && arguments.postscripts.is_some() {
            let refusal = Refusal::new("-i and -P contradict each other");
            refusals.push(refusal.because("-i leaves the running nodes alone, -P runs scripts on them"));
        }
        if arguments.nodes.is_none() && arguments.source.is_none() {
            let refusal = Refusal::new("nothing says which nodes are to move");
            refusals.push(refusal.attempt("snmove NODERANGE -d SN, or snmove -s SN1 -d SN2"));
        }
        let (source, dest) = (arguments.source.as_deref(), arguments.dest.as_deref());
        let mut look = |option, text: Option<&str>, other| match service_node(model, option, text?, other) {
            Ok(sn) => Some(sn),
            Err(refusal) => {
                refusals.push(refusal);
                None
            }
        };
        let (target, source) = (look("-d", dest, source), look("-s", source, dest));
        if arguments.nodes.is_none() && target.is_some() && target == source {
            refusals.push(
                Refusal::new("the source and the target are the same service node").attempt("another -d"),
            );
        }
        if refusals.is_empty() {
            let (targetn, sourcen) = (arguments.destn.clone(), arguments.sourcen.clone());
            Ok(Self { target, source, targetn, sourcen, ignore_nodes: arguments.ignore_nodes })
        } else {
            Err(refusals)
        }
    }

    fn plan(&self, target: SnName) -> Plan {
        Plan {
            target,
            targetn: self.targetn.clone(),
            source: self.source.clone(),
            sourcen: self.sourcen.clone(),
            ignore_nodes: self.ignore_nodes,
            nodes: Vec::new(),
            settled: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The nodes: those of the noderange, else exactly those whose owner is the source;
    /// service nodes are never moved along.
    fn select(&self, model: &Model, arguments: &Snmove) -> Result<Chosen, Vec<Refusal>> {
        let Some(range) = &arguments.nodes else {
            let owned = |node: &&NodeName| {
                node::pool_of(model, node).first() == self.source.as_ref()
                    && !model.is_service_node(node.as_str())
            };
            let nodes: Vec<NodeName> = model.nodes().filter(owned).cloned().collect();
            let source = arguments.source.as_deref().unwrap_or_default();
            return if nodes.is_empty() {
                let refusal = Refusal::new(format!("{source} owns no nodes"));
                Err(vec![refusal.because(format!("no node has {source} first in its servicenode"))])
            } else {
                Ok(Chosen { nodes, warnings: Vec::new() })
            };
        };
        let chosen = range.expand(model).map_err(|refusal| vec![refusal])?;
        let nodes = &chosen.nodes;
        if nodes.is_empty() {
            let refusal = Refusal::new(format!("the noderange {:?} means no nodes", range.text));
            let why = chosen.warnings.join("; ");
            let refusal = if why.is_empty() { refusal } else { refusal.because(why) };
            return Err(vec![refusal.attempt(format!("nodels {}", range.text))]);
        }
        let servers: Vec<String> = nodes
            .iter()
            .filter(|node| model.is_service_node(node.as_str()))
            .map(ToString::to_string)
            .collect();
        if servers.is_empty() {
            return Ok(chosen);
        }
        let attempt = if servers.len() < nodes.len() {
            format!("snmove '{},-{}' …", range.text, servers.join(",-"))
        } else {
            let first = servers.first().map_or("SN1", String::as_str);
            format!("snmove -s {first} -d SN2, which moves the nodes that {first} owns")
        };
        let refusal = Refusal::new(format!("service nodes are not moved: {}", servers.join(", ")));
        Err(vec![refusal.attempt(attempt)])
    }

    /// A `-D` that no definition explains. It is written all the same, as sites have names of their
    /// own; what the nodes are told is an address that is known.
    fn unknown_name(&self, model: &Model, plan: &Plan) -> Option<String> {
        let name = self.targetn.as_deref().filter(|name| model.resolve(name).is_empty())?;
        let node = plan.nodes.iter().map(|moving| &moving.node).chain(&plan.settled).next()?;
        let address = node::address_for(model, &plan.target, node).ok()?;
        Some(format!(
            "no definition says which address {name} is; the nodes are told {address}. \
             To define it: chdef {} -p otherinterfaces={name}:ADDRESS",
            plan.target
        ))
    }

    /// Where a node goes and what changes for it.
    fn node(&self, model: &Model, node: &NodeName) -> Result<(SnName, Moving), Refusal> {
        let pool = node::pool_of(model, node);
        let target = self.target.clone().or_else(|| pool.get(1).cloned()).ok_or_else(|| {
            let refusal = Refusal::new("has no backup service node to go to");
            refusal.because("its servicenode has no second entry").attempt(format!("snmove {node} -d SN"))
        })?;
        if let Some(step) = under_way(model, node) {
            let refusal = Refusal::new(format!("is being moved to {} already", step.target));
            return Err(refusal.attempt("wait for that snmove to end, or look at it with lsslice"));
        }
        self.reach(model, node, &target)?;
        let one = Move {
            id: 0,
            state: State::Released,
            target: target.clone(),
            targetn: self.targetn.clone(),
            source: self.source.clone(),
            sourcen: self.sourcen.clone(),
            ignore_nodes: self.ignore_nodes,
        };
        let mut draft = Draft::new(model);
        attributes::rewrite(&mut draft, &one, node);
        let changes =
            draft.edits().iter().filter(|edit| edit.table != table::OWNERSHIP).flat_map(changes).collect();
        Ok((target, Moving { node: node.clone(), from: pool.into_iter().next(), changes }))
    }

    /// Whether the target can serve the node: an address of it lies in the node's network (V7, V13).
    fn reach(&self, model: &Model, node: &NodeName, target: &SnName) -> Result<(), Refusal> {
        let Some(ip) = model.ip(node.as_str()) else {
            let refusal = Refusal::new("has no address, so nothing says which service node can reach it");
            return Err(refusal.attempt(format!("chdef {node} ip=ADDRESS")));
        };
        let named = self.targetn.as_deref().map(|name| (name, model.resolve(name)));
        let network = model.network_of(ip);
        if let (Some((name, addresses)), Some(network)) = (&named, network)
            && !addresses.is_empty()
            && !addresses.iter().any(|address| network.net.contains(address))
        {
            let stays = Refusal::new(format!("stays where it is: {name} is not on network {}", network.name));
            let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let stays = if listed == [*name] {
                stays
            } else {
                stays.because(format!("{name} is {}", listed.join(", ")))
            };
            return Err(stays.attempt("another -D, or none"));
        }
        if let Some((name, addresses)) = &named
            && let Some(other) = whose(model, name, addresses, target)
        {
            let refusal = Refusal::new(format!("stays where it is: {name} is {other}, not {target}"));
            return Err(refusal.attempt("another -D, or none"));
        }
        if named.is_some_and(|(_, addresses)| !addresses.is_empty()) {
            return Ok(());
        }
        node::address_for(model, target, node).map(drop).map_err(|error| {
            let addresses: Vec<String> =
                node::addresses_of(model, target).iter().map(ToString::to_string).collect();
            let owner = node::pool_of(model, node).into_iter().next();
            let stays =
                owner.map_or_else(|| "stays without an owner".to_owned(), |sn| format!("stays on {sn}"));
            let has =
                if addresses.is_empty() { "none that is known".to_owned() } else { addresses.join(", ") };
            Refusal::new(format!("{stays}: {error}"))
                .because(format!("{target}'s addresses are: {has}"))
                .attempt(format!("another -d, or give {target} an address on {}", error.network))
        })
    }
}

/// The other machine whose these addresses are; none where they are the target's, or nobody's who
/// is defined by another name (an address that moves from machine to machine may be).
fn whose(model: &Model, name: &str, addresses: &[Ipv4Addr], target: &SnName) -> Option<String> {
    let own = attributes::all_addresses(model, target);
    if addresses.is_empty() || addresses.iter().any(|address| own.contains(address)) {
        return None;
    }
    let others = model.service_nodes().into_iter().filter(|sn| sn != target);
    let is_there =
        |sn: &SnName| attributes::all_addresses(model, sn).iter().any(|own| addresses.contains(own));
    let other = others.into_iter().find(is_there).map(|sn| sn.to_string());
    let master = model
        .site("master")
        .is_some_and(|master| model.resolve(master).iter().any(|address| addresses.contains(address)));
    let master = || master.then(|| "the management node".to_owned());
    let node = || {
        let is_it = |node: &&NodeName| model.ip(node.as_str()).is_some_and(|ip| addresses.contains(&ip));
        let found = model.nodes().filter(|node| node.as_str() != name).find(is_it);
        found.map(|node| format!("the node {node}"))
    };
    other.or_else(master).or_else(node)
}

/// Column, before and after of an edit.
fn changes(edit: &crate::table::Edit) -> Vec<(String, String, String)> {
    let cell = |row: &Option<crate::table::Row>, column: &str| {
        row.as_ref().and_then(|row| row.cell(column)).unwrap_or_default().to_owned()
    };
    let columns = edit.table.table().columns.iter().map(|column| column.name);
    let one = |column: &str| (column.to_owned(), cell(&edit.before, column), cell(&edit.after, column));
    columns.filter(|column| *column != "node").map(one).filter(|(_, before, after)| before != after).collect()
}
