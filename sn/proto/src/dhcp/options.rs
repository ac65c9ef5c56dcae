//! The options of an address, encoded once for each view and not for each packet.

use std::net::Ipv4Addr;

use common::slice::Net;
use dhcproto::v4::DhcpOption;
use hickory_proto::rr::Name;

use super::wire::{Reply, Wanted, encode};

/// What a client is told besides its address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts<'a> {
    pub(crate) lease_seconds: u32,
    pub(crate) router: Option<Ipv4Addr>,
    pub(crate) nameservers: &'a [Ipv4Addr],
    pub(crate) ntp: &'a [Ipv4Addr],
    pub(crate) log: Option<Ipv4Addr>,
    pub(crate) host: Option<&'a str>,
    pub(crate) domain: &'a str,
    pub(crate) mtu: Option<u16>,
}

/// Encoded options, the most important first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared {
    /// Lease time and T1 and T2: for a lease, not for DHCPINFORM (RFC 2131 §4.3.5).
    times: Box<[u8]>,
    /// The rest, one option behind the other.
    rest: Box<[u8]>,
}

impl Prepared {
    pub(crate) fn of(net: Net, facts: &Facts<'_>) -> Self {
        use DhcpOption as O;
        // T1 and T2 at a half and seven eighths, as RFC 2131 §4.4.5 has them.
        let lease = facts.lease_seconds.max(60);
        let times = [O::AddressLeaseTime(lease), O::Renewal(lease / 2), O::Rebinding(lease / 8 * 7)];
        let mut rest = vec![O::SubnetMask(net.netmask())];
        rest.extend(facts.router.map(|router| O::Router(vec![router])));
        if !facts.nameservers.is_empty() {
            rest.push(O::DomainNameServer(few(facts.nameservers)));
        }
        rest.extend(facts.host.map(|host| O::Hostname(host.to_owned())));
        if !facts.domain.is_empty() {
            rest.push(O::DomainName(facts.domain.to_owned()));
        }
        rest.push(O::BroadcastAddr(net.broadcast()));
        rest.extend(facts.mtu.map(O::InterfaceMtu));
        if !facts.ntp.is_empty() {
            rest.push(O::NtpServers(few(facts.ntp)));
        }
        rest.extend(facts.log.map(|log| O::LogServer(vec![log])));
        rest.extend(Name::from_ascii(facts.domain).ok().filter(|name| !name.is_root()).map(|mut name| {
            name.set_fqdn(true);
            O::DomainSearch(vec![name])
        }));
        Self { times: all(&times), rest: all(&rest) }
    }

    /// Puts the lease's times into an answer. They are always sent.
    pub(crate) fn put_times(&self, reply: &mut Reply) {
        reply.put_encoded(&self.times);
    }

    /// Puts into an answer what the client wants and what fits. The mask is always sent; a client
    /// that does not say what it wants gets everything.
    pub(crate) fn put_rest(&self, reply: &mut Reply, wanted: Option<&Wanted>) {
        let mut rest = &self.rest[..];
        while let [code, len, ..] = rest {
            let Some((option, after)) = rest.split_at_checked(usize::from(*len) + 2) else { return };
            if *code == 1 || wanted.is_none_or(|wanted| wanted.has(*code)) {
                reply.put_encoded(option);
            }
            rest = after;
        }
    }
}

/// More than eight servers help no client and push other options out.
fn few(addresses: &[Ipv4Addr]) -> Vec<Ipv4Addr> {
    addresses.iter().copied().take(8).collect()
}

fn all(options: &[DhcpOption]) -> Box<[u8]> {
    options.iter().filter_map(encode).flatten().collect()
}
