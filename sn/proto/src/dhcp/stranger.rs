//! What a client is answered that is no node of the slice.
//!
//! It gets an address only where the network has ranges for strangers. Such a client may well be
//! a node of another service node on the same wire, about which this slice says nothing. So a
//! stranger's first DHCPDISCOVER is only remembered: by the time it asks again, its owner has
//! answered and it has gone there; and a stranger that was heard to choose another server is left
//! to that one. What it asks this server by name, or about its own lease, is answered at once.
//!
//! **Invariant**: nothing is refused (NAK) to a stranger that did not name this server or one of
//! its leases.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use common::id::MacAddr;

use super::lease::{Hold, Lease, OFFER_SECONDS, QUARANTINE_SECONDS, Table};
use super::machine::{Answer, Place, Silence};
use super::view::{Subnet, View};
use super::wire::{MessageType, Reply, Request};

/// How long a stranger that said nothing is remembered, in seconds. Clients wait up to 64 seconds
/// between two tries (RFC 2131 §4.1).
const REMEMBERED_SECONDS: u64 = 180;
/// How long a stranger is left to the server it chose, in seconds.
const LEFT_ALONE_SECONDS: u64 = 600;
/// How many strangers are remembered. Beyond that the oldest are forgotten, which costs them one
/// more try: a flood of made-up addresses must not cost memory.
const MOST_REMEMBERED: usize = 4_096;

/// Strangers that were heard lately.
#[derive(Debug, Default)]
pub(super) struct Acquaintances {
    heard: HashMap<MacAddr, Heard>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    at: u64,
    chose_another: bool,
}

impl Acquaintances {
    /// Whether the stranger's DHCPDISCOVER is to be answered. It is noted.
    fn may_be_answered(&mut self, mac: MacAddr, now: u64) -> bool {
        // The wall clock may have been set back: what was heard in the future is forgotten.
        let heard = self.heard.get(&mac).filter(|heard| heard.at <= now);
        match heard.map(|heard| (now - heard.at, heard.chose_another)) {
            Some((ago, true)) if ago < LEFT_ALONE_SECONDS => false,
            // At least one second: firmware repeats itself within milliseconds at times.
            Some((ago, false)) if ago <= REMEMBERED_SECONDS => ago > 0,
            _ => {
                self.note(mac, Heard { at: now, chose_another: false });
                false
            }
        }
    }

    fn note(&mut self, mac: MacAddr, heard: Heard) {
        if self.heard.len() >= MOST_REMEMBERED && !self.heard.contains_key(&mac) {
            let newest = heard.at;
            self.heard.retain(|_, old| newest.saturating_sub(old.at) < REMEMBERED_SECONDS / 2);
            if self.heard.len() >= MOST_REMEMBERED {
                self.heard.clear();
            }
        }
        self.heard.insert(mac, heard);
    }
}

/// What is needed to decide about a stranger.
pub(super) struct Desk<'a> {
    pub(super) view: &'a View,
    pub(super) leases: &'a mut Table,
    pub(super) acquaintances: &'a mut Acquaintances,
    pub(super) now: u64,
}

/// What a stranger gets.
#[derive(Default)]
pub(super) struct Verdict {
    /// To be on disk before the answer leaves.
    pub(super) keep: Option<Lease>,
    pub(super) answer: Option<Answer>,
}

impl Desk<'_> {
    pub(super) fn decide(&mut self, request: &Request, place: &Place<'_>) -> Result<Verdict, Silence> {
        if request.server.is_some() && !place.chosen {
            let heard = Heard { at: self.now, chose_another: true };
            self.acquaintances.note(request.mac, heard);
            return Err(Silence::OtherServer);
        }
        let subnet = place.subnets.iter().find(|subnet| !subnet.dynamic.is_empty());
        let subnet = *subnet.ok_or(Silence::Stranger)?;
        match request.kind {
            MessageType::Discover => self.discover(request, place, subnet),
            MessageType::Request => self.request(request, place, subnet),
            MessageType::Release => self.release(request),
            MessageType::Decline => self.decline(request),
            MessageType::Inform => {
                let reply = reply(MessageType::Ack, request, place, subnet, None);
                Ok(Verdict { keep: None, answer: Some(reply) })
            }
            _ => Err(Silence::Heard),
        }
    }

    fn discover(
        &mut self,
        request: &Request,
        place: &Place<'_>,
        subnet: &Subnet,
    ) -> Result<Verdict, Silence> {
        let (mac, now) = (request.mac, self.now);
        // Even one with a lease here: it may have become another service node's node since.
        if !self.acquaintances.may_be_answered(mac, now) {
            return Err(Silence::Stranger);
        }
        let usable = |ip| self.may_be_used(subnet, place, ip);
        let ip = self.leases.choose(mac, request.requested, &subnet.dynamic, now, usable);
        let ip = ip.ok_or(Silence::Full)?;
        // What is leased stays so: an offer must not shorten it.
        if !self.leases.of(mac).is_some_and(|lease| lease.ip == ip && lease.hold == Hold::Leased) {
            self.leases.put(Lease { ip, mac, hold: Hold::Offered, until: now + OFFER_SECONDS });
        }
        let reply = reply(MessageType::Offer, request, place, subnet, Some(ip));
        Ok(Verdict { keep: None, answer: Some(reply) })
    }

    fn request(&mut self, request: &Request, place: &Place<'_>, subnet: &Subnet) -> Result<Verdict, Silence> {
        let (mac, now) = (request.mac, self.now);
        let ip = request.requested.unwrap_or(request.ciaddr);
        let own = self.leases.of(mac).is_some_and(|lease| lease.ip == ip);
        let usable = self.may_be_used(subnet, place, ip) && self.leases.may_have(mac, ip, now);
        // Who names this server gets an answer; so does who asks for what the table says is its
        // own, offered or leased. All others may be somebody else's clients.
        if !own && !place.chosen {
            return Err(Silence::Stranger);
        }
        if !usable {
            return Ok(Verdict { keep: None, answer: Some(Answer::refusal(request, place)) });
        }
        let until = now.saturating_add(u64::from(subnet.lease_seconds));
        let lease = Lease { ip, mac, hold: Hold::Leased, until };
        self.leases.put(lease);
        let reply = reply(MessageType::Ack, request, place, subnet, Some(ip));
        Ok(Verdict { keep: Some(lease), answer: Some(reply) })
    }

    fn release(&mut self, request: &Request) -> Result<Verdict, Silence> {
        let lease = self.leases.of(request.mac).copied();
        let lease = lease.filter(|lease| lease.ip == request.ciaddr).ok_or(Silence::Heard)?;
        let freed = Lease { hold: Hold::Free, until: self.now, ..lease };
        self.leases.put(freed);
        Ok(Verdict { keep: Some(freed), answer: None })
    }

    /// Only its own address: otherwise one stranger could put a whole range out of use.
    fn decline(&mut self, request: &Request) -> Result<Verdict, Silence> {
        let lease = self.leases.of(request.mac).copied();
        let lease = lease.filter(|lease| Some(lease.ip) == request.requested).ok_or(Silence::Heard)?;
        let until = self.now.saturating_add(QUARANTINE_SECONDS);
        let declined = Lease { hold: Hold::Declined, until, ..lease };
        self.leases.put(declined);
        Ok(Verdict { keep: Some(declined), answer: None })
    }

    fn may_be_used(&self, subnet: &Subnet, place: &Place<'_>, ip: Ipv4Addr) -> bool {
        subnet.is_dynamic(ip) && ip != place.server && !self.view.is_reserved(ip)
    }
}

fn reply(
    kind: MessageType,
    request: &Request,
    place: &Place<'_>,
    subnet: &Subnet,
    ip: Option<Ipv4Addr>,
) -> Answer {
    let mut reply = Reply::new(request, kind, place.server);
    reply.set_next_server(place.server);
    if let Some(ip) = ip {
        reply.set_yours(ip);
        subnet.options.put_times(&mut reply);
    }
    if kind == MessageType::Ack {
        reply.set_client(request.ciaddr);
    }
    subnet.options.put_rest(&mut reply, request.wanted.as_ref());
    Answer { kind, ip: ip.unwrap_or(request.ciaddr), reply }
}
