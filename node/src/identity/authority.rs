//! The cluster's own certificate authority.

use super::{IdentityError, files};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use std::path::Path;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// How long the authority is valid: longer than the hardware it is made for.
const VALIDITY: Duration = Duration::days(3_650);
/// How far before its making a certificate is valid: boards without a clock battery start in the past.
pub(super) const CLOCK_SLACK: Duration = Duration::days(1);

/// When an authority's certificate begins at the latest, in seconds since 1970: with the year 2025, before there was anything
/// to found. A board without a clock battery may found a cluster in any year; its certificate must not begin after the day
/// on which the clock is put right, nor have ended by then.
const BEGINS: i64 = 1_735_689_600;

/// Whether a node has to have the authority's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthorityKey {
    /// It has: it founded the cluster or is a full member, and admits others.
    Held,
    /// It has not: it is a guest.
    Elsewhere,
}

/// The authority, ready to sign when its key is here.
#[derive(Debug)]
pub(super) struct Authority {
    /// Its certificate.
    pub(super) pem: String,
    /// The same, in DER.
    pub(super) der: CertificateDer<'static>,
    /// Its key, in PEM; `None` at a guest.
    pub(super) key_pem: Option<String>,
    /// What signs; `None` at a guest.
    pub(super) issuer: Option<Issuer<'static, KeyPair>>,
}

impl Authority {
    /// The authority of a certificate and its key as texts.
    pub(super) fn from_texts(path: &Path, pem: String, key_pem: Option<String>) -> Result<Self, IdentityError> {
        let damaged = |reason: String| IdentityError::Damaged { path: path.to_owned(), reason };
        let der = files::parse_certificate(path, &pem)?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| damaged(error.to_string()))?;
        let issuer = match &key_pem {
            None => None,
            Some(text) => {
                let key = KeyPair::from_pem(text).map_err(|error| damaged(error.to_string()))?;
                if parsed.public_key().raw != key.subject_public_key_info() {
                    return Err(damaged("the authority's key belongs to another certificate".to_owned()));
                }
                Some(Issuer::from_ca_cert_der(&der, key).map_err(|error| damaged(error.to_string()))?)
            }
        };
        Ok(Self { pem, der, key_pem, issuer })
    }

    /// SHA-256 of the certificate, as a join token names it.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// The cluster's id: the first sixteen bytes of the SHA-256 of the authority's public key, in hexadecimal.
    pub(super) fn cluster_id(&self) -> Result<String, IdentityError> {
        let (_, parsed) =
            X509Certificate::from_der(&self.der).map_err(|error| IdentityError::Certificate(error.to_string()))?;
        let digest: [u8; 32] = Sha256::digest(parsed.public_key().raw).into();
        Ok(crate::cluster::hex(&digest[..16]))
    }
}

/// Says that the certificate in `path` begins later than now, and what can be done about it.
fn check_begin(path: &Path, authority: &Authority, now: OffsetDateTime) {
    let Ok((_, parsed)) = X509Certificate::from_der(&authority.der) else { return };
    let validity = parsed.validity();
    if validity.not_before.timestamp() > now.unix_timestamp() {
        tracing::warn!(
            "the authority's certificate in {} begins on {}, and this machine's clock says {now}: clients will not trust it. If \
             the clock is wrong, set it (`timedatectl`). If it was wrong when the cluster was founded, move that file away and \
             start again, at each full member: it is made anew from the authority's key, and everybody's certificate stays good",
            path.display(),
            validity.not_before
        );
    }
}

/// Loads the authority from the folder, or makes one where its key has to be.
pub(super) fn load_or_create(
    folder: &Path,
    held: AuthorityKey,
    now: OffsetDateTime,
) -> Result<Authority, IdentityError> {
    let (key_path, path) = (folder.join("ca.key"), folder.join("ca.pem"));
    let existing = files::read(&path)?;
    match (existing, held) {
        (Some(pem), AuthorityKey::Elsewhere) => Authority::from_texts(&path, pem, None),
        (None, AuthorityKey::Elsewhere) => {
            Err(IdentityError::Damaged { path, reason: "the authority's certificate is missing".to_owned() })
        }
        (Some(pem), AuthorityKey::Held) => match files::read_key(&key_path)? {
            Some(key) => {
                let authority = Authority::from_texts(&path, pem, Some(key))?;
                check_begin(&path, &authority, now);
                Ok(authority)
            }
            None => Err(IdentityError::Damaged { path: key_path, reason: "the authority's key is missing".to_owned() }),
        },
        (None, AuthorityKey::Held) => {
            let key = files::load_or_create_key(&key_path)?;
            let made = params(now).self_signed(&key).map_err(|error| IdentityError::Certificate(error.to_string()))?;
            files::write(&path, &made.pem(), files::PUBLIC)?;
            Authority::from_texts(&path, made.pem(), Some(key.serialize_pem()))
        }
    }
}

fn params(now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "Octopussy");
    params.distinguished_name.push(DnType::CommonName, "Octopussy cluster authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let begins = OffsetDateTime::UNIX_EPOCH + Duration::seconds(BEGINS);
    params.not_before = begins.min(now - CLOCK_SLACK);
    params.not_after = begins.max(now) + VALIDITY;
    params
}
