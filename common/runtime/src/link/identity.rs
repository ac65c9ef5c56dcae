//! Who one is: a key, a certificate chain, and with them the pinned authority.
//!
//! One file, `DIR/identity`, mode 0600, so that key and certificate can never come from different
//! days. It is versioned; a newer format is refused and not overwritten.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::id::{Digest, NodeName, SnName};
use common::slice::Stamp;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

use super::{certificate, tls};
use crate::disk;

/// What a member is, as its certificate says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The management node.
    ManagementNode,
    /// A service node.
    ServiceNode(SnName),
    /// The agent of a compute node.
    Agent(NodeName),
    /// An operator on a workstation.
    Operator(NodeName),
}

impl Role {
    /// As it stands in the certificate: `drover://mn`, `drover://sn/NAME`, `drover://node/NAME`,
    /// `drover://operator/NAME`.
    pub fn uri(&self) -> String {
        match self {
            Self::ManagementNode => "drover://mn".to_owned(),
            Self::ServiceNode(name) => format!("drover://sn/{name}"),
            Self::Agent(name) => format!("drover://node/{name}"),
            Self::Operator(name) => format!("drover://operator/{name}"),
        }
    }

    /// The role that a certificate's URI names.
    pub fn from_uri(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("drover://")?;
        if rest == "mn" {
            return Some(Self::ManagementNode);
        }
        match rest.split_once('/')? {
            ("sn", name) => name.parse().ok().map(Self::ServiceNode),
            ("node", name) => name.parse().ok().map(Self::Agent),
            ("operator", name) => name.parse().ok().map(Self::Operator),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ManagementNode => f.write_str("the management node"),
            Self::ServiceNode(name) => write!(f, "service node {name}"),
            Self::Agent(name) => write!(f, "the agent of {name}"),
            Self::Operator(name) => write!(f, "operator {name}"),
        }
    }
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is no identity.
    #[error("{} is damaged, or of a newer Drover; join again", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// The parts do not fit together.
    #[error("the certificate {0}")]
    Odd(&'static str),
}

/// Who one is. Clones share it; `Debug` does not show the key.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    stored: StoredV1,
    role: Role,
    not_after: u64,
    authority_fingerprint: [u8; 32],
}

/// The file. Variants are only appended.
#[derive(Serialize, Deserialize)]
enum Stored {
    V1(StoredV1),
}

#[derive(Clone, Serialize, Deserialize)]
struct StoredV1 {
    /// PKCS #8, DER.
    key: Vec<u8>,
    /// Own, then the authority's; DER.
    chain: [Vec<u8>; 2],
    slice_key: [u8; 32],
}

/// The name of the file in a member's folder.
const FILE: &str = "identity";

impl Identity {
    /// The identity in `dir`.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn load(dir: &Path) -> Result<Self, IdentityError> {
        let path = dir.join(FILE);
        let bytes =
            std::fs::read(&path).map_err(|source| IdentityError::Read { path: path.clone(), source })?;
        let Ok(Stored::V1(stored)) = postcard::from_bytes(&bytes) else {
            return Err(IdentityError::Unreadable { path });
        };
        Self::from_stored(stored)
    }

    /// Keeps the identity in `dir`, which is made, for its owner alone, if it is missing. What was
    /// there is replaced, whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        let path = dir.join(FILE);
        let fail = |source| IdentityError::Write { path: path.clone(), source };
        let bytes = postcard::to_stdvec(&Stored::V1(self.inner.stored.clone()))
            .map_err(|error| fail(io::Error::other(error)))?;
        disk::create_dir(dir, 0o700).map_err(fail)?;
        disk::write_durably(&path, &bytes, 0o600).map_err(fail)
    }

    /// Whether `dir` holds an identity, readable or not.
    pub fn exists(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    /// Puts an identity together and checks that the parts belong together. That the chain holds is
    /// the caller's to check (`join` does) or to know.
    pub(super) fn assemble(
        key: Vec<u8>,
        chain: Vec<Vec<u8>>,
        slice_key: [u8; 32],
    ) -> Result<Self, IdentityError> {
        let chain = <[Vec<u8>; 2]>::try_from(chain)
            .map_err(|_| IdentityError::Odd("is not followed by exactly its authority's"))?;
        Self::from_stored(StoredV1 { key, chain, slice_key })
    }

    fn from_stored(stored: StoredV1) -> Result<Self, IdentityError> {
        let [own, authority] = &stored.chain;
        let facts = certificate::read(own).map_err(IdentityError::Odd)?;
        let private = PrivatePkcs8KeyDer::from(stored.key.as_slice());
        let pair = rcgen::KeyPair::try_from(&private).map_err(|_| IdentityError::Odd("has no usable key"))?;
        if rcgen::PublicKeyData::subject_public_key_info(&pair) != facts.public_key {
            return Err(IdentityError::Odd("belongs to another key"));
        }
        let authority_fingerprint = fingerprint(authority);
        let inner = Inner { role: facts.role, not_after: facts.not_after, authority_fingerprint, stored };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What its certificate says it is.
    pub fn role(&self) -> &Role {
        &self.inner.role
    }

    /// SHA-256 of the authority's certificate.
    pub fn authority_fingerprint(&self) -> [u8; 32] {
        self.inner.authority_fingerprint
    }

    /// Whether the management node signed this stamp.
    pub fn verify_stamp(&self, stamp: &Stamp, signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.inner.stored.slice_key);
        key.verify(&stamp.signed_bytes(), signature).is_ok()
    }

    /// When its certificate ends, in seconds since 1970.
    pub fn not_after(&self) -> u64 {
        self.inner.not_after
    }

    /// BLAKE3 of its public key, as others see it in [`super::connection::Link::peer_key`].
    pub fn key_digest(&self) -> Option<Digest> {
        let [own, _] = &self.inner.stored.chain;
        certificate::read(own).ok().map(|facts| Digest::of(&facts.public_key))
    }

    /// Its public key (SubjectPublicKeyInfo, DER).
    pub fn public_key(&self) -> Option<Vec<u8>> {
        let [own, _] = &self.inner.stored.chain;
        certificate::read(own).ok().map(|facts| facts.public_key)
    }

    /// The same with another certificate of the same authority, for the same key and role.
    ///
    /// # Errors
    /// When it is not that.
    pub fn renewed(&self, chain: Vec<Vec<u8>>) -> Result<Self, IdentityError> {
        let StoredV1 { key, slice_key, .. } = self.inner.stored.clone();
        let renewed = Self::assemble(key, chain, slice_key)?;
        if renewed.authority_fingerprint() != self.authority_fingerprint() {
            return Err(IdentityError::Odd("is of another authority"));
        }
        if renewed.role() != self.role() {
            return Err(IdentityError::Odd("is for someone else"));
        }
        let [own, authority] = &renewed.inner.stored.chain;
        tls::check_chain(own, authority).map_err(|_| IdentityError::Odd("does not hold"))?;
        Ok(renewed)
    }

    pub(super) fn authority(&self) -> CertificateDer<'static> {
        let [_, authority] = &self.inner.stored.chain;
        CertificateDer::from(authority.clone())
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.inner.stored.chain.iter().cloned().map(CertificateDer::from).collect()
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.inner.stored.key.clone()).into()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.inner.role)
    }
}

/// SHA-256 of a certificate.
pub(super) fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, certificate).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_role_is_read_as_it_was_written() {
        for uri in ["drover://mn", "drover://sn/sn1", "drover://node/w1.a_b", "drover://operator/kim"] {
            assert_eq!(Role::from_uri(uri).unwrap().uri(), uri);
        }
        for odd in ["drover://mn/x", "drover://sn/", "drover://sn/../x", "http://sn/sn1", "drover://x/y"] {
            assert_eq!(Role::from_uri(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_damaged_file_is_refused_with_a_way_out() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), b"\x07nonsense").unwrap();
        let error = Identity::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("join again"), "{error}");
    }

    proptest! {
        #[test]
        fn no_uri_panics(uri in "(drover://)?\\PC{0,40}") {
            let _ = Role::from_uri(&uri);
        }
    }
}
