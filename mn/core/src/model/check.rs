//! Rules that a change must keep.
//!
//! A rule looks at what the change touched, in the model as it would be. What would make a service
//! node answer wrongly is refused; what is merely odd is a warning. What was wrong before and is not
//! touched stays out of it, or nothing could be mended step by step.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use common::id::NodeName;
use common::report::Refusal;

use super::{Model, mac, network};
use crate::table::schema::{HOSTS, MAC, NETWORKS, NICS, NODELIST, NODERES, SITE};
use crate::table::{Edit, Row, TableId, attribute, value};
use crate::template;

/// How many refusals of one change are worth saying.
const SAID: usize = 1000;

/// How many warnings are: 5,000 nodes without a network are one mistake.
const WARNED: usize = 20;

/// What is wrong with a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The change must not be made.
    pub refusals: Vec<Refusal>,
    /// It can be made, and somebody should look.
    pub warnings: Vec<Refusal>,
    /// Which of the refusals are of values that the model leaves out.
    left_out: BTreeSet<usize>,
    /// How many warnings are not among `warnings`.
    unsaid: usize,
}

impl Findings {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.refusals.is_empty() && self.warnings.is_empty()
    }

    /// The same for commands that store rows as they are (`tabrestore`, `chtab`): what cannot be
    /// read and is left out of the model is a warning. What would make a service node answer
    /// wrongly (two nodes with one address) stays refused.
    #[must_use]
    pub fn leniently(mut self) -> Self {
        let left_out = std::mem::take(&mut self.left_out);
        for (at, refusal) in std::mem::take(&mut self.refusals).into_iter().enumerate() {
            if left_out.contains(&at) { self.warn(refusal) } else { self.refusals.push(refusal) }
        }
        self.sum_up();
        self
    }

    fn refuse(&mut self, refusal: Refusal) {
        if self.refusals.len() < SAID && !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    /// Refuses a value that the model would leave out.
    fn refuse_unread(&mut self, refusal: Refusal) {
        if self.refusals.len() < SAID && !self.refusals.contains(&refusal) {
            self.left_out.insert(self.refusals.len());
            self.refusals.push(refusal);
        }
    }

    fn warn(&mut self, warning: Refusal) {
        if self.warnings.contains(&warning) {
            return;
        }
        if self.warnings.len() < WARNED {
            self.warnings.push(warning);
        } else {
            self.unsaid += 1;
        }
    }

    /// Says how many warnings there are beyond those that are said one by one.
    fn sum_up(&mut self) {
        if self.unsaid > 0 {
            let more = std::mem::take(&mut self.unsaid);
            self.warnings.push(Refusal::new(format!("{more} more warnings of this change are not shown")));
        }
    }
}

/// Looks at a planned change: the models before and after it, and its edits.
pub fn change(before: &Model, after: &Model, edits: &[Edit]) -> Findings {
    let mut findings = Findings::default();
    for edit in edits {
        if let Some(row) = &edit.after {
            changed_row(edit, row, &mut findings);
            check_paths(after, edit, row, &mut findings);
            check_group_pool(after, edit, row, &mut findings);
        }
    }
    for node in touched(before, after, edits, &[MAC, NODELIST]) {
        check_macs(after, &node, &mut findings);
    }
    for node in touched(before, after, edits, &[HOSTS, NICS, NODELIST]) {
        check_addresses(before, after, &node, &mut findings);
    }
    for node in nodes_of(before, after, edits.iter().filter(|edit| changes_pool(edit))) {
        check_pool(before, after, &node, &mut findings);
    }
    findings.sum_up();
    findings
}

/// The nodes that edits of some tables touch, themselves or through a group. Status is no touch.
fn touched(before: &Model, after: &Model, edits: &[Edit], tables: &[TableId]) -> BTreeSet<NodeName> {
    let is_status = |edit: &Edit| {
        edit.table == NODELIST
            && edit.before.is_some() == edit.after.is_some()
            && groups(edit.before.as_ref()) == groups(edit.after.as_ref())
    };
    let edits = edits.iter().filter(|edit| tables.contains(&edit.table) && !is_status(edit));
    nodes_of(before, after, edits)
}

/// Whether an edit is one of service nodes: a row has a dozen other columns.
fn changes_pool(edit: &Edit) -> bool {
    fn pool(row: Option<&Row>) -> Option<&str> {
        row.filter(|row| row.is_live())?.cell("servicenode")
    }
    edit.table == NODERES && pool(edit.before.as_ref()) != pool(edit.after.as_ref())
}

/// The nodes that edits touch, themselves or through a group.
fn nodes_of<'a>(before: &Model, after: &Model, edits: impl Iterator<Item = &'a Edit>) -> BTreeSet<NodeName> {
    let mut nodes = BTreeSet::new();
    for edit in edits {
        let Some(name) = edit.key.parts().next() else { continue };
        nodes.extend(after.node(name).cloned());
        nodes.extend(before.index.members(name).chain(after.index.members(name)).cloned());
    }
    nodes.retain(|node| after.has_node(node.as_str()));
    nodes
}

fn groups(row: Option<&Row>) -> Option<&str> {
    row.and_then(|row| row.cell("groups"))
}

/// What a row says by itself, as far as it is new.
fn changed_row(edit: &Edit, row: &Row, findings: &mut Findings) {
    let (table, before, owner) = (edit.table, edit.before.as_ref(), &edit.key);
    let is_new = |column: &str| before.and_then(|before| before.cell(column)) != row.cell(column);
    let schema = table.table();
    if schema.is_inherited() {
        for (column, value) in
            row.cells().filter(|(column, _)| is_new(column) && !schema.key.contains(column))
        {
            if let Err(error) = template::check(value) {
                findings.refuse_unread(
                    Refusal::new(format!("{column}={value} is not a template"))
                        .about(owner)
                        .because(common::report::chain(&error)),
                );
            }
        }
    }
    check_values(table, row, is_new, findings);
    if table == NODELIST
        && is_new("node")
        && let Err(error) = owner.as_str().parse::<NodeName>()
    {
        findings.refuse_unread(Refusal::new(error.to_string()).about(owner));
    }
    if table == NODERES
        && is_new("netboot")
        && let Some(word) = row.cell("netboot").filter(|word| !is_netboot(word))
    {
        findings.warn(
            Refusal::new(format!("netboot={word} is no way to boot that is known here"))
                .about(owner)
                .because("it is kept, and served as xnba")
                .attempt("netboot=xnba, pxe, petitboot or grub2"),
        );
    }
    if table == NETWORKS && row.is_live() {
        check_network(row, before, findings);
    }
}

/// Values that nobody can mean, as the registry says. Templates are what they give for a node. Where
/// one is stored all the same, what counts without it counts.
fn check_values(table: TableId, row: &Row, is_new: impl Fn(&str) -> bool, findings: &mut Findings) {
    if table == SITE {
        let setting = row.cell("key").and_then(value::setting);
        let value = row.cell("value").filter(|_| is_new("value"));
        if let (Some(setting), Some(value)) = (setting, value)
            && let Some(because) = setting.value.kind.refusal(value)
        {
            let text = format!("{}={value} cannot be used", setting.key);
            findings.refuse_unread(Refusal::new(text).about("clustersite").because(because));
        }
        return;
    }
    for (column, text) in row.cells().filter(|(column, _)| is_new(column)) {
        let because = value::of(table, column).kind.refusal(text);
        if let Some(because) = because.filter(|_| !template::is_template(text)) {
            let name = attribute::of_column("node", table, column).map_or(column, |attribute| attribute.name);
            let refusal = Refusal::new(format!("{name}={text} cannot be used")).because(because);
            findings.refuse_unread(match row.cell("netname").filter(|_| table == NETWORKS) {
                Some(network) => refusal.about(network),
                None => refusal.about(row.key(table)),
            });
        }
    }
}

fn is_netboot(word: &str) -> bool {
    let known = matches!(word, "" | "xnba" | "pxe" | "petitboot" | "grub2" | "grub2-http" | "grub2-tftp");
    known || template::is_template(word)
}

/// A path such as `/tftpboot/xcat/` has the shape of `/PATTERN/TEXT/`, and becomes the name of the
/// node that it does not match.
fn check_paths(after: &Model, edit: &Edit, row: &Row, findings: &mut Findings) {
    let is_like = |(_, value): (&str, &str)| value.starts_with('/');
    if !row.cells().any(is_like) || !edit.table.table().is_inherited() {
        return;
    }
    let Some(owner) = edit.key.parts().next() else { return };
    let node = after.node(owner).or_else(|| after.index.members(owner).next());
    let Some(node) = node.map(NodeName::as_str) else { return };
    for (column, value) in row.cells().filter(|cell| is_like(*cell)) {
        if template::is_template(value) && template::value(value, node) == node {
            findings.warn(
                Refusal::new(format!("{column}={value} is read as a pattern, and gives {node}"))
                    .about(owner)
                    .attempt("write a path without the slash at its end"),
            );
        }
    }
}

fn check_network(row: &Row, before: Option<&Row>, findings: &mut Findings) {
    let name = row.cell("netname").unwrap_or_default();
    if network::is_ipv6(row.cell("net").unwrap_or_default()) {
        let warning = Refusal::new("it is an IPv6 network").because("it is kept, and nobody serves it yet");
        findings.warn(warning.about(name));
        return;
    }
    if let Some(why) = network::missing(row) {
        findings.refuse_unread(Refusal::new(format!("it is not a network: {why}")).about(name));
        return;
    }
    let known: Vec<_> = before.and_then(network::read).map_or_else(Vec::new, |reading| reading.wrong);
    let Some(reading) = network::read(row) else { return };
    for (column, why) in reading.wrong.into_iter().filter(|wrong| !known.contains(wrong)) {
        findings.refuse_unread(Refusal::new(format!("{column} cannot be used: {why}")).about(name));
    }
    let net = reading.network.net;
    if let network::Gateway::Addr(gateway) = reading.network.gateway
        && !net.contains(&gateway)
    {
        findings.warn(Refusal::new(format!("its gateway {gateway} is not within {net}")).about(name));
    }
    if row.cell("net").is_some_and(|text| text != net.network().to_string()) {
        findings.warn(Refusal::new(format!("its address is taken as {net}")).about(name));
    }
}

fn check_macs(after: &Model, node: &NodeName, findings: &mut Findings) {
    let Some(text) = after.cell(MAC, node.as_str(), "mac") else { return };
    for part in mac::unreadable(&text) {
        if mac::is_longer(part) {
            findings.warn(
                Refusal::new(format!("{part:?} is longer than an Ethernet address"))
                    .about(node)
                    .because("it is kept and never answered"),
            );
            continue;
        }
        findings.refuse_unread(
            Refusal::new(format!("{part:?} is not a hardware address"))
                .about(node)
                .attempt("write it as 52:54:00:12:34:56, or A!name|B!*NOIP* for several"),
        );
    }
    for entry in mac::entries(&text).into_iter().filter(|entry| !entry.noip) {
        if let Some(other) = after.nodes_with_mac(entry.mac).find(|other| *other != node) {
            findings.refuse(
                Refusal::new(format!("{} is the hardware address of {other} already", entry.mac))
                    .about(node)
                    .attempt(format!("take it from {other} first, or mark one of them {}!*NOIP*", entry.mac)),
            );
        }
    }
}

fn check_addresses(before: &Model, after: &Model, node: &NodeName, findings: &mut Findings) {
    let name = node.as_str();
    if let Some(text) = after.cell(HOSTS, name, "ip")
        && text.split(['|', ',', ' ']).any(|ip| ip.trim().parse::<std::net::IpAddr>().is_err())
    {
        let refusal = Refusal::new(format!("ip={text} is not an address")).about(node);
        findings.refuse_unread(refusal.attempt("ip=10.0.1.17"));
    }
    for address in after.addresses(name) {
        if let Some(other) = after.nodes_with_ip(address.ip).find(|other| *other != node) {
            findings.refuse(
                Refusal::new(format!("{} is an address of {other} already", address.ip))
                    .about(node)
                    .attempt(format!("give {} another address", address.name)),
            );
        }
        let was_so = before.network_of(address.ip).map(|network| network.net)
            == after.network_of(address.ip).map(|network| network.net)
            && before.nodes_with_ip(address.ip).any(|known| known == node);
        if !was_so {
            check_place(after, node, address.ip, findings);
        }
    }
}

/// Where an address lies in its network.
fn check_place(after: &Model, node: &NodeName, ip: Ipv4Addr, findings: &mut Findings) {
    let Some(network) = after.network_of(ip) else {
        if !after.networks().is_empty() {
            let because = "no service node can tell its mask or gateway";
            findings.warn(Refusal::new(format!("{ip} is on no network")).about(node).because(because));
        }
        return;
    };
    let net = network.net;
    if net.prefix_len() < 31 && (ip == net.network() || ip == net.broadcast()) {
        findings.refuse(
            Refusal::new(format!("{ip} is not a host of network {} ({net})", network.name)).about(node),
        );
    }
    if let Some((first, last)) = network.dynamic.iter().find(|(first, last)| (*first..=*last).contains(&ip)) {
        findings.warn(
            Refusal::new(format!("{ip} is in the dynamic range {first}-{last} of network {}", network.name))
                .about(node)
                .because("a stranger may be given it"),
        );
    }
}

/// A service node that was not in the pool before should be one.
fn check_pool(before: &Model, after: &Model, node: &NodeName, findings: &mut Findings) {
    let known = before.pool(node.as_str());
    let named = after.cell(NODERES, node.as_str(), "servicenode").unwrap_or_default();
    let is_known = |sn: &str| known.iter().any(|known| known.as_str() == sn);
    check_service_nodes(after, node.as_str(), &named, is_known, findings);
}

/// A group's service nodes, also where no member takes them from it yet: one that joins would.
fn check_group_pool(after: &Model, edit: &Edit, row: &Row, findings: &mut Findings) {
    let (Some(owner), Some(named)) = (edit.key.parts().next(), row.cell("servicenode")) else { return };
    if !changes_pool(edit) || after.has_node(owner) || template::is_template(named) {
        return;
    }
    let before = edit.before.as_ref().and_then(|row| row.cell("servicenode")).unwrap_or_default();
    let is_known = |sn: &str| super::split(before).any(|known| known == sn);
    check_service_nodes(after, owner, named, is_known, findings);
}

/// Scripts name service nodes before they define them, as xCAT lets them; until it is one, nobody
/// answers on the name's behalf. `snmove` moves no node to such a name.
fn check_service_nodes(
    after: &Model,
    owner: &str,
    named: &str,
    is_known: impl Fn(&str) -> bool,
    findings: &mut Findings,
) {
    let mut seen = BTreeSet::new();
    for sn in super::split(named) {
        if !seen.insert(sn) {
            findings.warn(Refusal::new(format!("servicenode={named} names {sn} twice")).about(owner));
        }
        if after.is_service_node(sn) || is_known(sn) {
            continue;
        }
        let refusal = Refusal::new(format!("servicenode={named}: {sn} is not a service node")).about(owner);
        findings.warn(if after.has_node(sn) {
            refusal.attempt(format!("chdef {sn} setupdhcp=1 setuptftp=1 setupnfs=1"))
        } else {
            let advice = format!("mn token create {sn} --define");
            refusal.because(format!("there is no node {sn}")).attempt(advice)
        });
    }
}
