//! Listening for links and dialing them.
//!
//! **Bounds**: a listener has at most [`HANDSHAKES`] handshakes under way, and from half of that on
//! asks newcomers to prove their address first (RFC 9000 §8.1.2), so that forged addresses cost
//! nothing; from then on each address has a bounded number of handshakes, and at all times of
//! strangers; a peer has at most [`STREAMS`] streams open, a stranger one.
//!
//! The dialing side alone sends keep-alives; both sides end a link that was silent for the shorter
//! of their idle time-outs (RFC 9000 §10.1).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::wire::{ALPN_JOIN, ALPN_MEMBER};
use quinn::crypto::rustls::{HandshakeData, QuicClientConfig};
use quinn::{
    ClientConfig, ConnectError, Endpoint, EndpointConfig, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection::Link;
use super::crowd::{Crowd, Place};
use super::error::code;
use super::identity::{Identity, Role};
use super::join::JoinLink;
use super::{LinkError, tls};

/// The most handshakes that a listener has under way. At 0.7 ms of CPU each this is a fifth of a
/// second of work; more wait their turn, and come again by themselves.
pub const HANDSHAKES: usize = 256;

/// The most streams that a member has open on one link: its conversation, and files in flight.
pub const STREAMS: u32 = 64;

/// How long a handshake may take from its first packet.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// The receive buffer that is asked of the kernel: a boot storm's first packets.
const SOCKET_BUFFER: usize = 4 << 20;

/// What may be under way to us on one link, all streams together, before we have read it.
const RECEIVE_WINDOW: u32 = 8 << 20;

/// How a dialer keeps its links.
#[derive(Clone, Copy, Debug)]
pub struct LinkOptions {
    /// How often it says that it is there.
    pub keep_alive: Duration,
    /// After which silence it takes the link for dead; a third of it is a good `keep_alive`.
    pub idle: Duration,
    /// How long it tries to connect.
    pub connect: Duration,
    /// From which local address; none lets the system choose.
    pub bind: Option<SocketAddr>,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(1),
            idle: Duration::from_secs(3),
            connect: Duration::from_secs(5),
            bind: None,
        }
    }
}

/// How long a listener bears silence from a dialer that asks for no shorter time.
const LISTENER_IDLE: Duration = Duration::from_secs(15);

fn transport(idle: Duration, keep_alive: Option<Duration>, streams: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    config.max_concurrent_bidi_streams(VarInt::from_u32(streams));
    config.max_concurrent_uni_streams(VarInt::from_u32(0));
    config.datagram_receive_buffer_size(None);
    config.receive_window(VarInt::from_u32(RECEIVE_WINDOW));
    // In milliseconds; the widest that QUIC knows is 2^62, and ours come from code.
    let millis = u32::try_from(idle.as_millis()).unwrap_or(u32::MAX);
    config.max_idle_timeout(Some(VarInt::from_u32(millis).into()));
    config.keep_alive_interval(keep_alive);
    config
}

fn socket(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&address.into())?;
    // The kernel lowers what is over its limit; less is slower, not wrong.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    Ok(socket.into())
}

fn endpoint(address: SocketAddr, server: Option<ServerConfig>) -> Result<Endpoint, LinkError> {
    let fail = |source| LinkError::Bind { address, source };
    let socket = socket(address).map_err(fail)?;
    Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(TokioRuntime)).map_err(fail)
}

/// Accepts links on one UDP port.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    handshakes: Arc<Semaphore>,
    shaking: Crowd,
    strangers: Crowd,
}

impl Listener {
    /// Listens on `address` as `identity`. Needs a running `tokio`.
    ///
    /// # Errors
    /// When the port is taken, or the identity is of no use.
    pub fn bind(address: SocketAddr, identity: &Identity) -> Result<Self, LinkError> {
        let crypto = tls::server(identity).map_err(LinkError::Tls)?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(Arc::new(transport(LISTENER_IDLE, None, STREAMS)));
        // First packets that wait for their turn, and the bytes they may bring.
        config.max_incoming(4 * HANDSHAKES).incoming_buffer_size_total(16 << 20);
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
        let endpoint = endpoint(address, Some(config))?;
        Ok(Self { endpoint, handshakes, shaking: Crowd::default(), strangers: Crowd::default() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// The next who wants in; none after [`Self::close`] or when the socket broke. The handshake
    /// runs in [`Incoming::establish`], in a task of its own, so that a slow client keeps nobody out.
    pub async fn accept(&self) -> Option<Incoming> {
        loop {
            let permit = Arc::clone(&self.handshakes).acquire_owned().await.ok()?;
            let incoming = self.endpoint.accept().await?;
            let busy = self.handshakes.available_permits() < HANDSHAKES / 2;
            if busy && incoming.may_retry() {
                // Fails only where no retry is possible, which was just asked.
                let _ = incoming.retry();
                continue;
            }
            // An address that was not proven may be anybody's, and is counted for nobody.
            let place = incoming
                .remote_address_validated()
                .then(|| self.shaking.take(incoming.remote_address().ip()));
            if let Some(None) = place {
                // Without a word: it asks again by itself.
                incoming.ignore();
                continue;
            }
            let strangers = self.strangers.clone();
            return Some(Incoming { incoming, strangers, _permit: permit, _place: place.flatten() });
        }
    }

    /// Ends all links and listens no more.
    pub fn close(&self) {
        self.handshakes.close();
        self.endpoint.close(code::DONE, b"stopped");
    }

    /// After [`Self::close`]: returns when the peers have been told, at most after a second.
    pub async fn drained(&self) {
        let _ = timeout(Duration::from_secs(1), self.endpoint.wait_idle()).await;
    }
}

/// Who wants in; nothing about it is known yet but the address it claims.
#[derive(Debug)]
pub struct Incoming {
    incoming: quinn::Incoming,
    strangers: Crowd,
    _permit: OwnedSemaphorePermit,
    _place: Option<Place>,
}

/// Who came in.
#[derive(Debug)]
pub enum Arrived {
    /// A member, whose certificate was checked.
    Member(Link),
    /// Someone who wants to become one.
    Stranger(JoinLink),
}

impl Incoming {
    /// The address it claims.
    pub fn peer_address(&self) -> SocketAddr {
        self.incoming.remote_address()
    }

    /// Does the handshake, within a time limit. A member without a certificate is closed with a code.
    ///
    /// # Errors
    /// When the handshake fails or takes too long, or the certificate is none for us.
    pub async fn establish(self) -> Result<Arrived, LinkError> {
        let address = self.incoming.remote_address();
        let fail = |source| LinkError::Handshake { address, source };
        let connecting = self.incoming.accept().map_err(fail)?;
        let connection = timeout(HANDSHAKE_LIMIT, connecting)
            .await
            .map_err(|_| LinkError::Slow { address })?
            .map_err(fail)?;
        let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
        match data.and_then(|data| data.protocol).as_deref() {
            Some(ALPN_MEMBER) => Link::admit(connection).map(Arrived::Member),
            Some(ALPN_JOIN) => {
                let Some(place) = self.strangers.take(address.ip()) else {
                    // Not a refusal: another attempt may find room.
                    connection.close(code::DONE, b"too many of this address join at once");
                    return Err(LinkError::Crowd { address });
                };
                JoinLink::admit(connection, place).map(Arrived::Stranger)
            }
            // Not reached: TLS refuses other names in the handshake.
            _ => Err(LinkError::UnknownProtocol { address }),
        }
    }
}

/// Dials members, as a member. One UDP socket serves all links of one address family.
#[derive(Debug)]
pub struct Dialer {
    sockets: Sockets,
    connect: Duration,
}

impl Dialer {
    /// Dials as `identity` with the default [`LinkOptions`].
    ///
    /// # Errors
    /// When the identity is of no use.
    pub fn new(identity: &Identity) -> Result<Self, LinkError> {
        Self::with_options(identity, LinkOptions::default())
    }

    /// Dials as `identity`.
    ///
    /// # Errors
    /// When the identity is of no use.
    pub fn with_options(identity: &Identity, options: LinkOptions) -> Result<Self, LinkError> {
        let crypto = tls::member_client(identity).map_err(LinkError::Tls)?;
        Ok(Self { sockets: Sockets::new(crypto, options), connect: options.connect })
    }

    /// Connects with who listens at `address`, which must be `expect`. Succeeds even when the other
    /// side is about to refuse *our* certificate: usable after the first answer; see [`super`].
    ///
    /// # Errors
    /// When nobody answers, the other side is of a foreign authority, or it is someone else.
    pub async fn connect(&self, address: SocketAddr, expect: &Role) -> Result<Link, LinkError> {
        let link = self.connect_any(address).await?;
        if link.peer() != expect {
            link.refuse("another was meant");
            let (found, wanted) = (link.peer().clone(), expect.clone());
            return Err(LinkError::WrongRole { address, found, wanted });
        }
        Ok(link)
    }

    /// The same, with whatever member listens there: for who knows an address and no name yet. The
    /// caller looks at [`Link::peer`].
    ///
    /// # Errors
    /// When nobody answers, or the other side is of a foreign authority.
    pub async fn connect_any(&self, address: SocketAddr) -> Result<Link, LinkError> {
        let fail = |source| LinkError::Handshake { address, source };
        let connecting = self.sockets.dial(address)?;
        let connection = timeout(self.connect, connecting)
            .await
            .map_err(|_| LinkError::Slow { address })?
            .map_err(fail)?;
        Link::admit(connection)
    }

    /// Ends all its links and returns when the peers have been told, at most after a second.
    pub async fn close(&self) {
        self.sockets.close().await;
    }
}

/// The sockets of one dialer, opened when first needed, and again when one broke (an interface that
/// went away can break a socket for good).
#[derive(Debug)]
pub(super) struct Sockets {
    config: ClientConfig,
    bind: Option<SocketAddr>,
    v4: Mutex<Option<Endpoint>>,
    v6: Mutex<Option<Endpoint>>,
}

impl Sockets {
    pub(super) fn new(crypto: QuicClientConfig, options: LinkOptions) -> Self {
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::new(transport(options.idle, Some(options.keep_alive), STREAMS)));
        Self { config, bind: options.bind, v4: Mutex::new(None), v6: Mutex::new(None) }
    }

    pub(super) fn dial(&self, address: SocketAddr) -> Result<quinn::Connecting, LinkError> {
        let (slot, any): (_, IpAddr) = match address {
            SocketAddr::V4(_) => (&self.v4, Ipv4Addr::UNSPECIFIED.into()),
            SocketAddr::V6(_) => (&self.v6, Ipv6Addr::UNSPECIFIED.into()),
        };
        let bind = self.bind.filter(|bind| bind.is_ipv4() == address.is_ipv4());
        let bind = bind.unwrap_or_else(|| SocketAddr::new(any, 0));
        // A thread that panicked inside left an endpoint or none; both are fine.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let dial =
            |endpoint: &Endpoint| endpoint.connect_with(self.config.clone(), address, tls::SERVER_NAME);
        if let Some(endpoint) = slot.as_ref() {
            match dial(endpoint) {
                Err(ConnectError::EndpointStopping) => *slot = None,
                Err(source) => return Err(LinkError::Dial { address, source }),
                Ok(connecting) => return Ok(connecting),
            }
        }
        let fresh = endpoint(bind, None)?;
        let connecting = dial(&fresh).map_err(|source| LinkError::Dial { address, source })?;
        *slot = Some(fresh);
        Ok(connecting)
    }

    pub(super) async fn close(&self) {
        for slot in [&self.v4, &self.v6] {
            let endpoint = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(endpoint) = endpoint {
                endpoint.close(code::DONE, b"stopped");
                let _ = timeout(Duration::from_secs(1), endpoint.wait_idle()).await;
            }
        }
    }
}
