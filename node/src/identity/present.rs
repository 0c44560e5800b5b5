//! The identity as it is now: while a node runs, its certificate is renewed, and one authority takes the place of another.

use super::Identity;
use std::sync::Arc;
use tokio::sync::watch;

/// The identity of the running node, for everybody who has to show it, sign with it, or tell whom to trust.
#[derive(Debug, Clone)]
pub(crate) struct PresentIdentity(Arc<watch::Sender<Identity>>);

impl PresentIdentity {
    /// Begins with the identity that was loaded.
    pub(crate) fn new(identity: Identity) -> Self {
        Self(Arc::new(watch::Sender::new(identity)))
    }

    /// As it is now.
    pub(crate) fn get(&self) -> Identity {
        self.0.borrow().clone()
    }

    /// SHA-256 of the certificate of the authority that signs now.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.0.borrow().fingerprint
    }

    /// Sees every change.
    pub(crate) fn watch(&self) -> watch::Receiver<Identity> {
        self.0.subscribe()
    }

    /// Takes another in its place.
    pub(crate) fn set(&self, identity: Identity) {
        self.0.send_replace(identity);
    }
}
