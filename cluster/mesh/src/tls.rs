//! TLS as the mesh speaks it: version 1.3, host names ignored, since a node is its key. A peer that this node knows is recognised by that
//! key alone, so that authorities may change while one of both is away; of any other an authority of the cluster vouches for the key.

use crate::config::{BindError, MeshCertificates};
use octopussy_core::ids::NodeId;
use parking_lot::RwLock;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What members speak.
pub(crate) const ALPN_MESH: &[u8] = b"octo/1";
/// What a node speaks that wants to join.
pub(crate) const ALPN_JOIN: &[u8] = b"octo-join/1";
/// The name that is asked for. Nobody looks at it.
pub(crate) const SERVER_NAME: &str = "octopussy";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn bad(error: impl std::fmt::Display) -> BindError {
    BindError::Certificates(error.to_string())
}

/// The id of the node with this certificate: the first sixteen bytes of the SHA-256 of its SubjectPublicKeyInfo.
///
/// # Errors
/// A text that says why it is not a certificate.
pub fn node_id(certificate: &CertificateDer<'_>) -> Result<NodeId, String> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(|error| error.to_string())?;
    let digest: [u8; 32] = Sha256::digest(parsed.subject_public_key_info().as_ref()).into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    Ok(NodeId(id))
}

/// The fingerprint of an authority: the SHA-256 of its certificate. Joining nodes recognise the cluster by it.
#[must_use]
pub fn fingerprint(authority: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(authority.as_ref()).into()
}

fn roots<'a>(authorities: impl IntoIterator<Item = &'a CertificateDer<'static>>) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone())?;
    }
    Ok(Arc::new(roots))
}

/// The nodes that are recognised by their keys.
pub(crate) type KnownKeys = Arc<RwLock<HashSet<NodeId>>>;

/// Whether this is the certificate of a node that is known: that it has the key, the handshake proves.
fn is_known(known: &KnownKeys, certificate: &CertificateDer<'_>) -> bool {
    node_id(certificate).is_ok_and(|node| known.read().contains(&node))
}

/// TLS for those who connect: members show a certificate, those who join need none. Which of them it is, the ALPN says;
/// that members have shown one is checked after the handshake.
pub(crate) fn server(certificates: &MeshCertificates, known: &KnownKeys) -> Result<QuicServerConfig, BindError> {
    let under_authority =
        WebPkiClientVerifier::builder_with_provider(roots(&certificates.authorities).map_err(bad)?, provider())
            .allow_unauthenticated()
            // Which authorities there are is nothing that helps a peer to choose: it has one certificate.
            .clear_root_hint_subjects()
            .build()
            .map_err(bad)?;
    let verifier = Arc::new(PeerVerifier { under_authority, known: known.clone() });
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(bad)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates.chain(), certificates.key.clone_key())
        .map_err(bad)?;
    config.alpn_protocols = vec![ALPN_MESH.to_vec(), ALPN_JOIN.to_vec()];
    // A resumed session would outlive a certificate.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    QuicServerConfig::try_from(config).map_err(bad)
}

/// TLS for connecting to members.
pub(crate) fn client(certificates: &MeshCertificates, known: &KnownKeys) -> Result<QuicClientConfig, BindError> {
    let trust = Trust::Members { roots: roots(&certificates.authorities).map_err(bad)?, known: known.clone() };
    let mut config = builder(trust)
        .map_err(bad)?
        .with_client_auth_cert(certificates.chain(), certificates.key.clone_key())
        .map_err(bad)?;
    config.alpn_protocols = vec![ALPN_MESH.to_vec()];
    config.resumption = Resumption::disabled();
    QuicClientConfig::try_from(config).map_err(bad)
}

/// TLS for joining: no certificate to show, and the authority known by its fingerprint alone.
pub(crate) fn joiner(fingerprint: [u8; 32]) -> Result<QuicClientConfig, String> {
    let mut config = builder(Trust::Fingerprint(fingerprint)).map_err(|error| error.to_string())?.with_no_client_auth();
    config.alpn_protocols = vec![ALPN_JOIN.to_vec()];
    config.resumption = Resumption::disabled();
    QuicClientConfig::try_from(config).map_err(|error| error.to_string())
}

/// TLS without a certificate that names the protocol of members, as an intruder would.
#[cfg(test)]
pub(crate) fn without_certificate(fingerprint: [u8; 32], member: bool) -> QuicClientConfig {
    let mut config = builder(Trust::Fingerprint(fingerprint)).unwrap().with_no_client_auth();
    config.alpn_protocols = vec![if member { ALPN_MESH.to_vec() } else { ALPN_JOIN.to_vec() }];
    QuicClientConfig::try_from(config).unwrap()
}

fn builder(
    trust: Trust,
) -> Result<rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert>, Error> {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { trust, algorithms })))
}

/// Whom a client trusts.
#[derive(Debug)]
enum Trust {
    /// Whoever is known, and whoever an authority vouches for.
    Members { roots: Arc<RootCertStore>, known: KnownKeys },
    /// Whoever the authority with this fingerprint vouches for.
    Fingerprint([u8; 32]),
}

/// Checks that a server's certificate is signed by the authority. Host names are not looked at.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// The authority among what the server showed.
    fn roots(&self, shown: &[CertificateDer<'_>]) -> Result<Arc<RootCertStore>, Error> {
        let expected = match &self.trust {
            Trust::Members { roots, .. } => return Ok(roots.clone()),
            Trust::Fingerprint(expected) => expected,
        };
        let authority = shown.iter().find(|shown| bool::from(fingerprint(shown).ct_eq(expected)));
        let authority = authority.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        roots([&authority.clone().into_owned()])
    }

    fn knows(&self, certificate: &CertificateDer<'_>) -> bool {
        match &self.trust {
            Trust::Members { known, .. } => is_known(known, certificate),
            Trust::Fingerprint(_) => false,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.knows(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        let roots = self.roots(intermediates)?;
        let parsed = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, intermediates, now, self.algorithms.all)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Checks whoever connects: it is known by its key, or an authority has signed its certificate, or it shows none and can only ask to join.
#[derive(Debug)]
struct PeerVerifier {
    under_authority: Arc<dyn ClientCertVerifier>,
    known: KnownKeys,
}

impl ClientCertVerifier for PeerVerifier {
    fn offer_client_auth(&self) -> bool {
        self.under_authority.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.under_authority.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.under_authority.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if is_known(&self.known, end_entity) {
            return Ok(ClientCertVerified::assertion());
        }
        self.under_authority.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.under_authority.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.under_authority.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.under_authority.supported_verify_schemes()
    }
}
