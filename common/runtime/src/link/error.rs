//! What can go wrong on a link.

use std::io;
use std::net::SocketAddr;

use common::wire::frame::FrameError;
use quinn::{ApplicationClose, ConnectionError};

use super::identity::Role;

/// Why a side closes a link, as the other side reads it (QUIC application error codes).
pub(super) mod code {
    use quinn::VarInt;

    /// It is done, or stops.
    pub(in crate::link) const DONE: VarInt = VarInt::from_u32(0);
    /// The peer showed no certificate where members must.
    pub(in crate::link) const NO_CERTIFICATE: VarInt = VarInt::from_u32(1);
    /// The peer's certificate is not one for here: another role, or none that can be read.
    pub(in crate::link) const REFUSED: VarInt = VarInt::from_u32(2);
}

/// What can go wrong on a link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The socket cannot be opened.
    #[error("cannot open UDP {address}")]
    Bind {
        /// Its address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Our own identity does not fit TLS.
    #[error("cannot set up TLS with this identity")]
    Tls(#[source] rustls::Error),
    /// The attempt could not begin.
    #[error("cannot dial {address}")]
    Dial {
        /// Whom.
        address: SocketAddr,
        /// Why.
        #[source]
        source: quinn::ConnectError,
    },
    /// No connection came about.
    #[error("no connection with {address}")]
    Handshake {
        /// With whom.
        address: SocketAddr,
        /// Why.
        #[source]
        source: ConnectionError,
    },
    /// The handshake did not end in time.
    #[error("{address} did not finish the handshake in time")]
    Slow {
        /// Who.
        address: SocketAddr,
    },
    /// There are too many others of its address who want to join.
    #[error("too many want to join from the address of {address} at once")]
    Crowd {
        /// Who.
        address: SocketAddr,
    },
    /// It is someone else.
    #[error("{address} is {found}, not {wanted}")]
    WrongRole {
        /// Where.
        address: SocketAddr,
        /// Who is there.
        found: Role,
        /// Who should be.
        wanted: Role,
    },
    /// It showed no certificate where members must.
    #[error("{address} showed no certificate")]
    NoCertificate {
        /// Who.
        address: SocketAddr,
    },
    /// Its certificate passed the chain check, but says nothing we understand.
    #[error("the certificate of {address} {why}")]
    OddCertificate {
        /// Whose.
        address: SocketAddr,
        /// What is odd.
        why: &'static str,
    },
    /// It speaks neither of our protocols.
    #[error("{address} speaks no protocol of ours")]
    UnknownProtocol {
        /// Who.
        address: SocketAddr,
    },
    /// The connection has ended.
    #[error("the link has ended")]
    Ended(#[source] ConnectionError),
    /// A stream broke.
    #[error("the stream broke")]
    Stream(#[source] io::Error),
    /// The other side ended the stream in the middle of a frame, or before one that must come.
    #[error("the stream ended too early")]
    CutShort,
    /// Nothing came in time.
    #[error("nothing came in time")]
    Silence,
    /// A frame is not one.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The key of this session cannot be exported.
    #[error("the TLS session gives no keying material")]
    NoKeyingMaterial,
}

impl LinkError {
    /// Whether, and how, the *other* side refused who we are: our certificate is foreign, out of
    /// date or not the one it knows for us. Asking again with the same identity does not help.
    pub fn refused_us(&self) -> Option<String> {
        let (Self::Ended(source) | Self::Handshake { source, .. }) = self else { return None };
        match source {
            ConnectionError::ApplicationClosed(ApplicationClose { error_code, reason })
                if *error_code == code::REFUSED || *error_code == code::NO_CERTIFICATE =>
            {
                Some(String::from_utf8_lossy(reason).chars().take(500).collect())
            }
            ConnectionError::ConnectionClosed(close) => {
                certificate_alert(u64::from(close.error_code)).map(str::to_owned)
            }
            _ => None,
        }
    }

    /// Whether a certificate was refused, by either side, for the time at which it holds.
    pub fn is_untimely(&self) -> bool {
        let (Self::Ended(source) | Self::Handshake { source, .. }) = self else { return false };
        let code = match source {
            ConnectionError::ConnectionClosed(close) => close.error_code,
            ConnectionError::TransportError(error) => error.code,
            _ => return false,
        };
        u64::from(code) == 0x100 + OUT_OF_DATE
    }

    /// Whether *we* refused the certificate of the other side.
    pub fn we_refused(&self) -> Option<&'static str> {
        match self {
            Self::Handshake { source: ConnectionError::TransportError(error), .. } => {
                certificate_alert(u64::from(error.code))
            }
            _ => None,
        }
    }
}

/// The alert of a certificate that does not hold now (RFC 8446 §6.2).
const OUT_OF_DATE: u64 = 45;

/// What a QUIC error code says about a certificate: TLS alerts are sent as 0x100 and the alert
/// (RFC 9001 §4.8; RFC 8446 §6).
fn certificate_alert(code: u64) -> Option<&'static str> {
    match code.checked_sub(0x100)? {
        42 => Some("the certificate is damaged"),
        43 | 46 | 51 => Some("the certificate is not acceptable"),
        44 => Some("the certificate is revoked"),
        OUT_OF_DATE => Some("the certificate is out of date or not yet valid, or a clock is wrong"),
        48 => Some("the certificate is of a foreign authority"),
        49 => Some("access is denied"),
        116 => Some("a certificate is required"),
        _ => None,
    }
}
