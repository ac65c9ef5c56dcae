//! The certificate authority, and the key that signs slices: the management node's alone.
//!
//! It certifies a public key and nothing else of what a stranger sends: role, dates and serial
//! number are ours. One file, `DIR/authority`, mode 0600, in a folder of mode 0700.
//!
//! Deliberately not here: who may have which role (tokens and policy are the management node's),
//! and lists of revoked certificates (a removed member is unknown to who would serve it).

use std::io;
use std::path::{Path, PathBuf};

use common::slice::{JoinSecret, Stamp};
use rcgen::{Issuer, KeyPair, PublicKeyData as _, SubjectPublicKeyInfo};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

use super::certificate;
use super::identity::{Identity, IdentityError, Role, fingerprint};
use crate::{clock, disk};

/// How long an authority holds: ten years.
const AUTHORITY_DAYS: u32 = 3653;

/// The longest public key that is certified, in bytes of DER; P-256 has 91, RSA of 4096 bits 550.
const MAX_PUBLIC_KEY: usize = 1024;

/// Why the authority did not do it.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// There is one already.
    #[error("{} exists; a second authority would shut out every member of the first", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
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
    /// The file is no authority.
    #[error("{} is damaged, or of a newer Drover", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// What shall be certified is no key that we take.
    #[error("this is not a public key that can be certified (ECDSA P-256 or Ed25519, DER)")]
    BadKey,
    /// The library refused to make or sign something.
    #[error("cannot make a key or certificate")]
    Crypto(#[source] rcgen::Error),
    /// The system has no randomness to give.
    #[error("cannot make a random key")]
    Random,
    /// What was made is not usable.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// The certificate authority of one site.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    slice_key: Ed25519KeyPair,
}

/// The file. Variants are only appended.
#[derive(Serialize, Deserialize)]
enum Stored {
    V1 {
        /// PKCS #8, DER.
        key: Vec<u8>,
        /// DER.
        certificate: Vec<u8>,
        /// PKCS #8, DER.
        slice_key: Vec<u8>,
    },
}

/// The name of the file in the management node's folder.
const FILE: &str = "authority";

impl Authority {
    /// Makes a new authority in `dir`, which is made, for its owner alone, if it is missing.
    ///
    /// # Errors
    /// When there is one already, or it cannot be made or written.
    pub fn create(dir: &Path, site_name: &str) -> Result<Self, AuthorityError> {
        let path = dir.join(FILE);
        if path.exists() {
            return Err(AuthorityError::Exists { path });
        }
        let key = KeyPair::generate().map_err(AuthorityError::Crypto)?;
        let params = certificate::authority_params(site_name, random()?, AUTHORITY_DAYS);
        let certificate = params.self_signed(&key).map_err(AuthorityError::Crypto)?;
        let slice_key =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| AuthorityError::Random)?;
        let stored = Stored::V1 {
            key: key.serialize_der(),
            certificate: certificate.der().to_vec(),
            slice_key: slice_key.as_ref().to_vec(),
        };
        let fail = |source| AuthorityError::Write { path: path.clone(), source };
        let bytes = postcard::to_stdvec(&stored).map_err(|error| fail(io::Error::other(error)))?;
        if !dir.exists() {
            disk::create_dir(dir, 0o700).map_err(fail)?;
        }
        disk::write_durably(&path, &bytes, 0o600).map_err(fail)?;
        Self::from_stored(stored).ok_or(AuthorityError::Unreadable { path })
    }

    /// The authority in `dir`.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn load(dir: &Path) -> Result<Self, AuthorityError> {
        let path = dir.join(FILE);
        let bytes =
            std::fs::read(&path).map_err(|source| AuthorityError::Read { path: path.clone(), source })?;
        let stored = postcard::from_bytes(&bytes).ok();
        stored.and_then(Self::from_stored).ok_or(AuthorityError::Unreadable { path })
    }

    fn from_stored(stored: Stored) -> Option<Self> {
        let Stored::V1 { key, certificate, slice_key } = stored;
        let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(key)).ok()?;
        let certificate = CertificateDer::from(certificate);
        let issuer = Issuer::from_ca_cert_der(&certificate, key).ok()?;
        let slice_key = Ed25519KeyPair::from_pkcs8(&slice_key).ok()?;
        Some(Self { certificate, issuer, slice_key })
    }

    /// SHA-256 of its certificate, which tokens carry.
    pub fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.certificate)
    }

    /// A certificate for the holder of `public_key_der` (SubjectPublicKeyInfo), which ends after
    /// `days` and never after the authority's own: the chain, own first, then the authority's.
    ///
    /// # Errors
    /// When these bytes are no key that we take.
    pub fn certify(
        &self,
        role: &Role,
        public_key_der: &[u8],
        days: u32,
    ) -> Result<Vec<Vec<u8>>, AuthorityError> {
        if public_key_der.len() > MAX_PUBLIC_KEY {
            return Err(AuthorityError::BadKey);
        }
        let key = SubjectPublicKeyInfo::from_der(public_key_der).map_err(|_| AuthorityError::BadKey)?;
        let algorithm = key.algorithm();
        let taken = algorithm == &rcgen::PKCS_ECDSA_P256_SHA256 || algorithm == &rcgen::PKCS_ED25519;
        // One key has one spelling, else the digest by which others know it would differ from what
        // stands in the certificate.
        if !taken || key.subject_public_key_info() != public_key_der {
            return Err(AuthorityError::BadKey);
        }
        let params = certificate::member_params(role, random()?, days.min(self.days_left()));
        let signed = params
            .ok_or(AuthorityError::BadKey)?
            .signed_by(&key, &self.issuer)
            .map_err(AuthorityError::Crypto)?;
        Ok(vec![signed.der().to_vec(), self.certificate.to_vec()])
    }

    fn days_left(&self) -> u32 {
        let end = certificate::not_after(&self.certificate).unwrap_or(0);
        u32::try_from(end.saturating_sub(clock::unix_seconds()) / 86_400).unwrap_or(u32::MAX)
    }

    /// The management node's own identity: a fresh key at each start, never on disk. Its certificate
    /// lasts as long as the authority: who could steal it from memory could steal the authority.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn own_identity(&self) -> Result<Identity, AuthorityError> {
        let key = KeyPair::generate().map_err(AuthorityError::Crypto)?;
        let chain = self.certify(&Role::ManagementNode, &key.subject_public_key_info(), AUTHORITY_DAYS)?;
        Ok(Identity::assemble(key.serialize_der(), chain, self.slice_key())?)
    }

    /// The signature (Ed25519) of a stamp.
    pub fn sign_stamp(&self, stamp: &Stamp) -> Vec<u8> {
        self.slice_key.sign(&stamp.signed_bytes()).as_ref().to_vec()
    }

    /// The public key that verifies [`Self::sign_stamp`].
    pub fn slice_key(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.slice_key.public_key().as_ref());
        bytes
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(…)")
    }
}

fn random<const N: usize>() -> Result<[u8; N], AuthorityError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| AuthorityError::Random)?;
    Ok(bytes)
}

/// A secret for a token.
///
/// # Panics
/// Never in practice: the kernel always has randomness once it has booted, and a guessable secret
/// would be worse than the end of the process.
#[expect(clippy::expect_used, reason = "a secret that is not random must not exist")]
pub fn random_secret() -> JoinSecret {
    JoinSecret(random().expect("the kernel gives random bytes"))
}

/// A random number, for seeds and for names of series.
///
/// # Panics
/// As [`random_secret`].
#[expect(clippy::expect_used, reason = "as in `random_secret`")]
pub fn random_u64() -> u64 {
    u64::from_ne_bytes(random().expect("the kernel gives random bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::id::{Digest, Generation};
    use std::os::unix::fs::PermissionsExt as _;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn an_authority_survives_a_restart_and_is_not_made_twice() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("mn");
        let made = Authority::create(&home, "lab").unwrap();
        let loaded = Authority::load(&home).unwrap();
        assert_eq!(made.fingerprint(), loaded.fingerprint());
        assert_eq!(made.slice_key(), loaded.slice_key());
        assert_eq!((mode(&home), mode(&home.join(FILE))), (0o700, 0o600));
        assert!(matches!(Authority::create(&home, "lab"), Err(AuthorityError::Exists { .. })));
    }

    #[test]
    fn a_stamp_is_verified_by_members_of_this_authority_alone() {
        let dir = tempfile::tempdir().unwrap();
        let ours = Authority::create(&dir.path().join("a"), "a").unwrap();
        let other = Authority::create(&dir.path().join("b"), "b").unwrap();
        let stamp = |generation| Stamp {
            sn: "sn1".parse().unwrap(),
            generation: Generation::new(generation),
            digest: Digest::of(b"x"),
        };
        let member = ours.own_identity().unwrap();
        assert!(member.verify_stamp(&stamp(1), &ours.sign_stamp(&stamp(1))));
        assert!(!member.verify_stamp(&stamp(2), &ours.sign_stamp(&stamp(1))));
        assert!(!member.verify_stamp(&stamp(1), &other.sign_stamp(&stamp(1))));
        assert!(!member.verify_stamp(&stamp(1), b""));
    }

    #[test]
    fn an_identity_is_kept_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create(&dir.path().join("a"), "a").unwrap();
        let home = dir.path().join("member");
        authority.own_identity().unwrap().save(&home).unwrap();
        assert!(Identity::exists(&home));
        assert_eq!((mode(&home), mode(&home.join("identity"))), (0o700, 0o600));
        let loaded = Identity::load(&home).unwrap();
        assert_eq!(loaded.role(), &Role::ManagementNode);
        assert_eq!(loaded.authority_fingerprint(), authority.fingerprint());
    }

    #[test]
    fn a_renewed_certificate_is_of_the_same_key_role_and_authority() {
        let dir = tempfile::tempdir().unwrap();
        let ours = Authority::create(&dir.path().join("a"), "a").unwrap();
        let other = Authority::create(&dir.path().join("b"), "b").unwrap();
        let [key, foreign] = [(); 2].map(|()| KeyPair::generate().unwrap());
        let role = |name: &str| Role::Operator(name.parse().unwrap());
        let chain = |authority: &Authority, name, key: &KeyPair, days| {
            authority.certify(&role(name), &key.subject_public_key_info(), days).unwrap()
        };
        let slice_key = ours.slice_key();
        let held = Identity::assemble(key.serialize_der(), chain(&ours, "kim", &key, 1), slice_key).unwrap();
        let renewed = held.renewed(chain(&ours, "kim", &key, 9)).unwrap();
        assert!(renewed.not_after() > held.not_after());
        assert_eq!(renewed.public_key(), held.public_key());
        assert!(held.renewed(chain(&ours, "root", &key, 9)).is_err());
        assert!(held.renewed(chain(&ours, "kim", &foreign, 9)).is_err());
        assert!(held.renewed(chain(&other, "kim", &key, 9)).is_err());
        assert!(held.renewed(Vec::new()).is_err());
    }

    #[test]
    fn bytes_that_are_no_key_are_not_certified() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create(dir.path(), "a").unwrap();
        for odd in [&b""[..], b"\x30\x00", &[0x30; 5000]] {
            let refused = authority.certify(&Role::ManagementNode, odd, 1);
            assert!(matches!(refused, Err(AuthorityError::BadKey)), "{refused:?}");
        }
    }
}
