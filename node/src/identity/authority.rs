//! One certificate authority of the cluster.

use super::IdentityError;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use std::path::Path;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

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
    pub(super) der: CertificateDer<'static>,
    /// Its key, in PEM; `None` at a guest.
    pub(super) key_pem: Option<Zeroizing<String>>,
    /// What signs; `None` at a guest.
    pub(super) issuer: Option<Issuer<'static, KeyPair>>,
}

impl Authority {
    /// The authority of a certificate and, where it is, its key.
    pub(super) fn new(
        path: &Path,
        der: CertificateDer<'static>,
        key_pem: Option<Zeroizing<String>>,
    ) -> Result<Self, IdentityError> {
        let damaged = |reason: String| IdentityError::Damaged { path: path.to_owned(), reason };
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
        Ok(Self { der, key_pem, issuer })
    }

    /// A new authority.
    pub(super) fn make(path: &Path, key: &KeyPair, now: OffsetDateTime) -> Result<Self, IdentityError> {
        let failed = |error: rcgen::Error| IdentityError::Certificate(error.to_string());
        let made = params(key, now).self_signed(key).map_err(failed)?;
        Self::new(path, made.der().clone(), Some(Zeroizing::new(key.serialize_pem())))
    }

    /// The certificate that `newer` has of this authority: whoever trusts this one trusts `newer` by it.
    pub(super) fn vouch_for(
        &self,
        newer: &Self,
        now: OffsetDateTime,
    ) -> Result<CertificateDer<'static>, IdentityError> {
        let missing = || IdentityError::Certificate("the key of an authority is not on this node".to_owned());
        let (ours, theirs) = (self.issuer.as_ref().ok_or_else(missing)?, newer.issuer.as_ref().ok_or_else(missing)?);
        let mut params = params(theirs.key(), now);
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(theirs.key(), ours);
        signed.map(|signed| signed.der().clone()).map_err(|error| IdentityError::Certificate(error.to_string()))
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
pub(super) fn check_begin(path: &Path, authority: &Authority, now: OffsetDateTime) {
    let Ok((_, parsed)) = X509Certificate::from_der(&authority.der) else { return };
    let validity = parsed.validity();
    if validity.not_before.timestamp() > now.unix_timestamp() {
        tracing::warn!(
            "the authority's certificate in {} begins on {}, and this machine's clock says {now}: clients will not trust it. If \
             the clock is wrong, set it (`timedatectl`). If it was wrong when the cluster was founded, let `octopussy cluster \
             rotate-ca` make another authority",
            path.display(),
            validity.not_before
        );
    }
}

fn params(key: &impl PublicKeyData, now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    // Its name follows from its key: whoever is shown certificates of two authorities tells them apart, and one that is made anew from
    // the same key has the same name.
    let digest: [u8; 32] = Sha256::digest(key.subject_public_key_info()).into();
    let name = format!("Octopussy cluster authority {}", crate::cluster::hex(&digest[..8]));
    params.distinguished_name.push(DnType::OrganizationName, "Octopussy");
    params.distinguished_name.push(DnType::CommonName, name);
    // The next authority stands between this one and the certificates of nodes while one takes the place of the other.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let begins = OffsetDateTime::UNIX_EPOCH + Duration::seconds(BEGINS);
    params.not_before = begins.min(now - CLOCK_SLACK);
    params.not_after = begins.max(now) + VALIDITY;
    params
}
