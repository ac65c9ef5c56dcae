//! What Drover reads in a certificate, and what it writes into one.
//!
//! The chain, the dates and the signature are `rustls`' to check; here are only our own facts.
//! X.509: RFC 5280. The role is a URI among the subject's alternative names (§4.2.1.6).

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType, SerialNumber,
};
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use super::identity::Role;
use crate::clock;

/// Certificates begin to hold this long before they are issued, for clocks that are behind.
const BACKDATED: Duration = Duration::minutes(30);

/// What we read in a member's certificate.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) role: Role,
    /// SubjectPublicKeyInfo, DER.
    pub(super) public_key: Vec<u8>,
    /// Seconds since 1970.
    pub(super) not_after: u64,
}

/// Reads a certificate; the error completes "the certificate of X …".
pub(super) fn read(der: &[u8]) -> Result<Facts, &'static str> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| "cannot be read")?;
    if !rest.is_empty() {
        return Err("has bytes after its end");
    }
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| "has alternative names that cannot be read")?
        .ok_or("names no role")?;
    let mut roles = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let role = roles.next().and_then(Role::from_uri).ok_or("names no role")?;
    if roles.next().is_some() {
        return Err("names several roles");
    }
    Ok(Facts {
        role,
        public_key: certificate.public_key().raw.to_vec(),
        not_after: u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0),
    })
}

/// The end of an authority's certificate, in seconds since 1970.
pub(super) fn not_after(der: &[u8]) -> Option<u64> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    u64::try_from(certificate.validity().not_after.timestamp()).ok()
}

/// The certificate of a new authority.
pub(super) fn authority_params(site: &str, serial: [u8; 16], days: u32) -> CertificateParams {
    let mut params = dated(serial, days);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // At most 64 characters (RFC 5280 appendix A, ub-common-name).
    let site: String = site.chars().take(40).collect();
    params.distinguished_name.push(DnType::CommonName, format!("Drover authority {site}"));
    params
}

/// The certificate of a member; none when the role does not fit a certificate.
pub(super) fn member_params(role: &Role, serial: [u8; 16], days: u32) -> Option<CertificateParams> {
    let mut params = dated(serial, days);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Service nodes listen and dial; one certificate serves both.
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![SanType::URI(role.uri().try_into().ok()?)];
    params.use_authority_key_identifier_extension = true;
    Some(params)
}

fn dated(mut serial: [u8; 16], days: u32) -> CertificateParams {
    // Positive, and at most 20 octets (RFC 5280 §4.1.2.2).
    serial[0] = (serial[0] & 0x7f) | 0x40;
    let now = OffsetDateTime::from(clock::unix_time());
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    // The default holds a common name of the library's.
    params.distinguished_name = DistinguishedName::new();
    params.not_before = now.saturating_sub(BACKDATED);
    params.not_after = now.saturating_add(Duration::days(i64::from(days)));
    params
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_from_anywhere_are_no_certificate(bytes: Vec<u8>) {
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn a_damaged_certificate_does_not_panic(at in 0usize..400, with: u8) {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = member_params(&Role::ManagementNode, [7; 16], 1).unwrap();
            let mut der = params.self_signed(&key).unwrap().der().to_vec();
            if let Some(byte) = der.get_mut(at) {
                *byte = with;
            }
            let _ = read(&der);
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let role = Role::ServiceNode("sn1".parse().unwrap());
        let certificate = member_params(&role, [0xff; 16], 2).unwrap().self_signed(&key).unwrap();
        let facts = read(certificate.der()).unwrap();
        assert_eq!(facts.role, role);
        let in_two_days = clock::unix_seconds() + 2 * 86_400;
        assert!(facts.not_after.abs_diff(in_two_days) < 60);
    }
}
