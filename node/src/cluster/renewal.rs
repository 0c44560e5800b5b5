//! Renews this node's certificate before it ends, while the node runs.

use crate::identity::{Identity, IdentityError, Renewal};
use octopussy_core::time::Clock;
use octopussy_mesh::{BindError, MeshCertificates};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the certificate ends soon: often enough against the thirty days in which it may be renewed.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// The pause before a renewal that failed is tried again; the usual cause is a full disk.
const AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);

/// Shows a new certificate to the other nodes.
pub(crate) type Show = Box<dyn Fn(&MeshCertificates) -> Result<(), BindError> + Send + Sync>;

/// What keeps the certificate good.
pub(crate) struct Renewer {
    /// The home directory.
    pub(crate) home: PathBuf,
    /// Who this node is.
    pub(crate) identity: Identity,
    /// The configured names that the certificate is to be good for, besides the machine's own.
    pub(crate) names: Vec<String>,
    /// How other nodes see the new one.
    pub(crate) show: Show,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
}

/// The certificate was not renewed, or not shown to other nodes.
#[derive(Debug, thiserror::Error)]
enum RenewError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Mesh(#[from] BindError),
}

impl Renewer {
    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self, stopping: CancellationToken) {
        loop {
            let pause = self.look();
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does what is due, and says when to look again.
    fn look(&mut self) -> Duration {
        let left = self.identity.expires_at().since(self.clock.now());
        match self.identity.renewal(self.clock.now()) {
            Renewal::NotDue => LOOK_EVERY,
            Renewal::Due => match self.renew() {
                Ok(()) => {
                    tracing::info!("this node's certificate was renewed");
                    LOOK_EVERY
                }
                Err(error) => {
                    tracing::error!(%error, days_left = days(left), "this node's certificate cannot be renewed; it is tried again");
                    AGAIN_AFTER
                }
            },
            Renewal::Elsewhere => {
                tracing::warn!(
                    days_left = days(left),
                    "this guest's certificate ends soon and a guest cannot renew it: remove the guest with `octopussy cluster leave` \
                     and let it join again with a new home"
                );
                LOOK_EVERY
            }
        }
    }

    fn renew(&mut self) -> Result<(), RenewError> {
        let renewed = self.identity.renewed(&self.home, &self.names, self.clock.now())?;
        (self.show)(&renewed.mesh_certificates())?;
        // Kept only now: what could not be shown is tried again, and then found in its file.
        self.identity = renewed;
        Ok(())
    }
}

const fn days(left: Duration) -> u64 {
    left.as_secs() / (24 * 60 * 60)
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
