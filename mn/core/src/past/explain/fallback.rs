//! What a node is told where no cell of its own or its groups says it: the same order as in
//! [`crate::derive`], in words.

use super::{Reason, Source, made, own};
use crate::model::{Gateway, Model, Network, Server};
use crate::table::{RowKey, TableId, schema};

/// What nodes are told that is no attribute of theirs.
const TOLD: [&str; 3] = ["domain", "gateway", "ntpservers"];

/// Whether this is something that is explained although it is no attribute of a node.
pub(super) fn is_one(name: &str) -> bool {
    TOLD.contains(&name)
}

/// Adds what is said for the node by others.
pub(super) fn add(model: &Model, node: &str, reasons: &mut Vec<Reason>) {
    for column in ["postbootscripts", "postscripts"] {
        defaults(model, node, column, reasons);
    }
    let network = model.ip(node).and_then(|ip| model.network_of(ip));
    let is_set = |name: &str| reasons.iter().any(|reason| reason.name == name);
    let has_master = is_set("xcatmaster");
    let from_network = |name: &str| {
        let network = network?;
        let value = match name {
            "tftpserver" if !has_master => words(network.tftpserver.as_slice()),
            "nameservers" => words(&network.nameservers),
            "ntpservers" => words(&network.ntp),
            "domain" => network.domain.clone().unwrap_or_default(),
            "gateway" => gateway(network),
            _ => String::new(),
        };
        of_network(model, network, column_of(name), &value)
    };
    let from_site = |name: &str| {
        let key = matches!(name, "nameservers" | "ntpservers" | "domain").then_some(name)?;
        let value = model.site(key)?;
        Some(Source {
            from: format!("the site's {key}"),
            ..own(schema::SITE, RowKey::one(key), "value", value)
        })
    };
    let built_in = |name: &str| {
        Some(match name {
            "netboot" => ("xnba", "built in"),
            "arch" => ("x86_64", "built in, for the rescue system"),
            "currstate" => ("boot", "built in: a node of which nothing was asked boots its disk"),
            "xcatmaster" => ("<its service node>", "the owner's address on the node's network (servicenode)"),
            "tftpserver" | "nfsserver" | "nameservers" | "ntpservers" => {
                ("<xcatmaster>", "built in: its service node")
            }
            _ => return None,
        })
    };
    let names = ["arch", "currstate", "netboot", "nfsserver", "tftpserver", "xcatmaster", "nameservers"];
    let mut more = Vec::new();
    for name in names.into_iter().chain(TOLD).filter(|name| !is_set(name)) {
        let source = from_network(name).or_else(|| from_site(name));
        if let Some(source) = source {
            more.push(Reason { name: name.to_owned(), value: source.stored.clone(), sources: vec![source] });
        } else if let Some((value, from)) = built_in(name) {
            more.push(Reason { name: name.to_owned(), value: value.to_owned(), sources: vec![made(from)] });
        }
    }
    reasons.extend(more);
}

/// Every node runs `xcatdefaults` first, and a service node `service` too.
fn defaults(model: &Model, node: &str, column: &'static str, reasons: &mut Vec<Reason>) {
    let rows = ["xcatdefaults", "service"].into_iter();
    let rows = rows.filter(|row| *row != "service" || model.is_member(node, "service"));
    let mut sources: Vec<Source> = rows
        .filter_map(|row| {
            let stored = crate::object::cell(model, schema::POSTSCRIPTS, row, column)?;
            let of = if row == "service" { "every service node" } else { "every node" };
            let from = format!("row {row}, for {of}");
            Some(Source { from, ..own(schema::POSTSCRIPTS, RowKey::one(row), column, stored) })
        })
        .collect();
    if sources.is_empty() {
        return;
    }
    let at = reasons.iter().position(|reason| reason.name == column);
    let known = at.map(|at| reasons.remove(at));
    let known = known.unwrap_or_else(|| Reason {
        name: column.to_owned(),
        value: String::new(),
        sources: Vec::new(),
    });
    // The row `service` is also the group's, which a service node may be a member of.
    let is_known = |source: &Source| sources.iter().any(|other| other.cell == source.cell);
    let rest: Vec<Source> = known.sources.into_iter().filter(|source| !is_known(source)).collect();
    let mut items: Vec<String> = Vec::new();
    let lists = sources.iter().map(|source| source.stored.as_str()).chain([known.value.as_str()]);
    for item in lists.flat_map(crate::model::split) {
        if !items.iter().any(|known| known == item) {
            items.push(item.to_owned());
        }
    }
    sources.extend(rest);
    reasons.push(Reason { name: column.to_owned(), value: items.join(","), sources });
}

fn column_of(name: &str) -> &'static str {
    match name {
        "tftpserver" => "tftpserver",
        "nameservers" => "nameservers",
        "ntpservers" => "ntpservers",
        "domain" => "domain",
        _ => "gateway",
    }
}

/// The cell of a network; none where it says nothing.
fn of_network(model: &Model, network: &Network, column: &'static str, value: &str) -> Option<Source> {
    if value.is_empty() {
        return None;
    }
    let table: TableId = schema::NETWORKS;
    let mut rows = model.tables().rows(table);
    let (key, row) = rows.find(|(_, row)| row.cell("netname") == Some(network.name.as_str()))?;
    let stored = row.cell(column).unwrap_or(value);
    Some(Source { from: format!("network {}", network.name), ..own(table, key.clone(), column, stored) })
}

fn words(servers: &[Server]) -> String {
    let words = servers.iter().map(|server| match server {
        Server::Master => "<xcatmaster>".to_owned(),
        Server::Addr(address) => address.to_string(),
        Server::Name(name) => name.clone(),
    });
    words.collect::<Vec<_>>().join(",")
}

fn gateway(network: &Network) -> String {
    match &network.gateway {
        Gateway::Addr(address) => address.to_string(),
        Gateway::Master => "<xcatmaster>".to_owned(),
        Gateway::None => String::new(),
    }
}
