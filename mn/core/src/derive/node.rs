//! One node's entry in the slice of one service node.

use std::collections::BTreeSet;

use common::id::{MacAddr, NodeName, SnName};
use common::slice::{Interface, JoinSecret, Netboot, Node, PoolMember, Role};
use common::wire::join::Kind;

use super::kept::{Kept, Place};
use super::{Need, boot, servers};
use crate::member;
use crate::model::{Model, RowsOf};
use crate::moves::{self, Step};
use crate::node::{epoch_of, image_of, names_of, pool_of};
use crate::table::{RowKey, schema as table};

/// What a service node is to a node now; none where it has nothing to do with it.
pub fn role_of(model: &Model, sn: &SnName, node: &NodeName) -> Option<Role> {
    role_in(&pool_of(model, node), moves::under_way(model, node).as_ref(), sn)
}

fn role_in(pool: &[SnName], step: Option<&Step>, sn: &SnName) -> Option<Role> {
    match step {
        // Until the target answers, it holds; the old owner answers until it has been released.
        Some(step) if step.target == *sn && pool.first() != Some(sn) => Some(Role::Held),
        Some(step) if step.is_released && pool.first() == Some(sn) && step.target != *sn => {
            Some(Role::Backup)
        }
        _ if pool.first() == Some(sn) => Some(Role::Owner),
        _ => pool.contains(sn).then_some(Role::Backup),
    }
}

/// A node's entry, and what it stands on; none for a node that cannot be served as it is defined, and
/// what that depends on.
pub(super) type Entry = (Option<Node>, BTreeSet<Need>);

/// The entry, and what stands in the slice because of it. Most of both is the same for all service
/// nodes of the pool, and `kept` has it from the last of them.
pub(super) fn derive(kept: &Kept<'_>, sn: &SnName, name: &NodeName) -> Entry {
    let model = kept.model;
    if !model.has_node(name.as_str()) {
        return Entry::default();
    }
    let role = role_in(&kept.pool_of(name), moves::under_way(model, name).as_ref(), sn);
    let Some(role) = role else { return Entry::default() };
    // A node that is being moved to this service node is prepared as it will be.
    let (node, mut needs) = match role {
        Role::Held => common(&Kept::new(&moves::projected(model, name)), name),
        _ => kept.common(name),
    };
    let Some(mut node) = node else { return (None, needs) };
    node.role = role;
    node.epoch = epoch_of(model, name);
    let others = node.pool.iter().filter(|member| member.sn != *sn);
    needs.extend(others.map(|member| Need::Peer(member.sn.clone())));
    (Some(node), needs)
}

/// A node and what it needs, whoever it is derived for: with the owner's role and without peers.
pub(super) fn common(kept: &Kept<'_>, name: &NodeName) -> Entry {
    let model = kept.model;
    let place = Place::of(model, name);
    let resources = model.rows_of(table::NODERES, name.as_str());
    let master = resources.text("xcatmaster");
    let pool = members(kept, name, master.as_deref(), place);
    let is_name = |name: &String| name.parse::<std::net::Ipv4Addr>().is_err();
    let master = master.filter(is_name);
    let mut needs: BTreeSet<Need> = servers::names(&resources).filter(is_name).map(Need::Server).collect();
    let Some(servers) = servers::servers(kept, &resources, &pool, place) else {
        needs.extend(master.map(Need::Server));
        return (None, needs);
    };
    let interfaces = interfaces(model, name, place);
    let foreign = interfaces.iter().filter(|interface| !is_own(model, name, &interface.host));
    needs.extend(foreign.map(|interface| Need::Server(interface.host.clone())));
    let state = boot::derive(model, name);
    let networks = interfaces.iter().filter_map(|interface| interface.network.as_ref());
    needs.extend(networks.map(|network| Need::Network(network.to_string())));
    needs.extend(image_of(model, name).map(Need::Image));
    needs.extend(pool.iter().map(|member| Need::Host(member.sn.to_string())));
    needs.extend(master.map(Need::Host));
    let node = Node {
        name: name.clone(),
        role: Role::Owner,
        epoch: epoch_of(model, name),
        pool,
        interfaces,
        servers,
        netboot: netboot(&resources),
        boot: state,
        scripts: kept.scripts_of(name),
        join: secret(model, name),
        agent_key: member::key(model, Kind::Agent, name.as_str()),
        rests: moves::rests(model, name),
    };
    (Some(node), needs)
}

/// Whether a name of an interface is the node's own: who has it then is looked at for itself.
fn is_own(model: &Model, node: &NodeName, host: &str) -> bool {
    host == node.as_str() || model.nodes_called(host).any(|called| called == node)
}

/// The pool with the address of each member that the node uses.
fn members(kept: &Kept<'_>, node: &NodeName, master: Option<&str>, place: Place<'_>) -> Vec<PoolMember> {
    let model = kept.model;
    let mut pool = Vec::new();
    for (at, sn) in kept.pool_of(node).iter().enumerate() {
        let named = master.filter(|_| at == 0).map(|name| model.resolve(name)).unwrap_or_default();
        let near = named.iter().copied().find(|address| place.is_near(*address));
        let of_sn = || kept.addresses_of(sn).iter().copied().find(|address| place.is_near(*address));
        if let Some(address) = near.or_else(of_sn) {
            pool.push(PoolMember { sn: sn.clone(), address });
        } else if at == 0 {
            // Without its owner a node is not to be served by a backup in the owner's name.
            return Vec::new();
        }
    }
    pool
}

fn interfaces(model: &Model, node: &NodeName, place: Place<'_>) -> Vec<Interface> {
    let own = place.ip;
    let interface = |entry: crate::model::MacEntry| {
        let host = entry.host.clone().unwrap_or_else(|| node.to_string());
        let ip = match &entry.host {
            _ if entry.noip => None,
            Some(name) if name != node.as_str() => model.resolve(name).into_iter().next(),
            _ => own,
        };
        let network = ip.and_then(|ip| model.network_of(ip)).map(|network| network.name.clone());
        Interface { mac: entry.mac, host, ip, network }
    };
    let mut interfaces: Vec<Interface> = model.macs(node.as_str()).into_iter().map(interface).collect();
    if interfaces.is_empty() && own.is_some() {
        // Without a hardware address a node is no DHCP client, and a name all the same.
        let network = place.network.map(|network| network.name.clone());
        interfaces.push(Interface { mac: MacAddr::NONE, host: node.to_string(), ip: own, network });
    }
    // Names besides are for DNS alone.
    for (host, ip) in names_of(model, node.as_str()) {
        let is_it = |known: &Interface| known.ip == Some(ip) && known.host.eq_ignore_ascii_case(&host);
        if !interfaces.iter().any(is_it) {
            let network = model.network_of(ip).map(|network| network.name.clone());
            interfaces.push(Interface { mac: MacAddr::NONE, host, ip: Some(ip), network });
        }
    }
    interfaces
}

fn netboot(resources: &RowsOf<'_>) -> Netboot {
    match resources.cell("netboot").as_deref().unwrap_or_default() {
        "pxe" => Netboot::Pxe,
        "petitboot" => Netboot::Petitboot,
        word if word.starts_with("grub2") => Netboot::Grub2,
        _ => Netboot::Xnba,
    }
}

fn secret(model: &Model, node: &NodeName) -> Option<JoinSecret> {
    let key = RowKey::of(["node", node.as_str()]);
    let row = model.tables().row(table::JOINTOKEN, key.as_str())?;
    let text = row.cell("secret")?;
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(JoinSecret(bytes))
}
