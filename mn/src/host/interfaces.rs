//! The IPv4 networks that this machine is on: its interfaces, and the default gateway of each.

use std::io;
use std::net::Ipv4Addr;

use common::slice::Net;
use mn_core::change::networks::Found;

/// The networks of this machine, under the name by which it is known; loopback left out, each
/// network once.
///
/// # Errors
/// When the interfaces cannot be listed.
pub(crate) fn found(host: &str) -> io::Result<Vec<Found>> {
    let gateways = default_gateways(&std::fs::read_to_string("/proc/net/route").unwrap_or_default());
    let mut found: Vec<Found> = Vec::new();
    for one in nix::ifaddrs::getifaddrs().map_err(io::Error::from)? {
        let address = one.address.as_ref().and_then(|address| address.as_sockaddr_in().map(|v4| v4.ip()));
        let mask = one.netmask.as_ref().and_then(|mask| mask.as_sockaddr_in().map(|v4| v4.ip()));
        let (Some(address), Some(mask)) = (address, mask) else { continue };
        let Ok(net) = Net::with_netmask(address, mask) else { continue };
        // An address of its own (a /32) is no network with nodes in it.
        let counts = !address.is_loopback() && net.prefix_len() < 31;
        if counts && !found.iter().any(|known| known.address.trunc() == net.trunc()) {
            let mtu = std::fs::read_to_string(format!("/sys/class/net/{}/mtu", one.interface_name));
            found.push(Found {
                host: host.to_owned(),
                address: net,
                gateway: gateways.iter().copied().find(|gateway| net.contains(gateway)),
                mtu: mtu.ok().and_then(|mtu| mtu.trim().parse().ok()),
                interface: one.interface_name,
            });
        }
    }
    Ok(found)
}

/// The gateways of default routes, as `/proc/net/route` has them: addresses in hexadecimal, in the
/// machine's own order of bytes.
fn default_gateways(routes: &str) -> Vec<Ipv4Addr> {
    let address = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::to_ne_bytes).map(Ipv4Addr::from);
    let gateway = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (destination, gateway) = (address(words.next()?)?, address(words.next()?)?);
        (destination.is_unspecified() && !gateway.is_unspecified()).then_some(gateway)
    };
    routes.lines().skip(1).filter_map(gateway).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_default_gateway_is_read_from_the_kernels_table() {
        let routes = "Iface\tDestination\tGateway \tFlags\n\
            eth0\t00000000\tFE00050A\t0003\t0\t0\t0\t00000000\n\
            eth0\t0000050A\t00000000\t0001\t0\t0\t0\t0000FFFF\n\
            junk\n\
            ppp0\t00000000\t00000000\t0001\n";
        assert_eq!(default_gateways(routes), [Ipv4Addr::new(10, 5, 0, 254)]);
    }
}
