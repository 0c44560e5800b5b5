//! Who this node is: the cluster's certificate authority, the node's own certificate, and the id that follows from its key.

mod admission;
mod authorities;
mod authority;
mod files;
mod leaf;
mod present;
mod served;

#[cfg(test)]
mod rotation_tests;
#[cfg(test)]
mod tests;

pub(crate) use admission::{NodeKey, check_credentials, requested_node, store_credentials};
pub(crate) use authorities::CommittedAuthority;
pub(crate) use authority::AuthorityKey;
pub(crate) use leaf::Renewal;
pub(crate) use present::PresentIdentity;

use authorities::Authorities;
use authority::Authority;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MemberRole;
use octopussy_core::time::Timestamp;
use octopussy_mesh::MeshCertificates;
use rcgen::{KeyPair, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use served::Served;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::OffsetDateTime;

/// The identity of this node, ready to serve.
#[derive(Clone)]
pub(crate) struct Identity {
    /// The first sixteen bytes of the SHA-256 of the certificate's public key. It outlives renewals: the key stays.
    pub(crate) node_id: NodeId,
    /// The certificates of the cluster's authorities, in PEM, the one that has signed this node's certificate first.
    pub(crate) ca_pem: String,
    /// What clients of this node's interfaces trust, in PEM: the cluster's authorities, or a guest's own.
    pub(crate) client_ca_pem: String,
    /// SHA-256 of the first authority's certificate, as join tokens name it.
    pub(crate) fingerprint: [u8; 32],
    /// The cluster's id, which follows from the key of the authority that it was founded with.
    pub(crate) cluster_id: String,
    /// The node's certificate.
    pub(crate) certificate: CertificateDer<'static>,
    /// The key of that certificate, in PKCS #8.
    key: Arc<KeyPair>,
    /// TLS as this node's interfaces speak it. It shows the newest certificate, whichever copy of the identity renewed it.
    pub(crate) server_config: Arc<rustls::ServerConfig>,
    served: Arc<Served>,
    authorities: Arc<Authorities>,
    /// Signs what a guest's interfaces show: nothing of the cluster's authority may let a guest stand for another host.
    own_authority: Option<Arc<Authority>>,
}

impl Identity {
    /// How the node shows on the mesh who it is.
    pub(crate) fn mesh_certificates(&self) -> MeshCertificates {
        MeshCertificates {
            authorities: self.authorities.trusted(),
            certificate: self.certificate.clone(),
            crosses: self.authorities.crosses.clone(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der())),
        }
    }

    /// Until when the node's certificate is good.
    pub(crate) fn expires_at(&self) -> Timestamp {
        leaf::expires_at(&self.certificate)
    }

    /// Whether the certificate is to be renewed now, and whether this node can do it.
    pub(crate) fn renewal(&self, now: Timestamp) -> Renewal {
        leaf::renewal(self.expires_at(), self.authorities.active.issuer.is_some(), now)
    }

    /// The identity with a new certificate for the same key, which is kept in `home/tls` and shown to clients from now on. A guest takes
    /// the one that is in its file, and the authority that has signed it.
    ///
    /// # Errors
    /// [`IdentityError`]; the old certificate stays in use.
    pub(crate) fn renewed(&self, home: &Path, extra_names: &[String], now: Timestamp) -> Result<Self, IdentityError> {
        let authorities = match self.own_authority {
            None => self.authorities.clone(),
            Some(_) => Arc::new(authorities::load_or_create(&home.join("tls"), AuthorityKey::Elsewhere, date(now)?)?),
        };
        self.under(authorities, home, extra_names, now)
    }

    /// The identity under these authorities of the cluster, of which the first signs; they are kept in `home/tls`, and so is a certificate
    /// of the first where its key is here. A guest trusts them from now on, and has to ask for a certificate.
    ///
    /// # Errors
    /// [`IdentityError`]; nothing else is used or shown than before.
    pub(crate) fn following(
        &self,
        committed: &[CommittedAuthority],
        home: &Path,
        extra_names: &[String],
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let authorities = match self.own_authority {
            None => Authorities::signing(committed, date(now)?)?,
            Some(_) => self.authorities.trusting(committed)?,
        };
        authorities.store(&home.join("tls"), &self.authorities)?;
        self.under(Arc::new(authorities), home, extra_names, now)
    }

    fn under(
        &self,
        authorities: Arc<Authorities>,
        home: &Path,
        extra_names: &[String],
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let (names, now, folder) = (leaf::names(extra_names)?, date(now)?, home.join("tls"));
        let certificate = leaf::load_or_issue(&folder.join("node.pem"), &self.key, &authorities.active, &names, now)?;
        let chain = match &self.own_authority {
            None => chain(&certificate, &authorities),
            Some(own) => own_chain(&folder.join(OWN), own, &self.key, &names, now)?,
        };
        self.served.exchange(chain, &self.key)?;
        let ca_pem = authorities.bundle();
        let client_ca_pem = if self.own_authority.is_some() { self.client_ca_pem.clone() } else { ca_pem.clone() };
        let fingerprint = authorities.active.fingerprint();
        Ok(Self { certificate, ca_pem, client_ca_pem, fingerprint, authorities, ..self.clone() })
    }

    /// The identity as a member of the cluster with this id, which outlives the authority that it follows from.
    pub(crate) fn in_cluster(self, cluster_id: String) -> Self {
        Self { cluster_id, ..self }
    }

    /// The certificates of the authorities that this node trusts, the one that has signed its own first.
    pub(crate) fn trusted(&self) -> Vec<CertificateDer<'static>> {
        self.authorities.trusted()
    }

    /// How many authorities before vouch for the one that signs now.
    pub(crate) fn crosses(&self) -> usize {
        self.authorities.crosses.len()
    }

    /// The certificate of the authority that has signed this node's.
    pub(crate) fn authority(&self) -> &CertificateDer<'static> {
        &self.authorities.active.der
    }

    /// The authority's key in PEM, for a member that is to admit others; `None` at a guest.
    pub(crate) fn authority_key(&self) -> Option<&str> {
        self.authorities.active.key_pem.as_ref().map(|key| key.as_str())
    }

    /// Signs a certificate for the key that `request` (PKCS #10, in DER) carries and proves; everything else in the request
    /// is ignored. Of `names`, which the cluster has committed, it covers those that can stand in a certificate.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`] when the request is not one, or the authority's key is not here.
    pub(crate) fn sign(&self, request: &[u8], names: &[String], role: MemberRole) -> Result<String, IdentityError> {
        admission::sign(&self.authorities.active, request, names, role, OffsetDateTime::now_utc())
    }

    /// The same, at a given moment.
    ///
    /// # Errors
    /// As for [`Identity::sign`].
    pub(crate) fn sign_at(
        &self,
        request: &[u8],
        names: &[String],
        role: MemberRole,
        now: Timestamp,
    ) -> Result<String, IdentityError> {
        admission::sign(&self.authorities.active, request, names, role, date(now)?)
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

/// The identity cannot be used. Nothing was overwritten: a file that cannot be read is left as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// A file cannot be read or written.
    #[error("cannot {doing} {}: {error}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why it failed.
        error: std::io::Error,
    },
    /// A file is there and is not what it should be.
    #[error("{} is damaged: {reason}; restore it from a backup, or remove the folder tls/ to get a new identity", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A private key that others can read. Nothing was read of it.
    #[error("{} can be read by others (mode {mode:03o}): run `chmod 600 {}`, and make a new identity if others had access",
        path.display(), path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A name that no certificate can carry.
    #[error("'{name}' cannot stand in a certificate: {reason}; use a host name or an IP address")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(String),
}

/// Loads the identity in `home/tls`, and makes what is missing: the authority (unless its key is `Elsewhere`), the node's
/// key, its certificate. The certificate is made anew, with the same key, when it has less than thirty days left or does not
/// cover this machine's names and addresses and `extra_names`.
///
/// # Errors
/// [`IdentityError`]; files that exist are never replaced by it, except a certificate that is renewed.
pub(crate) fn load_or_create(
    home: &Path,
    authority: AuthorityKey,
    extra_names: &[String],
) -> Result<Identity, IdentityError> {
    load_or_create_at(home, authority, extra_names, OffsetDateTime::now_utc())
}

/// Whether the authority whose certificate has this SHA-256 is one of those in `home`.
///
/// # Errors
/// [`IdentityError`] when the file of them is there and cannot be used.
pub(crate) fn is_under(home: &Path, fingerprint: &[u8; 32]) -> Result<bool, IdentityError> {
    let authorities = authorities::certificates(&home.join("tls"))?;
    Ok(authorities.iter().any(|authority| octopussy_mesh::fingerprint(authority) == *fingerprint))
}

/// Makes a new authority that is to take the place of the cluster's.
///
/// # Errors
/// [`IdentityError::Certificate`]: there is no randomness.
pub(crate) fn new_authority(now: Timestamp) -> Result<CommittedAuthority, IdentityError> {
    let key = KeyPair::generate().map_err(|error| IdentityError::Certificate(error.to_string()))?;
    let made = Authority::make(Path::new("a new authority"), &key, date(now)?)?;
    Ok(CommittedAuthority { certificate: made.der, key: made.key_pem })
}

/// Certificates as a PEM text.
pub(crate) fn to_pem(certificates: &[CertificateDer<'_>]) -> String {
    files::to_pem(certificates)
}

/// The id of the node whose home this is; `None` while the home has no node's key.
///
/// # Errors
/// [`IdentityError`] when the key is there and cannot be used.
pub(crate) fn node_of(home: &Path) -> Result<Option<NodeId>, IdentityError> {
    Ok(files::load_key(&home.join("tls").join("node.key"))?.as_ref().map(node_id))
}

fn load_or_create_at(
    home: &Path,
    held: AuthorityKey,
    extra_names: &[String],
    now: OffsetDateTime,
) -> Result<Identity, IdentityError> {
    let folder = home.join("tls");
    files::create_folder(&folder)?;
    let authorities = authorities::load_or_create(&folder, held, now)?;
    let key = files::load_or_create_key(&folder.join("node.key"))?;
    let names = leaf::names(extra_names)?;
    let certificate = leaf::load_or_issue(&folder.join("node.pem"), &key, &authorities.active, &names, now)?;
    let (own_authority, chain) = match held {
        AuthorityKey::Held => (None, chain(&certificate, &authorities)),
        AuthorityKey::Elsewhere => {
            let folder = folder.join(OWN);
            files::create_folder(&folder)?;
            let own = authorities::load_or_create(&folder, AuthorityKey::Held, now)?.active;
            let chain = own_chain(&folder, &own, &key, &names, now)?;
            (Some(Arc::new(own)), chain)
        }
    };
    let served = Arc::new(Served::new(chain, &key)?);
    let server_config = server_config(served.clone())?;
    let ca_pem = authorities.bundle();
    Ok(Identity {
        node_id: node_id(&key),
        client_ca_pem: own_authority
            .as_ref()
            .map_or_else(|| ca_pem.clone(), |own| files::to_pem(std::slice::from_ref(&own.der))),
        ca_pem,
        fingerprint: authorities.active.fingerprint(),
        cluster_id: authorities.active.cluster_id()?,
        certificate,
        key: Arc::new(key),
        server_config: Arc::new(server_config),
        served,
        authorities: Arc::new(authorities),
        own_authority,
    })
}

/// What a full member's interfaces show: a client that trusts any of the authorities finds its way to the node.
fn chain(certificate: &CertificateDer<'static>, authorities: &Authorities) -> Vec<CertificateDer<'static>> {
    let leads = authorities.crosses.iter().chain([&authorities.active.der]);
    std::iter::once(certificate).chain(leads).cloned().collect()
}

/// The folder below `tls` with a guest's own authority and what that has signed.
const OWN: &str = "own";

/// What a guest's interfaces show: a certificate for the node's key, by its own authority.
fn own_chain(
    folder: &Path,
    own: &Authority,
    key: &KeyPair,
    names: &leaf::Names,
    now: OffsetDateTime,
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    Ok(vec![leaf::load_or_issue(&folder.join("node.pem"), key, own, names, now)?, own.der.clone()])
}

fn date(at: Timestamp) -> Result<OffsetDateTime, IdentityError> {
    let date = i64::try_from(at.as_millis() / 1_000).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    date.ok_or_else(|| IdentityError::Certificate("the clock is beyond all time".to_owned()))
}

/// The node's id: the first sixteen bytes of the SHA-256 of the key's SubjectPublicKeyInfo (RFC 5280).
fn node_id(key: &impl PublicKeyData) -> NodeId {
    let digest: [u8; 32] = Sha256::digest(key.subject_public_key_info()).into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    NodeId(id)
}

fn server_config(served: Arc<Served>) -> Result<rustls::ServerConfig, IdentityError> {
    let made = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions();
    let made = made.map_err(|error| IdentityError::Certificate(error.to_string()))?;
    let mut config = made.with_no_client_auth().with_cert_resolver(served);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
