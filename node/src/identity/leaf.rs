//! The node's own certificate.

use super::authority::{Authority, CLOCK_SLACK};
use super::{IdentityError, files};
use octopussy_core::time::Timestamp;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PublicKeyData, SanType};
use rustls::pki_types::CertificateDer;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// How long a node's certificate is valid: below the 398 days that clients accept.
pub(super) const VALIDITY: Duration = Duration::days(397);
/// How long a guest's is valid: it cannot renew it by itself, and more than this is accepted nowhere.
pub(super) const GUEST_VALIDITY: Duration = Duration::days(825);
/// With how much time left a certificate is renewed.
const RENEW_BEFORE: Duration = Duration::days(30);

/// What is to be done about a certificate that will end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Nothing: it is good for long.
    NotDue,
    /// It is renewed here.
    Due,
    /// It ought to be renewed, and the authority's key is not here.
    Elsewhere,
}

/// Whether a certificate is renewed now that is good until `expires_at`; `signs` says whether the authority's key is here.
pub(super) fn renewal(expires_at: Timestamp, signs: bool, now: Timestamp) -> Renewal {
    match (now.plus(RENEW_BEFORE.unsigned_abs()) < expires_at, signs) {
        (true, _) => Renewal::NotDue,
        (false, true) => Renewal::Due,
        (false, false) => Renewal::Elsewhere,
    }
}

/// Until when the certificate is good; the beginning of time for one that cannot be read.
pub(super) fn expires_at(der: &CertificateDer<'_>) -> Timestamp {
    let Ok((_, leaf)) = X509Certificate::from_der(der) else { return Timestamp::EPOCH };
    let seconds = u64::try_from(leaf.validity().not_after.timestamp()).unwrap_or_default();
    Timestamp::EPOCH.plus(std::time::Duration::from_secs(seconds))
}

/// Names as a certificate carries them, in one spelling.
pub(super) type Names = BTreeSet<String>;

/// What the certificate has to cover: this machine under its usual names and the addresses of its networks, since clients
/// may speak to any node under any of them, and the configured names.
pub(super) fn names(extra: &[String]) -> Result<Names, IdentityError> {
    let mut names: Names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend(crate::cluster::local_addresses().into_iter().flatten().map(|address| address.to_string()));
    let host = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    if to_san(&host).is_ok() && !host.is_empty() {
        names.insert(host);
    }
    for name in extra {
        let name = name.trim().to_ascii_lowercase();
        to_san(&name)?;
        names.insert(name);
    }
    Ok(names)
}

/// The committed names of another node that can stand in a certificate: the others are left out, and never a wildcard.
pub(super) fn acceptable(wanted: &[String]) -> Names {
    let fits = |name: &String| !name.contains('*') && to_san(name).is_ok();
    wanted.iter().map(|name| name.trim().to_ascii_lowercase()).filter(fits).collect()
}

fn to_san(name: &str) -> Result<SanType, IdentityError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let bad = |reason: String| IdentityError::Name { name: name.to_owned(), reason };
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > 253
        || !name.split('.').enumerate().all(|(index, label)| fits(label) || (index == 0 && label == "*"))
    {
        return Err(bad("it is neither a host name nor an IP address".to_owned()));
    }
    name.to_owned().try_into().map(SanType::DnsName).map_err(|error: rcgen::Error| bad(error.to_string()))
}

/// The certificate in the file while it is good, otherwise a new one with the same key. Where nobody can sign, at a guest,
/// the one that is there has to do.
pub(super) fn load_or_issue(
    path: &Path,
    key: &KeyPair,
    authority: &Authority,
    names: &Names,
    now: OffsetDateTime,
) -> Result<CertificateDer<'static>, IdentityError> {
    let existing = files::read(path)?.map(|pem| files::parse_certificate(path, &pem)).transpose()?;
    if let Some(der) = &existing
        && is_good(der, key, authority, names, now)
    {
        return Ok(der.clone());
    }
    if authority.issuer.is_none() {
        return existing.filter(|der| is_of(der, key, authority)).ok_or_else(|| IdentityError::Damaged {
            path: path.to_owned(),
            reason: "it is missing or belongs to another key, and a guest cannot make one".to_owned(),
        });
    }
    let certificate = issue(key, authority, names, VALIDITY, now)?;
    files::write(path, &certificate.pem(), files::PUBLIC)?;
    Ok(certificate.der().clone())
}

/// A certificate for `key`, whoever has its private half.
pub(super) fn issue(
    key: &impl PublicKeyData,
    authority: &Authority,
    names: &Names,
    validity: Duration,
    now: OffsetDateTime,
) -> Result<rcgen::Certificate, IdentityError> {
    let issuer = authority
        .issuer
        .as_ref()
        .ok_or_else(|| IdentityError::Certificate("the authority's key is not on this node".to_owned()))?;
    params(names, validity, now)?.signed_by(key, issuer).map_err(|error| IdentityError::Certificate(error.to_string()))
}

/// Whether the certificate is this key's and of this authority.
pub(super) fn is_of(der: &CertificateDer<'_>, key: &impl PublicKeyData, authority: &Authority) -> bool {
    let Ok((_, leaf)) = X509Certificate::from_der(der) else { return false };
    leaf.public_key().raw == key.subject_public_key_info() && is_signed(der, &authority.der)
}

/// Whether the certificate is signed by the one of an authority.
pub(super) fn is_signed(der: &CertificateDer<'_>, authority: &CertificateDer<'_>) -> bool {
    let (Ok((_, leaf)), Ok((_, ca))) = (X509Certificate::from_der(der), X509Certificate::from_der(authority)) else {
        return false;
    };
    leaf.verify_signature(Some(ca.public_key())).is_ok()
}

/// Whether both certificates are of one key.
pub(super) fn same_key(one: &CertificateDer<'_>, other: &CertificateDer<'_>) -> bool {
    let (Ok((_, one)), Ok((_, other))) = (X509Certificate::from_der(one), X509Certificate::from_der(other)) else {
        return false;
    };
    one.public_key().raw == other.public_key().raw
}

/// Whether the certificate is this key's, of this authority, covers the names and will for a while.
fn is_good(der: &CertificateDer<'_>, key: &KeyPair, authority: &Authority, names: &Names, now: OffsetDateTime) -> bool {
    let Ok((_, leaf)) = X509Certificate::from_der(der) else { return false };
    let validity = leaf.validity();
    let lasts = validity.not_after.timestamp() > (now + RENEW_BEFORE).unix_timestamp();
    let began = validity.not_before.timestamp() <= now.unix_timestamp();
    lasts && began && is_of(der, key, authority) && names.is_subset(&covered(&leaf))
}

fn covered(leaf: &X509Certificate<'_>) -> Names {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else { return Names::new() };
    let names = extension.value.general_names.iter().filter_map(|name| {
        if let GeneralName::DNSName(name) = name {
            return Some((*name).to_owned());
        }
        let GeneralName::IPAddress(bytes) = name else { return None };
        let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
        v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
    });
    names.collect()
}

fn params(names: &Names, validity: Duration, now: OffsetDateTime) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "Octopussy");
    params.distinguished_name.push(DnType::CommonName, "Octopussy node");
    params.subject_alt_names = names.iter().map(|name| to_san(name)).collect::<Result<_, _>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = now - CLOCK_SLACK;
    params.not_after = now + validity;
    Ok(params)
}
