//! The TLS side of links: who is believed, and under which protocol names.
//!
//! TLS 1.3 alone (RFC 8446), carried by QUIC (RFC 9001). Host names mean nothing here: a peer is
//! who its certificate's role says, and the caller compares that with whom it meant to reach.

use std::sync::Arc;

use common::wire::{ALPN_JOIN, ALPN_MEMBER};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};

use super::identity::{Identity, fingerprint};

/// What a client says it wants to reach; never compared with anything.
pub(super) const SERVER_NAME: &str = "drover";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// For a listener: members and strangers, told apart by ALPN.
pub(super) fn server(identity: &Identity) -> Result<QuicServerConfig, Error> {
    let provider = provider();
    let mut roots = RootCertStore::empty();
    roots.add(identity.authority())?;
    // Strangers who join have no certificate. That a member has one is checked after the handshake,
    // when its protocol is known.
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain(), identity.key())?;
    config.alpn_protocols = vec![ALPN_MEMBER.to_vec(), ALPN_JOIN.to_vec()];
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    initial_suite(QuicServerConfig::try_from(config))
}

/// For a member who dials members.
pub(super) fn member_client(identity: &Identity) -> Result<QuicClientConfig, Error> {
    let mut config = client_builder(Pin::Certificate(identity.authority()))?
        .with_client_auth_cert(identity.chain(), identity.key())?;
    config.alpn_protocols = vec![ALPN_MEMBER.to_vec()];
    finish_client(config)
}

/// For a stranger who knows its authority's fingerprint.
pub(super) fn stranger_client(authority: [u8; 32]) -> Result<QuicClientConfig, Error> {
    stranger_client_for(authority, ALPN_JOIN)
}

/// The same, for any protocol: tests speak wrong ones.
pub(super) fn stranger_client_for(authority: [u8; 32], alpn: &[u8]) -> Result<QuicClientConfig, Error> {
    let mut config = client_builder(Pin::Fingerprint(authority))?.with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    finish_client(config)
}

fn client_builder(
    pin: Pin,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, Error> {
    let provider = provider();
    let verifier = PinnedAuthority { pin, provider: Arc::clone(&provider) };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier)))
}

fn finish_client(mut config: ClientConfig) -> Result<QuicClientConfig, Error> {
    config.enable_sni = false;
    config.enable_early_data = false;
    config.resumption = rustls::client::Resumption::disabled();
    initial_suite(QuicClientConfig::try_from(config))
}

fn initial_suite<T>(made: Result<T, quinn::crypto::rustls::NoInitialCipherSuite>) -> Result<T, Error> {
    made.map_err(|error| Error::General(error.to_string()))
}

/// The one authority that is believed.
#[derive(Debug)]
enum Pin {
    /// This one.
    Certificate(CertificateDer<'static>),
    /// The one in the server's chain that has this SHA-256.
    Fingerprint([u8; 32]),
}

/// Checks a server's chain up to the pinned authority: signatures, dates, usage, as for any other
/// authority. "Dangerous" in `rustls`' words because it leaves out the host name.
#[derive(Debug)]
struct PinnedAuthority {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

/// Checks that `own` is certified by `authority` now. For certificates that did not come through
/// a handshake.
pub(super) fn check_chain(own: &[u8], authority: &[u8]) -> Result<(), Error> {
    let pin = Pin::Certificate(CertificateDer::from(authority.to_vec()));
    let verifier = PinnedAuthority { pin, provider: provider() };
    verifier.check(&CertificateDer::from(own), &[], UnixTime::now())
}

impl PinnedAuthority {
    fn check(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let authority = match &self.pin {
            Pin::Certificate(authority) => authority.clone(),
            Pin::Fingerprint(wanted) => others
                .iter()
                .find(|certificate| &fingerprint(certificate) == wanted)
                .ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?
                .clone()
                .into_owned(),
        };
        let mut roots = RootCertStore::empty();
        roots.add(authority)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let parsed = ParsedCertificate::try_from(own)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], now, algorithms)
    }
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(own, others, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Not reached: TLS 1.3 alone is offered. Answered truthfully all the same.
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
