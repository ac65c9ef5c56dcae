//! A link that stands: who is at the other end, and streams of frames.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use common::id::Digest;
use quinn::Connection;
use rustls::pki_types::CertificateDer;

use super::error::code;
use super::identity::Role;
use super::stream::{FrameReader, FrameReceiver, FrameSender, FrameWriter};
use super::{LinkError, certificate};

/// A connection with a member whose certificate was checked. Clones share it; it closes when the
/// last clone and the last stream are dropped.
#[derive(Clone, Debug)]
pub struct Link {
    connection: Connection,
    peer: Arc<Peer>,
}

#[derive(Debug)]
struct Peer {
    role: Role,
    key: Digest,
    address: SocketAddr,
}

impl Link {
    /// A link on a connection whose handshake is done; closes it with a code when the peer showed
    /// no certificate that we can read.
    pub(super) fn admit(connection: Connection) -> Result<Self, LinkError> {
        let address = connection.remote_address();
        let Some(own) = own_certificate(&connection) else {
            connection.close(code::NO_CERTIFICATE, b"members show a certificate here");
            return Err(LinkError::NoCertificate { address });
        };
        match certificate::read(&own) {
            Ok(facts) => {
                let key = Digest::of(&facts.public_key);
                Ok(Self { connection, peer: Arc::new(Peer { role: facts.role, key, address }) })
            }
            Err(why) => {
                connection.close(code::REFUSED, b"this certificate names no role");
                Err(LinkError::OddCertificate { address, why })
            }
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Role {
        &self.peer.role
    }

    /// BLAKE3 of the public key of who is at the other end (SubjectPublicKeyInfo, DER).
    pub fn peer_key(&self) -> Digest {
        self.peer.key
    }

    /// Where the other end was when the link came about.
    pub fn peer_address(&self) -> SocketAddr {
        self.peer.address
    }

    /// Its address, in the form in which it is written down.
    pub fn peer_ip(&self) -> IpAddr {
        self.peer.address.ip().to_canonical()
    }

    /// Whether both are the same connection.
    pub fn is_same(&self, other: &Self) -> bool {
        self.connection.stable_id() == other.connection.stable_id()
    }

    /// Opens a stream. The other side notices it with the first frame, which is an
    /// `common::wire::Opening`.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn open(&self) -> Result<(FrameSender, FrameReceiver), LinkError> {
        let (send, receive) = self.connection.open_bi().await.map_err(LinkError::Ended)?;
        Ok((FrameWriter::new(send), FrameReader::new(receive)))
    }

    /// The next stream that the other side has opened.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn accept(&self) -> Result<(FrameSender, FrameReceiver), LinkError> {
        let (send, receive) = self.connection.accept_bi().await.map_err(LinkError::Ended)?;
        Ok((FrameWriter::new(send), FrameReader::new(receive)))
    }

    /// Ends the link. What was sent and not yet received may be lost.
    pub fn close(&self, reason: &str) {
        self.connection.close(code::DONE, reason.as_bytes());
    }

    /// Ends the link because the other side is not one for here: an agent with another key than the
    /// node's, a service node that was removed. It reads so in [`LinkError::refused_us`].
    pub fn refuse(&self, reason: &str) {
        self.connection.close(code::REFUSED, reason.as_bytes());
    }

    /// Returns when the link has ended, and says why.
    pub async fn closed(&self) -> LinkError {
        LinkError::Ended(self.connection.closed().await)
    }

    /// Why the link has ended; none while it stands.
    pub fn close_reason(&self) -> Option<LinkError> {
        self.connection.close_reason().map(LinkError::Ended)
    }
}

/// The peer's own certificate: the first of its chain.
pub(super) fn own_certificate(connection: &Connection) -> Option<CertificateDer<'static>> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.into_iter().next()
}
