//! What is the same for many nodes, found out once while slices are derived from one model.
//!
//! The 250 nodes of a service node all ask for its addresses, and each node is derived for every
//! member of its pool. Asked anew each time, that is most of what deriving a node costs.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::rc::Rc;

use common::id::{NodeName, SnName};
use common::slice::Script;

use super::node::{self, Entry};
use crate::model::{Model, Network};
use crate::moves;
use crate::node::{addresses_of, pool_named, primary_ip, script_lists, scripts_in, service_node_named};
use crate::table::schema::NODERES;

/// How many names of servers are remembered: a site has a few, unless each node has one of its own.
const NAMES: usize = 4096;

/// What was found out of one model.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    pub(super) model: &'a Model,
    /// Of service nodes.
    addresses: RefCell<HashMap<SnName, Rc<[Ipv4Addr]>>>,
    /// Of servers, by the names by which nodes are told of them.
    servers: RefCell<HashMap<String, Rc<[Ipv4Addr]>>>,
    /// The pool of the node that was asked for last, and its words: those of the next node are mostly
    /// the same.
    pool: RefCell<Option<(NodeName, Rc<[SnName]>)>>,
    words: RefCell<String>,
    /// What is common of the node that was derived last.
    common: RefCell<Option<(NodeName, Entry)>>,
    /// The lists of scripts of the node that was asked for last, and what they come to: those of the
    /// next node are mostly the same.
    scripts: RefCell<(Vec<String>, Vec<Script>)>,
}

impl<'a> Kept<'a> {
    /// Nothing yet.
    pub(super) fn new(model: &'a Model) -> Self {
        Self {
            model,
            addresses: RefCell::default(),
            servers: RefCell::default(),
            pool: RefCell::default(),
            words: RefCell::default(),
            common: RefCell::default(),
            scripts: RefCell::default(),
        }
    }

    /// The service nodes whose slices hold a node: its pool, and the target of a move under way.
    pub(super) fn holders_of(&self, node: &NodeName) -> BTreeSet<SnName> {
        let mut holders: BTreeSet<SnName> = self.pool_of(node).iter().cloned().collect();
        holders.extend(moves::under_way(self.model, node).map(|step| step.target));
        holders
    }

    /// The pool of a node as it is defined, owner first.
    pub(super) fn pool_of(&self, node: &NodeName) -> Rc<[SnName]> {
        let mut kept = self.pool.borrow_mut();
        if let Some((_, pool)) = kept.as_ref().filter(|(known, _)| known == node) {
            return Rc::clone(pool);
        }
        let words = self.model.cell(NODERES, node.as_str(), "servicenode").unwrap_or_default();
        let mut known = self.words.borrow_mut();
        let pool = match kept.take() {
            Some((_, pool)) if *known == words => pool,
            _ => pool_named(self.model, &words).into(),
        };
        *known = words.into_owned();
        *kept = Some((node.clone(), Rc::clone(&pool)));
        pool
    }

    /// What is the same of a node for all of its service nodes.
    pub(super) fn common(&self, node: &NodeName) -> Entry {
        if let Some((known, found)) = &*self.common.borrow()
            && known == node
        {
            return found.clone();
        }
        let found = node::common(self, node);
        self.common.replace(Some((node.clone(), found.clone())));
        found
    }

    /// The scripts of a node.
    pub(super) fn scripts_of(&self, node: &NodeName) -> Vec<Script> {
        let lists = script_lists(self.model, node);
        let mut kept = self.scripts.borrow_mut();
        if kept.0 != lists {
            let scripts = scripts_in(self.model, &lists);
            *kept = (lists, scripts);
        }
        kept.1.clone()
    }

    /// The addresses of a service node.
    pub(super) fn addresses_of(&self, sn: &SnName) -> Rc<[Ipv4Addr]> {
        let mut kept = self.addresses.borrow_mut();
        if let Some(known) = kept.get(sn) {
            return Rc::clone(known);
        }
        let found: Rc<[Ipv4Addr]> = addresses_of(self.model, sn).into();
        kept.insert(sn.clone(), Rc::clone(&found));
        found
    }

    /// The addresses of a server by any name, those of a service node with all that it has.
    pub(super) fn addresses_named(&self, name: &str) -> Rc<[Ipv4Addr]> {
        if let Some(known) = self.servers.borrow().get(name) {
            return Rc::clone(known);
        }
        let mut found = self.model.resolve(name);
        if let Some(sn) = service_node_named(self.model, name) {
            found.extend(self.addresses_of(&sn).iter());
        }
        let found: Rc<[Ipv4Addr]> = found.into();
        let mut kept = self.servers.borrow_mut();
        if kept.len() >= NAMES {
            kept.clear();
        }
        kept.insert(name.to_owned(), Rc::clone(&found));
        found
    }
}

/// Where a node is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The address that it is known by.
    pub(super) ip: Option<Ipv4Addr>,
    /// The network that this is on; none where that is not defined.
    pub(super) network: Option<&'a Network>,
}

impl<'a> Place<'a> {
    /// Looks a node up.
    pub(super) fn of(model: &'a Model, node: &NodeName) -> Self {
        let ip = primary_ip(model, node);
        Self { ip, network: ip.and_then(|ip| model.network_of(ip)) }
    }

    /// Whether the node can reach an address: on its network, or anywhere where that is not defined.
    pub(super) fn is_near(self, address: Ipv4Addr) -> bool {
        self.network.is_none_or(|network| network.net.contains(&address))
    }
}
