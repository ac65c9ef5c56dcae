//! One DHCP server: requests in, answers out.
//!
//! [`Machine::handle`] takes every event; there is nothing to call in an order. The machine holds
//! the view, the machine's own addresses and the strangers' leases; no socket, file or clock.
//!
//! **Invariant**: a [`Action::Keep`] stands before the answer that relies on it.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use common::id::{MacAddr, NodeName};
use common::slice::Net;

use super::lease::{Lease, Table};
use super::stranger::Acquaintances;
use super::view::{Claim, Subnet, View};
use super::wire::{MessageType, Reply, Request};
use super::{node, stranger};

/// Something happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A datagram came.
    Packet(Packet<'a>),
    /// There is a newer view.
    View(Arc<View>),
    /// These are the addresses of the machine.
    Addresses(Vec<Address>),
}

/// A datagram and how it came.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its destination address.
    pub to: Ipv4Addr,
    /// The number of the interface that it came in on.
    pub interface: u32,
}

/// An address of the machine on which DHCP is to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface's name.
    pub interface: String,
    /// The interface's number.
    pub index: u32,
    /// The address and its network.
    pub net: Net,
}

/// Something to do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Write this down and have it on the disk before going on.
    Keep(Lease),
    /// Send an answer.
    Send(Datagram),
    /// A line for the log.
    Note(Note),
}

/// An answer and its way.
#[derive(Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Where it goes.
    pub to: SocketAddrV4,
    /// The address of ours that it leaves from.
    pub source: Ipv4Addr,
    /// The interface that it leaves through; none when the routing table knows best.
    pub interface: Option<u32>,
}

/// What happened to a request, for counters and the log. All but [`Note::Conflict`] are for
/// `debug`: any stranger can cause them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A node or stranger was answered.
    Answered(MessageType, MacAddr, Ipv4Addr),
    /// Nothing was said, and why.
    Silent(Silence, Option<MacAddr>),
    /// A node found its reserved address in use by something else.
    Conflict(NodeName, MacAddr, Ipv4Addr),
}

/// Why nothing was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Silence {
    /// The service is off, or not on this interface.
    Off,
    /// Not a DHCP request.
    Malformed,
    /// No network that is served.
    Network,
    /// A node that is not ours to answer, or has no address here.
    NotOurs,
    /// A node that is offline.
    Offline,
    /// The client has chosen another server.
    OtherServer,
    /// Nothing is known of the client, and it gets no address or has to ask once more.
    Stranger,
    /// All addresses for strangers are taken.
    Full,
    /// A message that needs no answer.
    Heard,
}

/// The ports that answers go to.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Relays (67).
    pub server: u16,
    /// Clients (68).
    pub client: u16,
}

/// A DHCP server without its socket.
#[derive(Debug)]
pub struct Machine {
    view: Arc<View>,
    addresses: Vec<Address>,
    ports: Ports,
    leases: Table,
    acquaintances: Acquaintances,
}

/// Where a request came from, and what that makes of it.
pub(super) struct Place<'a> {
    /// The network on which the client is.
    pub(super) subnets: Vec<&'a Subnet>,
    /// Our address there, which identifies us.
    pub(super) server: Ipv4Addr,
    /// Whether the client's message says that it chose us.
    pub(super) chosen: bool,
    interface: u32,
}

impl Machine {
    /// A server that knows the leases of an earlier run and nothing else yet.
    pub fn new(ports: Ports, leases: Table) -> Self {
        Self {
            view: Arc::default(),
            addresses: Vec::new(),
            ports,
            leases,
            acquaintances: Acquaintances::default(),
        }
    }

    /// The strangers' leases, to be written anew.
    pub fn leases(&self) -> &Table {
        &self.leases
    }

    /// Whether an interface is among the addresses. If not, they are to be asked for anew before
    /// its packet is handled: it may have come up a moment ago.
    pub fn knows(&self, interface: u32) -> bool {
        self.addresses.iter().any(|address| address.index == interface)
    }

    /// Takes an event and appends what to do. `now` is in seconds since 1970.
    pub fn handle(&mut self, now: u64, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::View(view) => self.view = view,
            Event::Addresses(addresses) => self.addresses = addresses,
            Event::Packet(packet) => {
                if let Err((why, mac)) = self.packet(now, &packet, actions) {
                    actions.push(Action::Note(Note::Silent(why, mac)));
                }
            }
        }
    }

    fn packet(
        &mut self,
        now: u64,
        packet: &Packet<'_>,
        actions: &mut Vec<Action>,
    ) -> Result<(), (Silence, Option<MacAddr>)> {
        let view = Arc::clone(&self.view);
        if !view.on {
            return Err((Silence::Off, None));
        }
        let request = Request::decode(packet.bytes).map_err(|_| (Silence::Malformed, None))?;
        let silent = |why| (why, Some(request.mac));
        let place = self.place(&view, packet, &request).map_err(silent)?;
        let Some(claims) = view.claims(request.mac) else {
            let mut desk = stranger::Desk {
                view: &view,
                leases: &mut self.leases,
                acquaintances: &mut self.acquaintances,
                now,
            };
            let verdict = desk.decide(&request, &place).map_err(silent)?;
            if let Some(lease) = verdict.keep {
                actions.push(Action::Keep(lease));
            }
            return self.send(&request, &place, verdict.answer, actions).map_err(silent);
        };
        let reservation = claims.iter().find_map(|claim| match claim {
            Claim::Reserved(one) if place.subnets.iter().any(|subnet| subnet.net.contains(&one.ip)) => {
                Some(one)
            }
            Claim::Reserved(_) | Claim::Silent => None,
        });
        let reservation = reservation.ok_or_else(|| silent(Silence::NotOurs))?;
        if request.kind == MessageType::Decline && place.chosen {
            let name = reservation.node.name.clone();
            actions.push(Action::Note(Note::Conflict(name, request.mac, reservation.ip)));
        }
        let answer = node::decide(&request, &place, reservation).map_err(silent)?;
        self.send(&request, &place, Some(answer), actions).map_err(silent)
    }

    /// On which network the client is, and as whom we speak to it there.
    fn place<'v>(
        &self,
        view: &'v View,
        packet: &Packet<'_>,
        request: &Request,
    ) -> Result<Place<'v>, Silence> {
        let relayed = !request.giaddr.is_unspecified();
        let local: Vec<&Address> =
            self.addresses.iter().filter(|one| one.index == packet.interface).collect();
        let Some(first) = local.first() else { return Err(Silence::Network) };
        if !view.serves(&first.interface, relayed) {
            return Err(Silence::Off);
        }
        let asked = self.addresses.iter().any(|one| one.net.addr() == packet.to);
        let unicast = asked || packet.to.is_loopback();
        // A relay says where the client is; a client that renews says it with its address, and may
        // come through a router; the rest are on the interface's own wire.
        let named = match (relayed, unicast && !request.ciaddr.is_unspecified()) {
            (true, _) => Some(request.link().unwrap_or(request.giaddr)),
            (false, true) => Some(request.ciaddr),
            (false, false) => None,
        };
        let subnets: Vec<&Subnet> = match named {
            Some(address) => view.subnet_of(address).into_iter().collect(),
            None => local.iter().filter_map(|one| view.subnet_of(one.net.addr())).collect(),
        };
        let subnet = subnets.first().ok_or(Silence::Network)?;
        let on_wire = || local.iter().map(|one| one.net.addr());
        let server = if unicast {
            packet.to
        } else {
            let known = subnet.server.filter(|server| on_wire().any(|one| one == *server));
            let near = || on_wire().find(|one| subnet.net.contains(one));
            known.or_else(near).unwrap_or_else(|| first.net.addr())
        };
        let ours = |chosen| chosen == server || self.addresses.iter().any(|one| one.net.addr() == chosen);
        let chosen = request.server.is_some_and(ours);
        Ok(Place { server, chosen, interface: packet.interface, subnets })
    }

    fn send(
        &self,
        request: &Request,
        place: &Place<'_>,
        answer: Option<Answer>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Silence> {
        let answer = answer.ok_or(Silence::Heard)?;
        let relayed = !request.giaddr.is_unspecified();
        let mut reply = answer.reply;
        let to = if relayed {
            if answer.kind == MessageType::Nak {
                // RFC 2131 §4.3.2: the client may not be reachable at the address that it has.
                reply.set_broadcast();
            }
            SocketAddrV4::new(request.giaddr, self.ports.server)
        } else if !request.ciaddr.is_unspecified() && answer.kind != MessageType::Nak {
            SocketAddrV4::new(request.ciaddr, self.ports.client)
        } else {
            // The client does not answer ARP yet, so unicast to it would need a raw frame. All
            // clients take a broadcast, asked for or not (docs/decisions/0009-dhcp-replies-broadcast.md).
            SocketAddrV4::new(Ipv4Addr::BROADCAST, self.ports.client)
        };
        let interface = (*to.ip() == Ipv4Addr::BROADCAST).then_some(place.interface);
        let bytes = reply.finish(request);
        actions.push(Action::Send(Datagram { bytes, to, source: place.server, interface }));
        actions.push(Action::Note(Note::Answered(answer.kind, request.mac, answer.ip)));
        Ok(())
    }
}

/// An answer before it is sent.
pub(super) struct Answer {
    pub(super) kind: MessageType,
    pub(super) ip: Ipv4Addr,
    pub(super) reply: Reply,
}

impl Answer {
    /// "You may not have that."
    pub(super) fn refusal(request: &Request, place: &Place<'_>) -> Self {
        let mut reply = Reply::new(request, MessageType::Nak, place.server);
        reply.put(56, b"not your address");
        Self { kind: MessageType::Nak, ip: Ipv4Addr::UNSPECIFIED, reply }
    }
}
