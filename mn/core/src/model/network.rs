//! Rows of the table `networks`, as far as they can be read.
//!
//! Reading is lenient: a row without a name, an address or a mask is no network; anything else that
//! cannot be read is left out and named, for [`super::check`] to say.

use std::net::Ipv4Addr;

use common::id::NetworkName;
use ipnet::Ipv4Net;

use crate::table::{Row, TableId, schema};

pub(super) const TABLE: TableId = schema::NETWORKS;

/// What stands for "the server of the node".
const MASTER: &str = "<xcatmaster>";

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name (`netname`).
    pub name: NetworkName,
    /// Its address and prefix, without bits behind the prefix.
    pub net: Ipv4Net,
    /// The default gateway.
    pub gateway: Gateway,
    /// Addresses for strangers, first and last of each range.
    pub dynamic: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Name servers; empty for the site's.
    pub nameservers: Vec<Server>,
    /// Time servers; empty for the site's.
    pub ntp: Vec<Server>,
    /// Log servers; empty for the node's.
    pub logservers: Vec<Server>,
    /// Who serves the dynamic ranges.
    pub dhcpserver: Option<String>,
    /// The server of boot files; none for the node's.
    pub tftpserver: Option<Server>,
    /// The domain of names on it; none for the site's.
    pub domain: Option<String>,
    /// The largest packet.
    pub mtu: Option<u16>,
    /// The interface of the server on it.
    pub mgtifname: Option<String>,
}

/// The default gateway of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// There is none.
    None,
    /// This address.
    Addr(Ipv4Addr),
    /// The service node of each node.
    Master,
}

/// A server that nodes are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// The service node of each node.
    Master,
    /// This address.
    Addr(Ipv4Addr),
    /// The addresses of this name.
    Name(String),
}

/// A row that was read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) network: Network,
    /// Columns that could not be read, each with what is wrong.
    pub(super) wrong: Vec<(&'static str, String)>,
}

/// Reads a row; none where it is no network at all ([`missing`] says why).
pub(super) fn read(row: &Row) -> Option<Reading> {
    let name = row.cell("netname").map_or_else(|| default_name(row), |name| name.parse().ok())?;
    let mut wrong = Vec::new();
    let net = prefix(row)?;
    let gateway = match row.cell("gateway") {
        None => Gateway::None,
        Some(MASTER) => Gateway::Master,
        Some(text) => text.parse().map_or_else(
            |_| {
                wrong.push(("gateway", format!("{text:?} is neither an address nor {MASTER}")));
                Gateway::None
            },
            Gateway::Addr,
        ),
    };
    let dynamic = ranges(row.cell("dynamicrange").unwrap_or_default(), net, &mut wrong);
    let mtu = row.cell("mtu").and_then(|text| {
        let mtu = text.trim().parse().ok();
        if mtu.is_none() {
            wrong.push(("mtu", format!("{text:?} is not a size in bytes")));
        }
        mtu
    });
    let text = |column| row.cell(column).map(str::to_owned);
    let network = Network {
        name,
        net,
        gateway,
        dynamic,
        nameservers: servers(row.cell("nameservers")),
        ntp: servers(row.cell("ntpservers")),
        logservers: servers(row.cell("logservers")),
        dhcpserver: text("dhcpserver"),
        tftpserver: servers(row.cell("tftpserver")).into_iter().next(),
        domain: text("domain"),
        mtu,
        mgtifname: text("mgtifname"),
    };
    Some(Reading { network, wrong })
}

/// Why a row is no network; none where it is one.
pub(super) fn missing(row: &Row) -> Option<String> {
    let (net, mask) = (row.cell("net").unwrap_or_default(), row.cell("mask").unwrap_or_default());
    if net.parse::<Ipv4Addr>().is_err() {
        return Some(format!("net {net:?} is not an address"));
    }
    if prefix(row).is_none() {
        return Some(format!("mask {mask:?} is not a mask; write it as 255.255.255.0"));
    }
    let name = row.cell("netname")?;
    name.parse::<NetworkName>().err().map(|error| error.to_string())
}

/// Whether an address, or a network with its prefix, is of IPv6: such are defined in xCAT, and not
/// served here.
pub(crate) fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.trim().parse::<std::net::Ipv6Addr>().is_ok()
}

/// The name that xCAT gives to a network without one: its address and mask with `_` for the dots.
fn default_name(row: &Row) -> Option<NetworkName> {
    format!("{}-{}", row.cell("net")?, row.cell("mask")?).replace(['.', '/'], "_").parse().ok()
}

fn prefix(row: &Row) -> Option<Ipv4Net> {
    let net: Ipv4Addr = row.cell("net")?.trim().parse().ok()?;
    let mask = row.cell("mask")?.trim();
    let mask = mask.strip_prefix('/').unwrap_or(mask);
    let net = match mask.parse::<Ipv4Addr>() {
        Ok(mask) => Ipv4Net::with_netmask(net, mask).ok()?,
        Err(_) => Ipv4Net::new(net, mask.parse().ok()?).ok()?,
    };
    Some(net.trunc())
}

fn servers(text: Option<&str>) -> Vec<Server> {
    super::split(text.unwrap_or_default())
        .map(|server| match server {
            MASTER => Server::Master,
            text => text.parse().map_or_else(|_| Server::Name(text.to_owned()), Server::Addr),
        })
        .collect()
}

/// `A-B` with commas, semicolons or blanks between, or `net/prefix`.
fn ranges(text: &str, net: Ipv4Net, wrong: &mut Vec<(&'static str, String)>) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let mut found = Vec::new();
    for part in text.split([',', ';', ' ']).map(str::trim).filter(|part| !part.is_empty()) {
        let range = match part.split_once('-') {
            Some((first, last)) => first.trim().parse().ok().zip(last.trim().parse().ok()),
            None => part.parse::<Ipv4Net>().ok().map(|part| (part.network(), part.broadcast())),
        };
        match range {
            None => wrong.push(("dynamicrange", format!("{part:?} is not a range; write it as A-B"))),
            Some((first, last)) if first > last => {
                wrong.push(("dynamicrange", format!("{part:?} ends before it begins")));
            }
            Some((first, last)) if !net.contains(&first) || !net.contains(&last) => {
                wrong.push(("dynamicrange", format!("{part:?} is not within {net}")));
            }
            Some(range) => found.push(range),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[(&str, &str)]) -> Row {
        let base = [("netname", "mgt"), ("net", "10.0.0.0"), ("mask", "255.255.0.0")];
        base.into_iter().chain(cells.iter().copied()).collect()
    }

    #[test]
    fn a_network_is_read_with_its_keywords() {
        let found = read(&row(&[
            ("gateway", "<xcatmaster>"),
            ("dynamicrange", "10.0.1.1-10.0.1.9,10.0.2.1-10.0.2.9"),
            ("nameservers", "<xcatmaster>,10.0.0.2,ns1"),
            ("mtu", "9000"),
        ]))
        .unwrap();
        assert!(found.wrong.is_empty());
        let network = found.network;
        assert_eq!((network.gateway, network.mtu, network.dynamic.len()), (Gateway::Master, Some(9000), 2));
        let want = [Server::Master, Server::Addr([10, 0, 0, 2].into()), Server::Name("ns1".to_owned())];
        assert_eq!(network.nameservers, want);
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_named() {
        let found = read(&row(&[
            ("gateway", "router"),
            ("dynamicrange", "10.0.1.9-10.0.1.1 10.9.0.1-10.9.0.2 x"),
            ("mtu", "big"),
        ]))
        .unwrap();
        let columns: Vec<_> = found.wrong.iter().map(|(column, _)| *column).collect();
        assert_eq!(columns, ["gateway", "dynamicrange", "dynamicrange", "dynamicrange", "mtu"]);
        assert!(found.network.dynamic.is_empty());
    }

    #[test]
    fn a_row_without_a_mask_is_no_network() {
        let bad = row(&[("mask", "255.0.255.0")]);
        assert!(read(&bad).is_none());
        assert_eq!(missing(&bad).unwrap(), "mask \"255.0.255.0\" is not a mask; write it as 255.255.255.0");
        assert!(read(&row(&[("mask", "/16")])).is_some_and(|found| found.network.net.prefix_len() == 16));
    }
}
