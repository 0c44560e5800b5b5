//! The cluster's own certificate authority.

use super::{IdentityError, files};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::CertificateDer;
use std::path::Path;
use time::{Duration, OffsetDateTime};

/// How long the authority is valid: longer than the hardware it is made for.
const VALIDITY: Duration = Duration::days(3_650);
/// How far before its making a certificate is valid: boards without a clock battery start in the past.
pub(super) const CLOCK_SLACK: Duration = Duration::days(1);

/// The authority, ready to sign.
#[derive(Debug)]
pub(super) struct Authority {
    /// Its certificate.
    pub(super) pem: String,
    /// The same, in DER.
    pub(super) der: CertificateDer<'static>,
    /// What signs.
    pub(super) issuer: Issuer<'static, KeyPair>,
}

/// Loads the authority from the folder, or makes one.
pub(super) fn load_or_create(folder: &Path, now: OffsetDateTime) -> Result<Authority, IdentityError> {
    let (key_path, path) = (folder.join("ca.key"), folder.join("ca.pem"));
    let existing = files::read(&path)?;
    if existing.is_some() && !key_path.exists() {
        return Err(IdentityError::Damaged { path: key_path, reason: "the authority's key is missing".to_owned() });
    }
    let key = files::load_or_create_key(&key_path)?;
    let pem = match existing {
        Some(pem) => pem,
        None => {
            let pem =
                params(now).self_signed(&key).map_err(|error| IdentityError::Certificate(error.to_string()))?.pem();
            files::write(&path, &pem, files::PUBLIC)?;
            pem
        }
    };
    let der = files::parse_certificate(&path, &pem)?;
    let issuer = Issuer::from_ca_cert_der(&der, key)
        .map_err(|error| IdentityError::Damaged { path, reason: error.to_string() })?;
    Ok(Authority { pem, der, issuer })
}

fn params(now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "Octopussy");
    params.distinguished_name.push(DnType::CommonName, "Octopussy cluster authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - CLOCK_SLACK;
    params.not_after = now + VALIDITY;
    params
}
