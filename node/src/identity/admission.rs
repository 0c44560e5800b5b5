//! Certificates for others: the request a machine makes, what the authority signs, and how the machine keeps what it got.

use super::authority::{Authority, AuthorityKey};
use super::{IdentityError, files, leaf, node_id};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MemberRole;
use rcgen::{CertificateParams, CertificateSigningRequestParams, KeyPair};
use rustls::pki_types::CertificateSigningRequestDer;
use std::path::Path;
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// The key of a node that has no certificate yet. It stays the same over all attempts to join, so that an answer that was
/// lost can be asked for again.
#[derive(Debug)]
pub(crate) struct NodeKey {
    key: KeyPair,
    /// The id that follows from it.
    pub(crate) node_id: NodeId,
}

impl NodeKey {
    /// The key in `home/tls`, made when there is none.
    ///
    /// # Errors
    /// [`IdentityError`]; a key that is there is never replaced.
    pub(crate) fn load_or_create(home: &Path) -> Result<Self, IdentityError> {
        let folder = home.join("tls");
        files::create_folder(&folder)?;
        let key = files::load_or_create_key(&folder.join("node.key"))?;
        Ok(Self { node_id: node_id(&key), key })
    }

    /// A certificate signing request (PKCS #10, in DER): the public key, and the proof of having the private one.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`].
    pub(crate) fn signing_request(&self) -> Result<Vec<u8>, IdentityError> {
        let request = CertificateParams::default()
            .serialize_request(&self.key)
            .map_err(|error| IdentityError::Certificate(error.to_string()))?;
        Ok(request.der().to_vec())
    }
}

/// The node whose key the request carries and proves.
///
/// # Errors
/// [`IdentityError::Certificate`] when it is no request, or does not prove the key.
pub(crate) fn requested_node(request: &[u8]) -> Result<NodeId, IdentityError> {
    decode(request).map(|request| node_id(&request.public_key))
}

/// Decoding checks the request's own signature: whoever made it has the private key.
fn decode(request: &[u8]) -> Result<CertificateSigningRequestParams, IdentityError> {
    CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request))
        .map_err(|error| IdentityError::Certificate(format!("the signing request is not acceptable: {error}")))
}

/// A certificate, in PEM, for the key that the request proves.
pub(super) fn sign(
    authority: &Authority,
    request: &[u8],
    names: &[String],
    role: MemberRole,
    now: OffsetDateTime,
) -> Result<String, IdentityError> {
    let request = decode(request)?;
    let validity = match role {
        MemberRole::Full => leaf::VALIDITY,
        MemberRole::Guest => leaf::GUEST_VALIDITY,
    };
    let names = leaf::acceptable(names);
    let certificate = leaf::issue(&request.public_key, authority, &names, validity, now)?;
    Ok(certificate.pem())
}

/// Checks what a cluster handed over before any of it is kept: the authority that the token names is one of those in `authority`, the key
/// (if there is one) is the first one's, and the certificate is of that one for this node's key.
///
/// # Errors
/// [`IdentityError::Certificate`] with what does not fit.
pub(crate) fn check_credentials(
    key: &NodeKey,
    fingerprint: [u8; 32],
    authority: &str,
    authority_key: Option<&str>,
    certificate: &str,
) -> Result<(), IdentityError> {
    let answer = Path::new("the cluster's answer");
    let authorities = files::parse_certificates(answer, authority)?;
    if !authorities.iter().any(|authority| octopussy_mesh::fingerprint(authority) == fingerprint) {
        return Err(IdentityError::Certificate(
            "it comes from another cluster than the one the token names".to_owned(),
        ));
    }
    let first = authorities.into_iter().next().ok_or_else(|| IdentityError::Certificate("it is empty".to_owned()))?;
    let authority = Authority::new(answer, first, authority_key.map(|key| Zeroizing::new(key.to_owned())))?;
    let certificate = files::parse_certificate(answer, certificate)?;
    if !leaf::is_of(&certificate, &key.key, &authority) {
        return Err(IdentityError::Certificate("it was made for another node".to_owned()));
    }
    Ok(())
}

/// Keeps what the cluster handed over in `home/tls`, in place of whatever authority was there; the node's key stays. May be
/// repeated after a crash.
///
/// # Errors
/// [`IdentityError::File`].
pub(crate) fn store_credentials(
    home: &Path,
    authority: &str,
    authority_key: Option<&str>,
    certificate: &str,
) -> Result<AuthorityKey, IdentityError> {
    let folder = home.join("tls");
    files::create_folder(&folder)?;
    // The key first: an authority's certificate without the key it should have would be called damaged.
    match authority_key {
        Some(key) => files::write(&folder.join("ca.key"), key, files::PRIVATE)?,
        None => files::remove(&folder.join("ca.key"))?,
    }
    files::write(&folder.join("ca.pem"), authority, files::PUBLIC)?;
    files::write(&folder.join("node.pem"), certificate, files::PUBLIC)?;
    Ok(if authority_key.is_some() { AuthorityKey::Held } else { AuthorityKey::Elsewhere })
}
