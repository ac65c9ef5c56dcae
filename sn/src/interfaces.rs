//! The IPv4 addresses of this machine, for the services and for the management node.
//!
//! Asked from the kernel each time (`getifaddrs`), which costs microseconds; who needs the list
//! often keeps it and asks again when an unknown interface appears, or every few seconds. There is
//! no subscription to the kernel's notices: a list that is a few seconds old is good enough here.

use std::io;
use std::net::Ipv4Addr;

use common::slice::Net;
use common::wire::push::InterfaceAddress;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};

/// An IPv4 address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// The interface, such as `eth0`.
    pub interface: String,
    /// The kernel's number of the interface, as packets name it.
    pub index: u32,
    /// The address itself, with the prefix of its network.
    pub net: Net,
    /// Whether only this machine reaches it.
    pub loopback: bool,
}

/// All IPv4 addresses of interfaces that are up, in the kernel's order, loopback included.
///
/// # Errors
/// When the kernel does not say.
pub fn list() -> io::Result<Vec<LocalAddress>> {
    let mut found = Vec::new();
    for one in getifaddrs()? {
        let Some(address) = one.address.as_ref().and_then(|a| a.as_sockaddr_in()).map(|a| a.ip()) else {
            continue;
        };
        if !one.flags.contains(InterfaceFlags::IFF_UP) {
            continue;
        }
        // A point-to-point interface may have no mask; then the address stands alone.
        let mask = one.netmask.as_ref().and_then(|m| m.as_sockaddr_in()).map(|m| m.ip());
        let prefix = mask.map_or(32, |mask| u32::from(mask).leading_ones());
        let prefix = u8::try_from(prefix).unwrap_or(32);
        let Ok(net) = Net::new(address, prefix) else { continue };
        // An interface may vanish between the two questions: it is not there, then.
        let Ok(index) = if_nametoindex(one.interface_name.as_str()) else { continue };
        let loopback = one.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        found.push(LocalAddress { interface: one.interface_name, index, net, loopback });
    }
    Ok(found)
}

/// The addresses as the management node is told them, sorted.
///
/// Loopback is left out, unless there is nothing else. A service node that is bound to one address
/// tells that one alone: several of them may share a machine.
///
/// # Errors
/// When the kernel does not say.
pub fn told(bind: Ipv4Addr) -> io::Result<Vec<InterfaceAddress>> {
    Ok(choose(list()?, bind))
}

fn choose(all: Vec<LocalAddress>, bind: Ipv4Addr) -> Vec<InterfaceAddress> {
    let alone = all.iter().all(|one| one.loopback);
    let mut told: Vec<_> = all
        .into_iter()
        .filter_map(|one| {
            let net = if bind.is_unspecified() {
                (alone || !one.loopback).then_some(one.net)
            } else {
                // All of 127.0.0.0/8 can be bound, though the kernel lists one address of it.
                let ours = one.net.addr() == bind || (one.loopback && one.net.contains(&bind));
                ours.then(|| Net::new(bind, one.net.prefix_len()).unwrap_or(one.net))
            };
            net.map(|address| InterfaceAddress { interface: one.interface, address })
        })
        .collect();
    told.sort();
    told.dedup();
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_listed_and_flagged() {
        let all = list().unwrap();
        let lo = all.iter().find(|one| one.net.addr().is_loopback()).unwrap();
        assert!(lo.loopback && lo.index > 0, "{lo:?}");
        assert_eq!(lo.net.prefix_len(), 8);
    }

    #[test]
    fn a_service_node_bound_to_one_address_tells_that_one() {
        let local = |interface: &str, net: &str, loopback| LocalAddress {
            interface: interface.to_owned(),
            index: 1,
            net: net.parse().unwrap(),
            loopback,
        };
        let all = vec![local("lo", "127.0.0.1/8", true), local("eth0", "10.0.0.5/24", false)];
        let texts = |bind: &str| {
            let told = choose(all.clone(), bind.parse().unwrap());
            told.iter().map(|one| format!("{} {}", one.interface, one.address)).collect::<Vec<_>>()
        };
        assert_eq!(texts("0.0.0.0"), ["eth0 10.0.0.5/24"]);
        assert_eq!(texts("127.0.0.9"), ["lo 127.0.0.9/8"]);
        assert_eq!(texts("10.0.0.5"), ["eth0 10.0.0.5/24"]);
    }
}
