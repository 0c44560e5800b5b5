//! The authorities that a node goes by: the one that signs, and others that are trusted as well while one takes the place of another.
//!
//! `ca.pem` has the certificates of all of them, so that a client that is given this file gets through every change; `ca.key` has the key
//! of the one that signs, and `cross.pem` what leads from that one to those before it.

use super::authority::{Authority, AuthorityKey, check_begin};
use super::{IdentityError, files, leaf};
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use std::path::Path;
use time::OffsetDateTime;
use zeroize::Zeroizing;

const CERTIFICATES: &str = "ca.pem";
const KEY: &str = "ca.key";
const CROSSES: &str = "cross.pem";

/// An authority as the cluster has committed it.
#[derive(Debug, Clone)]
pub(crate) struct CommittedAuthority {
    /// Its certificate.
    pub(crate) certificate: CertificateDer<'static>,
    /// Its key, in PEM, where this node needs it.
    pub(crate) key: Option<Zeroizing<String>>,
}

impl CommittedAuthority {
    fn load(&self) -> Result<Authority, IdentityError> {
        Authority::new(Path::new("the cluster's authority"), self.certificate.clone(), self.key.clone())
    }
}

/// The authorities of a node.
#[derive(Debug)]
pub(super) struct Authorities {
    /// Which signs, and has signed this node's certificate.
    pub(super) active: Authority,
    /// Those that are trusted as well.
    pub(super) others: Vec<CertificateDer<'static>>,
    /// The certificate of the active one, as those before it have signed it.
    pub(super) crosses: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// One alone.
    pub(super) const fn alone(active: Authority) -> Self {
        Self { active, others: Vec::new(), crosses: Vec::new() }
    }

    /// The certificates of all of them, the active one first.
    pub(super) fn trusted(&self) -> Vec<CertificateDer<'static>> {
        std::iter::once(&self.active.der).chain(&self.others).cloned().collect()
    }

    /// The same, in PEM.
    pub(super) fn bundle(&self) -> String {
        files::to_pem(&self.trusted())
    }

    /// Those that the cluster has committed, the first of which signs, for a node that has their keys.
    pub(super) fn signing(committed: &[CommittedAuthority], now: OffsetDateTime) -> Result<Self, IdentityError> {
        let (first, others) = committed
            .split_first()
            .ok_or_else(|| IdentityError::Certificate("the cluster has no authority".to_owned()))?;
        let active = first.load()?;
        // Those without a key are offered, and nobody trusts them alone yet.
        let before = others.iter().filter(|other| other.key.is_some());
        let crosses = before.map(|other| other.load()?.vouch_for(&active, now)).collect::<Result<_, _>>()?;
        Ok(Self { active, others: others.iter().map(|other| other.certificate.clone()).collect(), crosses })
    }

    /// Those that the cluster has committed, for a guest: the one that signed its certificate stays until it has another.
    pub(super) fn trusting(&self, committed: &[CommittedAuthority]) -> Result<Self, IdentityError> {
        let others = committed.iter().map(|other| &other.certificate).filter(|other| **other != self.active.der);
        let active = Authority::new(Path::new(CERTIFICATES), self.active.der.clone(), None)?;
        Ok(Self { active, others: others.cloned().collect(), crosses: Vec::new() })
    }

    /// Keeps them in the folder. A crash in between leaves what a start can use: the certificate of the key that is there is always there.
    pub(super) fn store(&self, folder: &Path, before: &Self) -> Result<(), IdentityError> {
        let path = folder.join(CERTIFICATES);
        if let Some(key) = &self.active.key_pem {
            let mut all = before.trusted();
            for each in self.trusted() {
                if !all.contains(&each) {
                    all.push(each);
                }
            }
            files::write(&path, &files::to_pem(&all), files::PUBLIC)?;
            files::write(&folder.join(KEY), key, files::PRIVATE)?;
        }
        files::write(&folder.join(CROSSES), &files::to_pem(&self.crosses), files::PUBLIC)?;
        files::write(&path, &self.bundle(), files::PUBLIC)
    }
}

/// Loads the authorities from the folder, or makes one where its key has to be.
pub(super) fn load_or_create(
    folder: &Path,
    held: AuthorityKey,
    now: OffsetDateTime,
) -> Result<Authorities, IdentityError> {
    let (key_path, path) = (folder.join(KEY), folder.join(CERTIFICATES));
    let existing = files::read_certificates(&path)?;
    if existing.is_empty() {
        return match held {
            AuthorityKey::Elsewhere => {
                Err(IdentityError::Damaged { path, reason: "the authority's certificate is missing".to_owned() })
            }
            AuthorityKey::Held => make(folder, now),
        };
    }
    let active = match held {
        AuthorityKey::Held => {
            let key = files::read_key(&key_path)?.map(Zeroizing::new);
            let key = key.ok_or_else(|| IdentityError::Damaged {
                path: key_path,
                reason: "the authority's key is missing".to_owned(),
            })?;
            let authority = of_key(&path, &existing, &key)?;
            check_begin(&path, &authority, now);
            authority
        }
        AuthorityKey::Elsewhere => Authority::new(&path, signer(folder, &existing)?, None)?,
    };
    let others = existing.into_iter().filter(|other| *other != active.der).collect();
    let crosses = match held {
        AuthorityKey::Held => files::read_certificates(&folder.join(CROSSES))?,
        AuthorityKey::Elsewhere => Vec::new(),
    };
    let crosses = crosses.into_iter().filter(|cross| leaf::same_key(cross, &active.der)).collect();
    Ok(Authorities { active, others, crosses })
}

/// The certificates of the authorities in the folder; none when there is no file of them.
pub(super) fn certificates(folder: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    files::read_certificates(&folder.join(CERTIFICATES))
}

fn make(folder: &Path, now: OffsetDateTime) -> Result<Authorities, IdentityError> {
    let path = folder.join(CERTIFICATES);
    let key: KeyPair = files::load_or_create_key(&folder.join(KEY))?;
    let made = Authorities::alone(Authority::make(&path, &key, now)?);
    files::write(&path, &made.bundle(), files::PUBLIC)?;
    Ok(made)
}

/// The authority to which the key belongs.
fn of_key(
    path: &Path,
    certificates: &[CertificateDer<'static>],
    key: &Zeroizing<String>,
) -> Result<Authority, IdentityError> {
    let mut last = None;
    for certificate in certificates {
        match Authority::new(path, certificate.clone(), Some(key.clone())) {
            Ok(authority) => return Ok(authority),
            Err(error) => last = last.or(Some(error)),
        }
    }
    Err(last.unwrap_or_else(|| IdentityError::Damaged { path: path.to_owned(), reason: "it is empty".to_owned() }))
}

/// Which of the authorities has signed the node's certificate; the first when there is no such certificate.
fn signer(folder: &Path, certificates: &[CertificateDer<'static>]) -> Result<CertificateDer<'static>, IdentityError> {
    let leaf = files::read_certificates(&folder.join("node.pem"))?;
    let signed = |authority: &&CertificateDer<'static>| leaf.iter().any(|leaf| leaf::is_signed(leaf, authority));
    let found = certificates.iter().find(signed).or_else(|| certificates.first());
    found
        .cloned()
        .ok_or_else(|| IdentityError::Damaged { path: folder.join(CERTIFICATES), reason: "it is empty".to_owned() })
}
