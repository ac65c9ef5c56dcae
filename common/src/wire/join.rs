//! How a stranger becomes a member: one question, one answer.
//!
//! The stranger pins the authority's fingerprint, which is in its token, and proves the token's
//! secret without sending it: the proof is keyed by the secret and bound to this TLS session and
//! to the public key that is to be certified. A service node relays an agent's request to the
//! management node, which alone signs.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::NodeName;
use crate::slice::JoinSecret;

/// The label under which both sides export keying material (RFC 8446 §7.5).
pub const EXPORT_LABEL: &[u8] = b"EXPORTER-drover-join-1";

/// What kind of member is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A service node.
    ServiceNode,
    /// A compute node's agent.
    Agent,
    /// An operator on a workstation.
    Operator,
}

/// What an operator carries to a service node, or a boot script to a node: one word.
///
/// `drover1:KIND:NAME:ADDRESS[,ADDRESS]:FINGERPRINT:SECRET`, the last two in hexadecimal; an
/// address is `1.2.3.4/7700` or `[::1]/7700`, so that `:` keeps one meaning.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What the bearer becomes.
    pub kind: Kind,
    /// Its name.
    pub name: NodeName,
    /// Where to ask, best first.
    pub addresses: Vec<SocketAddr>,
    /// SHA-256 of the authority's certificate (DER).
    pub authority: [u8; 32],
    /// What proves the right to the name, once.
    pub secret: JoinSecret,
}

/// Why a text is not a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a join token ({0}); copy it whole, from `drover1:` on")]
pub struct TokenError(&'static str);

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

impl FromStr for Token {
    type Err = TokenError;
    fn from_str(text: &str) -> Result<Self, TokenError> {
        let rest =
            text.trim().strip_prefix("drover1:").ok_or(TokenError("it does not begin with drover1:"))?;
        // The addresses may hold ':' inside brackets, so the fields are taken from both ends.
        let (kind, rest) = rest.split_once(':').ok_or(TokenError("it ends too early"))?;
        let (name, rest) = rest.split_once(':').ok_or(TokenError("it ends too early"))?;
        let (rest, secret) = rest.rsplit_once(':').ok_or(TokenError("it ends too early"))?;
        let (addresses, authority) = rest.rsplit_once(':').ok_or(TokenError("it ends too early"))?;
        let kind = match kind {
            "sn" => Kind::ServiceNode,
            "node" => Kind::Agent,
            "operator" => Kind::Operator,
            _ => return Err(TokenError("its kind is none of sn, node, operator")),
        };
        let address = |one: &str| {
            let (ip, port) = one.rsplit_once('/')?;
            let ip = ip.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
            Some(SocketAddr::new(ip, port.parse().ok()?))
        };
        let addresses: Option<Vec<_>> = addresses.split(',').take(16).map(address).collect();
        Ok(Self {
            kind,
            name: name.parse().map_err(|_| TokenError("its name is none"))?,
            addresses: addresses.ok_or(TokenError("an address in it is none"))?,
            authority: hex(authority).ok_or(TokenError("its fingerprint is damaged"))?,
            secret: JoinSecret(hex(secret).ok_or(TokenError("its secret is damaged"))?),
        })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::ServiceNode => "sn",
            Kind::Agent => "node",
            Kind::Operator => "operator",
        };
        let addresses: Vec<String> = self
            .addresses
            .iter()
            .map(|address| match address {
                SocketAddr::V4(v4) => format!("{}/{}", v4.ip(), v4.port()),
                SocketAddr::V6(v6) => format!("[{}]/{}", v6.ip(), v6.port()),
            })
            .collect();
        write!(f, "drover1:{kind}:{}:{}:", self.name, addresses.join(","))?;
        self.authority.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(":")?;
        self.secret.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?} {})", self.kind, self.name)
    }
}

/// The question of a stranger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// [`super::PROTOCOL`].
    pub protocol: u32,
    /// What it wants to become.
    pub kind: Kind,
    /// Its name.
    pub name: NodeName,
    /// The public key to certify (SubjectPublicKeyInfo, DER).
    pub public_key: Vec<u8>,
    /// [`proof`] of the token.
    pub proof: [u8; 32],
}

/// A request as a service node relays it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayedJoin {
    /// The request.
    pub request: JoinRequest,
    /// The keying material of the session in which it arrived.
    pub exported: [u8; 32],
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinAnswer {
    /// The certificates, own first, then the authority's (DER), and what verifies slices.
    Welcome {
        /// The chain.
        chain: Vec<Vec<u8>>,
        /// The Ed25519 public key that verifies the signatures of slices.
        slice_key: [u8; 32],
    },
    /// No, and why; a wrong secret and an unknown name get the same words.
    Refused(String),
    /// Not now: who can sign is out of reach. Ask again.
    Later(String),
}

/// The proof of a token: keyed by its secret, over the session and the key to certify.
pub fn proof(secret: &JoinSecret, exported: &[u8; 32], public_key: &[u8]) -> [u8; 32] {
    let key = blake3::derive_key("drover 2026-11 join token proof", &secret.0);
    let mut hasher = blake3::Hasher::new_keyed(&key);
    hasher.update(exported).update(public_key);
    *hasher.finalize().as_bytes()
}

/// Whether `shown` proves `secret`; takes the same time whatever differs.
pub fn proves(secret: &JoinSecret, exported: &[u8; 32], public_key: &[u8], shown: &[u8; 32]) -> bool {
    // `blake3::Hash` compares in constant time.
    blake3::Hash::from_bytes(proof(secret, exported, public_key)) == blake3::Hash::from_bytes(*shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token() -> Token {
        Token {
            kind: Kind::ServiceNode,
            name: "sn1".parse().unwrap(),
            addresses: vec!["10.0.0.1:7700".parse().unwrap(), "[::1]:7700".parse().unwrap()],
            authority: [0xab; 32],
            secret: JoinSecret([7; 16]),
        }
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        assert_eq!(token().to_string().parse(), Ok(token()));
        assert!(!format!("{:?}", token()).contains("07"), "the secret is not shown");
    }

    #[test]
    fn a_proof_holds_for_one_secret_one_session_and_one_key() {
        let secret = JoinSecret([1; 16]);
        let shown = proof(&secret, &[2; 32], b"key");
        assert!(proves(&secret, &[2; 32], b"key", &shown));
        assert!(!proves(&JoinSecret([9; 16]), &[2; 32], b"key", &shown));
        assert!(!proves(&secret, &[3; 32], b"key", &shown));
        assert!(!proves(&secret, &[2; 32], b"other", &shown));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(drover1:)?\\PC{0,80}") {
            let _ = text.parse::<Token>();
        }
    }
}
