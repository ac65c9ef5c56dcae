//! The slice as answers that are encoded already, found by name.
//!
//! Which names there are:
//! - A node's name, with every address of its interfaces that carry its name, or its first address
//!   where none does. An interface's own name (`mac=A!host`) has that interface's address.
//! - A host's name and its aliases. An alias has the addresses themselves and not a CNAME: one
//!   packet less for the client, and what moves with a host moves at once anyway.
//! - Each name stands in its node's domain (a host's in the site's), and with those addresses that
//!   are in a network with another domain, there too. The first of these is what the address is
//!   called in return. A name that ends in one of the domains is taken as whole.
//! - The bare name, without a domain, for resolvers without a search list. It is answered, but
//!   nothing below it: a node named `dev` must not hide the whole top-level domain. The same holds
//!   for a dotted name such as `w1.dom` where `dom` is none of our domains.
//! - `A.B.C.D` in reverse for every address with a name, whether or not in a network of ours.
//!
//! Reverse zones end at whole octets: a /22 is four zones. Of a network smaller than a /24 only
//! its own addresses are ours; the rest of the zone is somebody else's and is forwarded.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use common::slice::{Net, Slice};

use super::build;
use super::name::{ancestors, reversed_address};

/// How long a client may keep a record, in seconds. A name changes only when an administrator
/// changes it, and then within minutes for everybody.
pub(super) const TTL: u32 = 300;

/// How long a client may keep the SOA, and with it (RFC 2308 §5) that a name is not there: a node
/// that was just defined should be found soon.
pub(super) const SOA_TTL: u32 = 60;

/// Everything that DNS answers from; built once a generation and then only read.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub(super) on: bool,
    pub(super) names: HashMap<Box<[u8]>, Records>,
    pub(super) zones: HashMap<Box<[u8]>, Zone>,
    /// The name of this service node, in wire form with its length in two bytes before it.
    pub(super) server: Box<[u8]>,
    /// The data of every zone's SOA record, with its length in two bytes before it.
    pub(super) soa: Box<[u8]>,
    pub(super) networks: Vec<Net>,
    pub(super) forwarders: Vec<IpAddr>,
}

/// What a name has. All of it begins with a pointer to the question's name as the owner.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    /// The length of its zone's name; the zone's name is the end of this name.
    pub(super) apex: usize,
    /// A records, [`Records::ADDRESS`] bytes each.
    pub(super) addresses: Box<[u8]>,
    /// A PTR record.
    pub(super) pointer: Option<Box<[u8]>>,
}

impl Records {
    /// The length of an encoded A record: owner, type, class, time to live, length, address.
    pub(super) const ADDRESS: usize = 2 + 2 + 2 + 4 + 2 + 4;

    /// How many addresses there are.
    pub(super) const fn count(&self) -> usize {
        self.addresses.len() / Self::ADDRESS
    }
}

/// A zone of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// All below it is ours.
    Whole,
    /// A reverse zone of which only these networks' addresses are ours.
    Part(Vec<Net>),
}

impl Zone {
    /// Whether `name`, at or below this zone's own name `apex`, is ours.
    fn holds(&self, name: &[u8], apex: &[u8]) -> bool {
        match self {
            Self::Whole => true,
            Self::Part(nets) => {
                let ours = |address| nets.iter().any(|net| net.contains(&address));
                name.len() == apex.len() || reversed_address(name).is_some_and(ours)
            }
        }
    }
}

/// What is known of a name.
pub(super) enum Found<'v> {
    /// It is there, perhaps only as the parent of others.
    Records(&'v Records),
    /// It is not, and it would be in our zone whose name has `apex` bytes.
    Missing {
        /// The length of the zone's name.
        apex: usize,
    },
    /// It is in no zone of ours.
    Foreign,
}

impl View {
    /// Indexes a slice.
    ///
    /// # Errors
    /// Every name that cannot be one in DNS, each with the entry it is from.
    pub fn build(slice: &Slice) -> Result<Self, Vec<String>> {
        build::view(slice)
    }

    /// Whether DNS is served at all (`servicenode.nameserver`).
    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// Where questions that are not ours go, in the site's order and without this service node
    /// itself, which would only ask itself again.
    pub fn forwarders(&self) -> &[IpAddr] {
        &self.forwarders
    }

    /// Whether this client's other questions are forwarded: it is on a network of the slice or on
    /// this machine, and there is a forwarder. For anyone else this is no open resolver.
    pub fn forwards_for(&self, client: Ipv4Addr) -> bool {
        !self.forwarders.is_empty()
            && (client.is_loopback() || self.networks.iter().any(|net| net.contains(&client)))
    }

    /// Looks a name up, in lower case and wire form.
    pub(super) fn find(&self, name: &[u8]) -> Found<'_> {
        if let Some(records) = self.names.get(name) {
            return Found::Records(records);
        }
        self.zone_of(name).map_or(Found::Foreign, |apex| Found::Missing { apex })
    }

    /// The length of the name of the zone of ours that `name` is in.
    pub(super) fn zone_of(&self, name: &[u8]) -> Option<usize> {
        ancestors(name)
            .find(|at| self.zones.get(*at).is_some_and(|zone| zone.holds(name, at)))
            .map(<[u8]>::len)
    }

    pub(super) fn soa(&self) -> &[u8] {
        &self.soa
    }

    /// This service node's name as the data of an NS record, and what is known of it.
    pub(super) fn server(&self) -> (&[u8], Option<&Records>) {
        let name = self.server.get(2..).unwrap_or_default().to_ascii_lowercase();
        (&self.server, self.names.get(name.as_slice()))
    }
}
