//! The messages, as far as a server reads and writes them (RFC 1035 §4, RFC 6891).
//!
//! Written by hand and not with `hickory-proto`, because the answers are encoded once a
//! generation and only copied behind the question; the tests use `hickory-proto` as the judge of
//! both directions.

use super::name::Name;

/// The length of the header.
pub(super) const HEADER: usize = 12;

/// The record types that are answered or treated specially.
pub(super) mod kind {
    pub(in super::super) const A: u16 = 1;
    pub(in super::super) const NS: u16 = 2;
    pub(in super::super) const SOA: u16 = 6;
    pub(in super::super) const PTR: u16 = 12;
    pub(in super::super) const OPT: u16 = 41;
    pub(in super::super) const TKEY: u16 = 249;
    pub(in super::super) const AXFR: u16 = 252;
    pub(in super::super) const ANY: u16 = 255;
}

/// The class Internet.
pub(super) const CLASS_IN: u16 = 1;

const QR: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
const RD: u16 = 0x0100;
const RA: u16 = 0x0080;
const CD: u16 = 0x0010;
/// "DNSSEC OK" among the flags of an OPT record; a server copies it (RFC 3225).
const DO: u16 = 0x8000;

/// How a question went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    NoError = 0,
    FormErr = 1,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    /// Its upper bits stand in the OPT record.
    BadVers = 16,
}

/// The header of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) id: u16,
    flags: u16,
    /// Questions, answers, authorities, additionals.
    counts: [u16; 4],
}

impl Header {
    /// None for a packet that is too short to be answered.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(packet);
        let (id, flags) = (cursor.u16()?, cursor.u16()?);
        let counts = [cursor.u16()?, cursor.u16()?, cursor.u16()?, cursor.u16()?];
        Some(Self { id, flags, counts })
    }

    pub(super) const fn is_response(self) -> bool {
        self.flags & QR != 0
    }

    pub(super) const fn is_query(self) -> bool {
        self.flags & OPCODE == 0
    }

    pub(super) const fn recursion_desired(self) -> bool {
        self.flags & RD != 0
    }
}

/// What a client says of itself in its OPT record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edns {
    pub(super) size: u16,
    pub(super) version: u8,
    flags: u16,
}

/// A query with its one question.
#[derive(Clone, Debug)]
pub(super) struct Query<'a> {
    pub(super) header: Header,
    pub(super) name: Name,
    /// The question as the client wrote it: its case is part of the answer (0x20 encoding).
    question: &'a [u8],
    pub(super) kind: u16,
    pub(super) class: u16,
    pub(super) edns: Option<Edns>,
}

impl<'a> Query<'a> {
    /// Reads the packet that `header` is of. None when it is malformed.
    pub(super) fn read(header: Header, packet: &'a [u8]) -> Option<Self> {
        let [questions, answers, authorities, additionals] = header.counts;
        if questions != 1 {
            return None;
        }
        let body = packet.get(HEADER..)?;
        let name = Name::read(body)?;
        let end = name.as_bytes().len();
        let mut cursor = Cursor(body.get(end..)?);
        let (kind, class) = (cursor.u16()?, cursor.u16()?);
        let question = body.get(..end + 4)?;
        for _ in 0..u32::from(answers) + u32::from(authorities) {
            cursor.record()?;
        }
        let mut edns = None;
        for _ in 0..additionals {
            let record = cursor.record()?;
            // One OPT at most, owned by the root (RFC 6891 §6.1.1).
            if record.kind == kind::OPT && (!record.root || edns.replace(record.edns()).is_some()) {
                return None;
            }
        }
        Some(Self { header, name, question, kind, class, edns })
    }
}

/// A record of which only what an OPT needs is kept.
struct Record {
    root: bool,
    kind: u16,
    class: u16,
    ttl: [u8; 4],
}

impl Record {
    const fn edns(&self) -> Edns {
        let [_, version, high, low] = self.ttl;
        Edns { size: self.class, version, flags: u16::from_be_bytes([high, low]) }
    }
}

/// What is left of a packet. Every read checks that it is there.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Passes a name and says whether it was the root. A pointer ends it; where it leads does not
    /// matter here, so there is no loop to fall into.
    fn skip_name(&mut self) -> Option<bool> {
        for labels in 0.. {
            match self.array()? {
                [0] => return Some(labels == 0),
                [label @ 1..=63] => drop(self.take(usize::from(label))?),
                [0xc0..=0xff] => return self.take(1).map(|_| false),
                [_] => return None,
            }
        }
        None
    }

    fn record(&mut self) -> Option<Record> {
        let root = self.skip_name()?;
        let (kind, class, ttl) = (self.u16()?, self.u16()?, self.array()?);
        let len = self.u16()?;
        self.take(usize::from(len))?;
        Some(Record { root, kind, class, ttl })
    }
}

/// The sections behind the question.
#[derive(Clone, Copy)]
pub(super) enum Section {
    Answer = 6,
    Authority = 8,
    Additional = 10,
}

/// A reply that is being written.
pub(super) struct Reply {
    bytes: Vec<u8>,
    limit: usize,
}

impl Reply {
    /// Only the header: for a packet of which nothing else could be trusted.
    pub(super) fn bare(header: Header, code: Code) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        let flags = QR | (header.flags & (OPCODE | RD | CD)) | low(code);
        bytes.extend_from_slice(&header.id.to_be_bytes());
        bytes.extend_from_slice(&flags.to_be_bytes());
        bytes.resize(HEADER, 0);
        bytes
    }

    /// The header and the question of a reply of at most `limit` bytes.
    pub(super) fn new(query: &Query<'_>, code: Code, limit: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + query.question.len() + 160);
        let flags = QR | (query.header.flags & (RD | CD)) | low(code);
        bytes.extend_from_slice(&query.header.id.to_be_bytes());
        bytes.extend_from_slice(&flags.to_be_bytes());
        bytes.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(query.question);
        Self { bytes, limit }
    }

    /// Says that the answer comes from a zone of ours.
    pub(super) fn authoritative(self) -> Self {
        self.set(AA)
    }

    /// Says that this client's other questions are forwarded.
    pub(super) fn recursion(self, available: bool) -> Self {
        if available { self.set(RA) } else { self }
    }

    fn set(mut self, flag: u16) -> Self {
        if let Some(flags) = self.bytes.first_chunk_mut::<4>() {
            let [high, low] = flag.to_be_bytes();
            flags[2] |= high;
            flags[3] |= low;
        }
        self
    }

    /// Where the next record will start.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds `count` records that are encoded already, in as many pieces as it pleases.
    pub(super) fn put(&mut self, section: Section, count: u16, pieces: &[&[u8]]) {
        pieces.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        let at = section as usize;
        if let Some(field) = self.bytes.get_mut(at..at + 2) {
            let before = u16::from_be_bytes([field[0], field[1]]);
            field.copy_from_slice(&before.saturating_add(count).to_be_bytes());
        }
    }

    /// The whole reply; when it is too long, the question alone with "truncated" set, which sends
    /// the client to TCP.
    pub(super) fn finish(mut self, query: &Query<'_>, code: Code) -> Vec<u8> {
        let opt = query.edns.map(|edns| opt(edns, code));
        let tail = opt.as_ref().map_or(0, |opt| opt.len());
        if self.bytes.len() + tail > self.limit {
            self.bytes.truncate(HEADER + query.question.len());
            if let Some(counts) = self.bytes.get_mut(6..HEADER) {
                counts.fill(0);
            }
            self = self.set(TC);
        }
        if let Some(opt) = opt {
            self.put(Section::Additional, 1, &[&opt]);
        }
        self.bytes
    }
}

/// The four bits of a code that fit into the header.
const fn low(code: Code) -> u16 {
    code as u16 & 0xf
}

/// Our own OPT record: what we can receive, the upper bits of the code, version 0.
fn opt(edns: Edns, code: Code) -> [u8; 11] {
    let [_, kind] = kind::OPT.to_be_bytes();
    let [size_high, size_low] = super::answer::UDP_LIMIT.to_be_bytes();
    let [flags, _] = (edns.flags & DO).to_be_bytes();
    let high = if code == Code::BadVers { 1 } else { 0 };
    [0, 0, kind, size_high, size_low, high, 0, flags, 0, 0, 0]
}
