//! The site that the benchmark works on, as stanza files: realistic in what is written once for a
//! group and what each node has of its own.
//!
//! A node has its groups and its hardware address; its address, service nodes and way to boot come
//! from its groups, the address by a template. [`own`] is the other shape, in which each node has
//! everything itself: the one that xCAT was measured with.

use std::fmt::Write as _;

/// The first line of a stanza file.
const HEADER: &str = "# <xCAT data object stanza file>\n\n";

/// How many nodes one service node has.
const NODES_A_SERVICE_NODE: usize = 250;

/// How large the site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Compute nodes.
    pub nodes: usize,
    /// Groups.
    pub groups: usize,
}

impl Size {
    /// How many service nodes there are.
    pub(super) const fn service_nodes(self) -> usize {
        let count = self.nodes.div_ceil(NODES_A_SERVICE_NODE);
        if count < 2 { 2 } else { count }
    }

    /// Of ten groups, eight are racks, one is a row of racks, one is a partition of users.
    const fn racks(self) -> usize {
        let count = self.groups * 8 / 10;
        if count == 0 { 1 } else { count }
    }

    const fn rows(self) -> usize {
        let count = self.groups / 10;
        if count == 0 { 1 } else { count }
    }
}

/// The name of a node, of numbers from 1.
pub(super) fn node(number: usize) -> String {
    format!("n{number:06}")
}

/// What stands before nodes: the network, the image, the service nodes and the groups.
pub(super) fn ground(size: Size) -> String {
    let mut text = HEADER.to_owned();
    text.push_str(
        "benchnet:\n    objtype=network\n    net=10.64.0.0\n    mask=255.192.0.0\n    gateway=<xcatmaster>\n\n\
         compute:\n    objtype=group\n    netboot=xnba\n    profile=compute\n    arch=x86_64\n    os=debian12\n    \
         postscripts=syslog,setupntp\n    \
         ip=|n(\\d+)|10.(64+($1/65536)).(($1/256)%256).($1%256)|\n\n\
         service:\n    objtype=group\n    setupdhcp=1\n    setuptftp=1\n    setupnfs=1\n    setupnameserver=1\n\n",
    );
    for sn in 1..=size.service_nodes() {
        let (high, low) = (sn / 250, sn % 250 + 1);
        let _ = write!(
            text,
            "{}:\n    objtype=node\n    groups=service,all\n    ip=10.127.{high}.{low}\n\n",
            service_node(sn)
        );
    }
    for rack in 0..size.racks() {
        let first = rack * size.service_nodes() / size.racks();
        let second = (first + 1) % size.service_nodes();
        let _ = write!(
            text,
            "rack{rack:04}:\n    objtype=group\n    servicenode={},{}\n\n",
            service_node(first + 1),
            service_node(second + 1)
        );
    }
    text
}

/// The nodes, each with its groups and its hardware address.
pub(super) fn nodes(size: Size) -> String {
    let mut text = HEADER.to_owned();
    let (racks, rows) = (size.racks(), size.rows());
    for number in 1..=size.nodes {
        let rack = (number - 1) * racks / size.nodes;
        let (row, part) = (rack * rows / racks, number % rows);
        let _ = write!(
            text,
            "{}:\n    objtype=node\n    groups=rack{rack:04},row{row:03},part{part:03},compute,all\n    mac={}\n\n",
            node(number),
            mac(number)
        );
    }
    text
}

/// What stands before [`own`] nodes: two service nodes, the network and the image.
pub(super) fn own_ground() -> String {
    let mut text = HEADER.to_owned();
    for (sn, last) in [("sn1", 1), ("sn2", 2)] {
        let _ = write!(
            text,
            "{sn}:\n    objtype=node\n    groups=service,all\n    ip=10.127.0.{last}\n    setupdhcp=1\n    setuptftp=1\n    setupnfs=1\n\n"
        );
    }
    text.push_str("benchnet:\n    objtype=network\n    net=10.64.0.0\n    mask=255.192.0.0\n\n");
    text.push_str(
        "demo:\n    objtype=osimage\n    imagetype=linux\n    provmethod=netboot\n    osvers=debian12\n    \
         osarch=x86_64\n    profile=compute\n",
    );
    text
}

/// The shape that xCAT was measured with: each node has everything itself. A hundred are a rack.
pub(super) fn own(nodes: usize) -> String {
    let mut text = HEADER.to_owned();
    for number in 1..=nodes {
        let rack = number.div_ceil(100);
        let (a, b) = (number / 250, number % 250 + 1);
        let _ = write!(
            text,
            "n{number:04}:\n    objtype=node\n    groups=rack{rack:03},compute,all\n    ip=10.64.{a}.{b}\n    mac={}\n    \
             netboot=xnba\n    servicenode=sn1,sn2\n    postscripts=syslog,setupntp\n\n",
            mac(number)
        );
    }
    text
}

/// The name of a service node, of numbers from 1.
fn service_node(number: usize) -> String {
    format!("sn{number:03}")
}

fn mac(number: usize) -> String {
    let [.., a, b, c] = number.to_be_bytes();
    format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")
}
