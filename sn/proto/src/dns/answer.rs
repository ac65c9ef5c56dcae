//! A packet in, a verdict out.
//!
//! What is refused and how: less than a header or a response, silence; an opcode other than
//! QUERY, NOTIMP; what cannot be read, FORMERR; EDNS above version 0, BADVERS; a class other than
//! IN, a zone transfer and a question that is not ours from whom we do not forward, REFUSED.

use std::net::Ipv4Addr;

use super::view::{Found, Records, SOA_TTL, View};
use super::wire::{CLASS_IN, Code, HEADER, Header, Query, Reply, Section, kind};

/// The longest answer by UDP and what our OPT record promises: fits into one frame of every
/// network, tunnels included (the DNS flag day of 2020).
pub(super) const UDP_LIMIT: u16 = 1232;

/// The longest answer by UDP to a client without EDNS (RFC 1035 §4.2.1).
const PLAIN_LIMIT: u16 = 512;

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One packet; the answer is bounded by what the client takes.
    Udp,
    /// A stream; the answer is bounded by its 16-bit length.
    Tcp,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These bytes are sent back.
    Reply(Vec<u8>),
    /// The question goes to a forwarder; what comes back is cut to `limit` bytes.
    Forward {
        /// The longest reply that the client takes.
        limit: u16,
    },
    /// Nothing is sent.
    Drop,
}

/// Decides on a packet from `client`.
pub fn answer(view: &View, packet: &[u8], client: Ipv4Addr, transport: Transport) -> Verdict {
    let Some(header) = Header::read(packet).filter(|header| view.is_on() && !header.is_response()) else {
        return Verdict::Drop;
    };
    if !header.is_query() {
        return Verdict::Reply(Reply::bare(header, Code::NotImp));
    }
    let Some(query) = Query::read(header, packet) else {
        return Verdict::Reply(Reply::bare(header, Code::FormErr));
    };
    let limit = limit(&query, transport);
    let forwards = view.forwards_for(client);
    let empty = |code| {
        let reply = Reply::new(&query, code, usize::from(limit)).recursion(forwards);
        Verdict::Reply(reply.finish(&query, code))
    };
    if query.edns.is_some_and(|edns| edns.version > 0) {
        return empty(Code::BadVers);
    }
    // TKEY to AXFR are requests to the server itself; of these, nothing is offered here.
    if query.class != CLASS_IN || query.kind == kind::OPT || (kind::TKEY..=kind::AXFR).contains(&query.kind) {
        return empty(Code::Refused);
    }
    let reply = |code| Reply::new(&query, code, usize::from(limit)).authoritative().recursion(forwards);
    match view.find(query.name.as_bytes()) {
        Found::Records(records) => {
            let mut reply = reply(Code::NoError);
            put_records(&mut reply, view, records, &query);
            Verdict::Reply(reply.finish(&query, Code::NoError))
        }
        Found::Missing { apex } => {
            let mut reply = reply(Code::NxDomain);
            put_soa(&mut reply, Section::Authority, view, &query, apex);
            Verdict::Reply(reply.finish(&query, Code::NxDomain))
        }
        Found::Foreign if forwards && header.recursion_desired() => Verdict::Forward { limit },
        Found::Foreign => empty(Code::Refused),
    }
}

/// How long the answer may be. A client that says less than 512 means 512 (RFC 6891 §6.2.3).
fn limit(query: &Query<'_>, transport: Transport) -> u16 {
    match transport {
        Transport::Tcp => u16::MAX,
        Transport::Udp => query.edns.map_or(PLAIN_LIMIT, |edns| edns.size.clamp(PLAIN_LIMIT, UDP_LIMIT)),
    }
}

/// Answers what the name has of the kind asked for; "no data" is the SOA record (RFC 2308 §2.2).
/// ANY gets one set, the first that there is (RFC 8482 §4.1).
fn put_records(reply: &mut Reply, view: &View, records: &Records, query: &Query<'_>) {
    let is_apex = records.apex == query.name.as_bytes().len();
    match query.kind {
        kind::A | kind::ANY if !records.addresses.is_empty() => {
            put_addresses(reply, records, query.header.id)
        }
        kind::PTR | kind::ANY if records.pointer.is_some() => {
            reply.put(Section::Answer, 1, &[records.pointer.as_deref().unwrap_or_default()]);
        }
        kind::SOA | kind::ANY if is_apex => {
            put_soa(reply, Section::Answer, view, query, records.apex);
        }
        kind::NS if is_apex => put_ns(reply, view),
        _ => put_soa(reply, Section::Authority, view, query, records.apex),
    }
}

/// The addresses in turns: the client's random id says which is first, so that no counter is
/// shared between threads and the same packet always has the same answer.
fn put_addresses(reply: &mut Reply, records: &Records, id: u16) {
    let all = &records.addresses;
    let first = usize::from(id) % records.count().max(1);
    let (tail, head) = all.split_at_checked(first * Records::ADDRESS).unwrap_or((&[], all));
    // At most 64 KiB of an entry are 4,000 addresses.
    let count = u16::try_from(records.count()).unwrap_or(u16::MAX);
    reply.put(Section::Answer, count, &[head, tail]);
}

/// The zone's SOA. Its owner is the end of the question's name, `apex` bytes long.
fn put_soa(reply: &mut Reply, section: Section, view: &View, query: &Query<'_>, apex: usize) {
    let owner = pointer_to(HEADER + query.name.as_bytes().len().saturating_sub(apex));
    reply.put(section, 1, &[&owner, &[0, 6, 0, 1], &SOA_TTL.to_be_bytes(), view.soa()]);
}

/// The zone's only name server, this service node, and its addresses.
fn put_ns(reply: &mut Reply, view: &View) {
    let (target, server) = view.server();
    reply.put(Section::Answer, 1, &[&[0xc0, 12, 0, 2, 0, 1], &SOA_TTL.to_be_bytes(), target]);
    // The name is the last thing written; its length stands before it in two bytes.
    let owner = pointer_to((reply.len() + 2).saturating_sub(target.len()));
    for record in server.map_or(&[][..], |records| &records.addresses).chunks_exact(Records::ADDRESS) {
        reply.put(Section::Additional, 1, &[&owner, record.get(2..).unwrap_or_default()]);
    }
}

/// A compressed name that means the one at `offset` (RFC 1035 §4.1.4); only offsets in or just
/// behind the question come here, far below the 14 bits.
fn pointer_to(offset: usize) -> [u8; 2] {
    let offset = u16::try_from(offset).unwrap_or_default() & 0x3fff;
    (0xc000 | offset).to_be_bytes()
}
