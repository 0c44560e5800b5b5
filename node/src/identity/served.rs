//! The certificate that this node's interfaces show to clients.

use super::IdentityError;
use parking_lot::RwLock;
use rcgen::KeyPair;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// A certificate that can be exchanged while it is served: handshakes from then on show the new one.
#[derive(Debug)]
pub(super) struct Served(RwLock<Arc<CertifiedKey>>);

impl Served {
    /// Shows `chain`, whose first certificate is of `key`.
    pub(super) fn new(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Result<Self, IdentityError> {
        Ok(Self(RwLock::new(certified(chain, key)?)))
    }

    /// Shows another chain from now on.
    pub(super) fn exchange(&self, chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Result<(), IdentityError> {
        *self.0.write() = certified(chain, key)?;
        Ok(())
    }
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Result<Arc<CertifiedKey>, IdentityError> {
    let failed = |error: rustls::Error| IdentityError::Certificate(error.to_string());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let certified = CertifiedKey::new(chain, any_supported_type(&private).map_err(failed)?);
    certified.keys_match().map_err(failed)?;
    Ok(Arc::new(certified))
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().clone())
    }
}
