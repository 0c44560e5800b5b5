//! Renews this node's certificate before it ends, while the node runs.

use super::control_group::ControlGroup;
use super::guest_renewal::{self, GuestRenewalError};
use super::joining::Door;
use crate::identity::{Identity, IdentityError, Renewal};
use octopussy_core::time::Clock;
use octopussy_mesh::{BindError, MeshCertificates};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the certificate ends soon: often enough against the thirty days in which it may be renewed.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// The pause before a renewal that failed is tried again: a disk is full, or a guest reaches no full member.
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
    /// Who the full members are that a guest asks.
    pub(crate) group: Arc<dyn ControlGroup>,
    /// The way to them.
    pub(crate) door: Box<dyn Door>,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
}

/// The certificate was not renewed, or not shown to other nodes.
#[derive(Debug, thiserror::Error)]
enum RenewError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Guest(#[from] GuestRenewalError),
    #[error(transparent)]
    Mesh(#[from] BindError),
}

impl Renewer {
    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self, stopping: CancellationToken) {
        loop {
            let pause = self.look().await;
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does what is due, and says when to look again.
    async fn look(&mut self) -> Duration {
        let now = self.clock.now();
        let renewed = match self.identity.renewal(now) {
            Renewal::NotDue => return LOOK_EVERY,
            Renewal::Due => self.renew(),
            Renewal::Elsewhere => self.renew_as_guest().await,
        };
        match renewed {
            Ok(()) => {
                tracing::info!("this node's certificate was renewed");
                LOOK_EVERY
            }
            Err(error) => {
                let days_left = days(self.identity.expires_at().since(now));
                tracing::error!(%error, days_left, "this node's certificate cannot be renewed; it is tried again");
                AGAIN_AFTER
            }
        }
    }

    async fn renew_as_guest(&mut self) -> Result<(), RenewError> {
        let control = self.group.control();
        guest_renewal::ask(&self.home, &self.identity, &control, &*self.door).await?;
        self.renew()
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
