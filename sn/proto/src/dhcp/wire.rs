//! DHCP messages: what a client sent, and the answer as bytes (RFC 2131 §2, RFC 2132, RFC 3396).
//!
//! A request is decoded once into what the decisions need. The fixed header is read in place; the
//! options are walked by `dhcproto`, which bounds every length. Its `Message` is not used for
//! requests: it panics on a hardware address longer than 16 bytes, does not check the magic cookie,
//! and one host name that is not UTF-8 makes it drop all options.
//!
//! **Invariants**: no bytes panic; an answer is never longer than the client takes; what does not
//! fit is left out from the end, so options are put in the order of their importance.

use std::net::Ipv4Addr;

use common::id::MacAddr;
pub use dhcproto::v4::MessageType;
use dhcproto::v4::borrowed::DhcpOptionIterator;
use dhcproto::v4::{DhcpOption, Encodable as _, Encoder, MAGIC, OptionCode};

/// The fixed part, with the magic cookie.
const HEADER: usize = 240;
/// The shortest answer: some relays and firmware drop what is shorter (RFC 1542 §2.1).
const SHORTEST: usize = 300;
/// What every client takes, in bytes, as an IP datagram (RFC 2131 §2).
const DATAGRAM: u16 = 576;
/// What we send at most, as an IP datagram: an Ethernet frame, without fragments.
const LONGEST: u16 = 1500;
/// IP and UDP headers; option 57 counts them in, as all common servers take it.
const HEADERS: u16 = 28;

/// A message of a client, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The kind of message (53).
    pub kind: MessageType,
    /// The transaction number.
    pub xid: [u8; 4],
    /// The flags; the highest bit asks for an answer by broadcast.
    pub flags: u16,
    /// The address that the client has and answers on.
    pub ciaddr: Ipv4Addr,
    /// The relay's address on the client's network; unspecified without a relay.
    pub giaddr: Ipv4Addr,
    /// The client's hardware address.
    pub mac: MacAddr,
    /// The address that it asks for (50).
    pub requested: Option<Ipv4Addr>,
    /// The server that it has chosen (54).
    pub server: Option<Ipv4Addr>,
    /// How long an answer may be, in bytes of DHCP (57).
    pub limit: usize,
    /// Which options it wants (55); none when it does not say.
    pub wanted: Option<Wanted>,
    /// Its identifier (61), to be sent back (RFC 6842).
    pub client_id: Option<Vec<u8>>,
    /// What a relay added (82), to be sent back (RFC 3046).
    pub relay: Option<Vec<u8>>,
    /// What kind of program asks.
    pub program: Program,
    /// The architecture of its firmware (93).
    pub arch: Option<u16>,
}

/// What kind of program sends a request (60, 77, 175).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// An operating system.
    System,
    /// iPXE, whether it is the firmware or was loaded by it.
    Ipxe,
    /// Firmware that boots by TFTP.
    Pxe,
    /// UEFI firmware that boots by HTTP.
    HttpBoot,
}

impl Program {
    /// Whether it asks in order to boot.
    pub fn boots(self) -> bool {
        self != Self::System
    }
}

/// A set of option codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted([u128; 2]);

impl Wanted {
    fn of(codes: &[u8]) -> Self {
        let mut set = Self::default();
        for code in codes {
            let (word, bit) = Self::place(*code);
            if let Some(word) = set.0.get_mut(word) {
                *word |= bit;
            }
        }
        set
    }

    /// Whether the option is in the set.
    pub fn has(&self, code: u8) -> bool {
        let (word, bit) = Self::place(code);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    const fn place(code: u8) -> (usize, u128) {
        ((code >> 7) as usize, 1 << (code & 127))
    }
}

/// Why bytes are not a request that can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Shorter than the fixed part.
    #[error("shorter than a DHCP message")]
    Short,
    /// The magic cookie is missing.
    #[error("without the DHCP magic cookie")]
    Cookie,
    /// An answer of a server.
    #[error("not a request")]
    NotARequest,
    /// Another hardware than Ethernet, or an address that no network card has.
    #[error("not from an Ethernet address")]
    Hardware,
    /// Without a message type that clients send.
    #[error("without the type of a client's message")]
    Kind,
}

impl Request {
    /// Decodes what a client or a relay sent.
    ///
    /// # Errors
    /// When it is not a DHCP request from an Ethernet client.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (header, options) = bytes.split_first_chunk::<HEADER>().ok_or(WireError::Short)?;
        if header[236..] != MAGIC {
            return Err(WireError::Cookie);
        }
        if header[0] != 1 {
            return Err(WireError::NotARequest);
        }
        let mac = [header[28], header[29], header[30], header[31], header[32], header[33]];
        if header[1] != 1 || header[2] != 6 || mac[0] & 1 != 0 || mac == [0; 6] {
            return Err(WireError::Hardware);
        }
        let address = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
        let mut found = Found::default();
        found.read(options);
        // RFC 2131 §4.1: the options go on in `file`, then in `sname`.
        let overload = found.overload;
        if overload & 1 != 0 {
            found.read(&header[108..236]);
        }
        if overload & 2 != 0 {
            found.read(&header[44..108]);
        }
        let kind = found.kind.filter(|kind| is_from_a_client(*kind)).ok_or(WireError::Kind)?;
        Ok(Self {
            kind,
            xid: [header[4], header[5], header[6], header[7]],
            flags: u16::from_be_bytes([header[10], header[11]]),
            ciaddr: address(12),
            giaddr: address(24),
            mac: MacAddr::new(mac),
            requested: found.requested,
            server: found.server,
            limit: usize::from(found.datagram.clamp(DATAGRAM, LONGEST) - HEADERS),
            wanted: found.wanted,
            program: found.program(),
            arch: found.arch,
            client_id: found.client_id,
            relay: found.relay,
        })
    }

    /// The address of the network that the relay names in place of its own (RFC 3527).
    pub fn link(&self) -> Option<Ipv4Addr> {
        let mut rest = self.relay.as_deref()?;
        while let [code, len, tail @ ..] = rest {
            let (data, after) = tail.split_at_checked(usize::from(*len))?;
            if *code == 5 {
                return four(data).map(Ipv4Addr::from);
            }
            rest = after;
        }
        None
    }
}

fn is_from_a_client(kind: MessageType) -> bool {
    use MessageType::{Decline, Discover, Inform, Release, Request};
    matches!(kind, Discover | Request | Decline | Release | Inform)
}

/// The options of a request, while they are being read. The first of its kind counts.
#[derive(Default)]
struct Found {
    kind: Option<MessageType>,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    datagram: u16,
    wanted: Option<Wanted>,
    client_id: Option<Vec<u8>>,
    relay: Option<Vec<u8>>,
    arch: Option<u16>,
    overload: u8,
    pxe_class: bool,
    http_class: bool,
    ipxe: bool,
}

impl Found {
    fn read(&mut self, bytes: &[u8]) {
        for option in DhcpOptionIterator::new(bytes) {
            self.take(option.code(), option.data());
        }
    }

    fn take(&mut self, code: OptionCode, data: &[u8]) {
        match code {
            OptionCode::MessageType => {
                let kind = data.first().map(|kind| MessageType::from(*kind));
                self.kind = self.kind.or(kind);
            }
            OptionCode::RequestedIpAddress => self.requested = self.requested.or_else(|| address(data)),
            OptionCode::ServerIdentifier => self.server = self.server.or_else(|| address(data)),
            OptionCode::MaxMessageSize => {
                self.datagram = data.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
            }
            OptionCode::ParameterRequestList => {
                self.wanted.get_or_insert_with(|| Wanted::of(data));
            }
            // No client needs more than 255 bytes, and what is sent back takes room in the answer.
            OptionCode::ClientIdentifier if data.len() <= 255 => {
                self.client_id.get_or_insert_with(|| data.to_vec());
            }
            OptionCode::RelayAgentInformation if data.len() <= 255 => {
                self.relay.get_or_insert_with(|| data.to_vec());
            }
            OptionCode::ClientSystemArchitecture => {
                // A list; the first is the one that the client prefers (RFC 4578 §2.1).
                let first = data.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
                self.arch = self.arch.or(first);
            }
            OptionCode::OptionOverload => self.overload = data.first().copied().unwrap_or(0),
            OptionCode::ClassIdentifier => {
                self.pxe_class |= data.starts_with(b"PXEClient");
                self.http_class |= data.starts_with(b"HTTPClient");
            }
            // Bare, as iPXE sends it, or with the length in front that RFC 3004 asks for. xCAT's
            // own build says xNBA.
            OptionCode::UserClass => {
                let class = data.strip_prefix(&[4]).unwrap_or(data);
                self.ipxe |= matches!(class, b"iPXE" | b"xNBA");
            }
            OptionCode::Unknown(175) => self.ipxe = true,
            _ => {}
        }
    }

    /// iPXE before the firmware: it sends the firmware's class and architecture too.
    fn program(&self) -> Program {
        match (self.ipxe, self.http_class, self.pxe_class) {
            (true, _, _) => Program::Ipxe,
            (_, true, _) => Program::HttpBoot,
            (_, _, true) => Program::Pxe,
            _ => Program::System,
        }
    }
}

fn four(data: &[u8]) -> Option<[u8; 4]> {
    data.try_into().ok()
}

/// An address in an option; "none" may be said with zeros.
fn address(data: &[u8]) -> Option<Ipv4Addr> {
    four(data).map(Ipv4Addr::from).filter(|address| !address.is_unspecified())
}

/// An answer that is being written.
#[derive(Debug)]
pub struct Reply {
    bytes: Vec<u8>,
    /// Where the options must end, the closing ones excepted.
    room: usize,
}

impl Reply {
    /// The start of an answer to `request`: its header, its kind and the server's identifier.
    pub fn new(request: &Request, kind: MessageType, server: Ipv4Addr) -> Self {
        let closing = |option: &Option<Vec<u8>>| option.as_ref().map_or(0, |data| data.len() + 2);
        let tail = closing(&request.client_id) + closing(&request.relay) + 1;
        let mut bytes = Vec::with_capacity(request.limit.min(640));
        bytes.extend_from_slice(&[2, 1, 6, 0]);
        bytes.extend_from_slice(&request.xid);
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&request.flags.to_be_bytes());
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&request.giaddr.octets());
        bytes.extend_from_slice(&request.mac.bytes());
        bytes.resize(HEADER - MAGIC.len(), 0);
        bytes.extend_from_slice(&MAGIC);
        let mut reply = Self { bytes, room: request.limit.saturating_sub(tail) };
        reply.put(53, &[kind.into()]);
        reply.put(54, &server.octets());
        reply
    }

    /// The address that the client has already (`ciaddr`).
    pub fn set_client(&mut self, address: Ipv4Addr) {
        self.header(12, &address.octets());
    }

    /// The address that it gets (`yiaddr`).
    pub fn set_yours(&mut self, address: Ipv4Addr) {
        self.header(16, &address.octets());
    }

    /// Where its boot files are (`siaddr`).
    pub fn set_next_server(&mut self, address: Ipv4Addr) {
        self.header(20, &address.octets());
    }

    /// Its boot file, in the field of the header; says whether it fits there, with a zero behind.
    pub fn set_file(&mut self, file: &str) -> bool {
        let fits = file.len() < 128;
        if fits {
            self.header(108, file.as_bytes());
        }
        fits
    }

    /// Asks the client, or the relay for it, to take the answer by broadcast.
    pub fn set_broadcast(&mut self) {
        self.header(10, &[0x80]);
    }

    fn header(&mut self, at: usize, value: &[u8]) {
        if let Some(field) = self.bytes.get_mut(at..at + value.len()) {
            field.copy_from_slice(value);
        }
    }

    /// Adds an option; says whether it fits. One longer than 255 bytes does not: it is none of ours.
    pub fn put(&mut self, code: u8, data: &[u8]) -> bool {
        let Ok(len) = u8::try_from(data.len()) else { return false };
        let fits = self.bytes.len() + 2 + data.len() <= self.room;
        if fits {
            self.bytes.extend_from_slice(&[code, len]);
            self.bytes.extend_from_slice(data);
        }
        fits
    }

    /// Adds options that are encoded already; says whether they fit.
    pub fn put_encoded(&mut self, options: &[u8]) -> bool {
        let fits = self.bytes.len() + options.len() <= self.room;
        if fits {
            self.bytes.extend_from_slice(options);
        }
        fits
    }

    /// The answer as it is sent. A relay's option is the last (RFC 3046 §2.2).
    pub fn finish(mut self, request: &Request) -> Vec<u8> {
        self.room = request.limit;
        if let Some(id) = &request.client_id {
            self.put(61, id);
        }
        if let Some(relay) = &request.relay {
            self.put(82, relay);
        }
        self.bytes.push(255);
        if self.bytes.len() < SHORTEST {
            self.bytes.resize(SHORTEST, 0);
        }
        self.bytes
    }
}

/// An option as bytes, code and length included; none when `dhcproto` cannot encode it or it is
/// longer than one option may be.
pub fn encode(option: &DhcpOption) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    option.encode(&mut Encoder::new(&mut bytes)).ok()?;
    (bytes.len() > 2 && bytes.len() <= 257).then_some(bytes)
}

#[cfg(test)]
mod tests;
