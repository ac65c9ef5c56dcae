//! Calls at the QUIC ports, by a client of our own making: it believes every server, and shows the
//! certificate that it is given, or none.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use rcgen::PublicKeyData as _;
use runtime::link::authority::Authority;
use runtime::link::identity::Role;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use serde::Deserialize;
use tokio::time::timeout;

use crate::Result;
use crate::net::Host;

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(8);

/// A key and its certificates.
#[derive(Clone, Debug)]
pub struct Card {
    key: Vec<u8>,
    chain: Vec<Vec<u8>>,
}

/// `DIR/identity` of a member, as `runtime::link::identity` writes it.
#[derive(Deserialize)]
enum Stored {
    V1 { key: Vec<u8>, chain: [Vec<u8>; 2], _slice_key: [u8; 32] },
}

impl Card {
    /// The one in a member's folder: a copy, as a thief makes it.
    ///
    /// # Errors
    /// When there is none.
    pub fn stolen(dir: &Path) -> Result<Self> {
        let Stored::V1 { key, chain, .. } = postcard::from_bytes(&std::fs::read(dir.join("identity"))?)?;
        Ok(Self { key, chain: chain.to_vec() })
    }

    /// One for `role`, of an authority that was made just now in `dir`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn foreign(dir: &Path, role: &Role) -> Result<Self> {
        let key = rcgen::KeyPair::generate()?;
        let authority = Authority::create(dir, "elsewhere")?;
        let chain = authority.certify(role, &key.subject_public_key_info(), 30)?;
        Ok(Self { key: key.serialize_der(), chain })
    }
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The other side ended it, in these words.
    Refused(String),
    /// The other side answered.
    Answered(Vec<u8>),
    /// Neither.
    Nothing,
}

/// Calls a QUIC port as a member of the protocol `alpn`, says `words` on one stream, and listens for
/// the first that comes back.
///
/// # Errors
/// When there is nothing to call from.
pub fn call(host: &Host, to: SocketAddrV4, card: Option<&Card>, alpn: &[u8], words: &[u8]) -> Result<Heard> {
    let config = config(card, alpn)?;
    host.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let heard = timeout(LIMIT, speak(to, config, words)).await;
            heard.unwrap_or(Ok(Heard::Nothing))
        })
    })
}

async fn speak(to: SocketAddrV4, config: quinn::ClientConfig, words: &[u8]) -> Result<Heard> {
    let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
    let connection = match endpoint.connect_with(config, to.into(), "drover")?.await {
        Ok(connection) => connection,
        Err(error) => return Ok(Heard::Refused(error.to_string())),
    };
    let said = async {
        let (mut send, mut receive) = connection.open_bi().await.ok()?;
        send.write_all(words).await.ok()?;
        let mut answer = vec![0; 64 << 10];
        let length = receive.read(&mut answer).await.ok()??;
        answer.truncate(length);
        Some(answer)
    };
    match said.await {
        Some(answer) => Ok(Heard::Answered(answer)),
        None => Ok(Heard::Refused(connection.closed().await.to_string())),
    }
}

/// Connections that say nothing, for as long as they are kept. Some of them may be refused.
#[derive(Debug)]
pub struct Held {
    runtime: Option<tokio::runtime::Runtime>,
    _connections: Vec<quinn::Connection>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Nothing is waited for: what was attacked must bear that too.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Opens so many connections at once, without a certificate.
///
/// # Errors
/// When there is nothing to call from.
pub fn hold(host: &Host, to: SocketAddrV4, count: usize, alpn: &[u8]) -> Result<Held> {
    let config = config(None, alpn)?;
    host.enter(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let connections = runtime.block_on(async {
            let endpoint = quinn::Endpoint::client(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
            let dial = |_| endpoint.connect_with(config.clone(), to.into(), "drover");
            let dialing = (0..count).map(dial).collect::<std::result::Result<Vec<_>, _>>()?;
            let mut connections = Vec::new();
            for one in dialing {
                if let Ok(Ok(connection)) = timeout(Duration::from_secs(2), one).await {
                    connections.push(connection);
                }
            }
            Ok::<_, crate::Error>(connections)
        })?;
        Ok(Held { runtime: Some(runtime), _connections: connections })
    })
}

fn config(card: Option<&Card>, alpn: &[u8]) -> Result<quinn::ClientConfig> {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous));
    let mut tls = match card {
        None => builder.with_no_client_auth(),
        Some(Card { key, chain }) => {
            let chain = chain.iter().cloned().map(CertificateDer::from).collect();
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.clone()));
            builder.with_client_auth_cert(chain, key)?
        }
    };
    tls.alpn_protocols = vec![alpn.to_vec()];
    Ok(quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?)))
}

/// Believes every server: an attacker does not care who it speaks with.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _own: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
