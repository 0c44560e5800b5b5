//! Keeps this node's certificate good while the node runs: it is renewed before it ends, and when another authority takes the place of the
//! one that has signed it.

use super::authority_sync::{self, AuthorityError};
use super::control_group::ControlGroup;
use super::guest_renewal::{self, GuestRenewalError};
use super::home::ClusterHome;
use super::joining::Door;
use super::seal::DataKey;
use crate::identity::{Identity, IdentityError, PresentIdentity, Renewal};
use octopussy_control::ControlState;
use octopussy_core::time::Clock;
use octopussy_mesh::{BindError, MeshCertificates};
use octopussy_shard::ControlError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether the certificate ends soon: often enough against the thirty days in which it may be renewed.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// The pause before a renewal that failed is tried again: a disk is full, or a guest reaches no full member.
const AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);

/// How often it is looked whether the authorities ask for something that no change of the control state announces.
const FOLLOW_EVERY: Duration = Duration::from_secs(5);
/// How often a guest asks for a certificate of the authority that signs now: one of its members has it within seconds.
const ASK_EVERY: Duration = Duration::from_secs(15);

/// Shows a new certificate to the other nodes.
pub(crate) type Show = Box<dyn Fn(&MeshCertificates) -> Result<(), BindError> + Send + Sync>;

/// What keeps the certificate good.
pub(crate) struct Renewer {
    /// The home directory.
    pub(crate) home: PathBuf,
    /// Who this node is, as everybody else sees it.
    pub(crate) identity: PresentIdentity,
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
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("the control group: {0}")]
    Control(#[from] ControlError),
}

impl Renewer {
    /// Runs until it is told to stop.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = self.rounds() => {}
        }
    }

    async fn rounds(self) {
        let mut changes = self.group.watch();
        let mut tick = tokio::time::interval(FOLLOW_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut next_look, mut next_question) = (Instant::now(), Instant::now());
        let mut failing: Option<String> = None;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
            let followed = self.follow().await;
            let asked = match &followed {
                Ok(true) if next_question <= Instant::now() => {
                    next_question = Instant::now() + ASK_EVERY;
                    self.renew_as_guest().await
                }
                Ok(_) | Err(_) => Ok(()),
            };
            let failed = followed.err().or(asked.err()).map(|error| error.to_string());
            match &failed {
                Some(error) if failing.as_ref() != Some(error) => {
                    tracing::warn!(%error, "this node does not go by the cluster's authority; it is tried again");
                }
                Some(_) | None => {}
            }
            failing = failed;
            if next_look <= Instant::now() {
                next_look = Instant::now() + self.look().await;
            }
        }
    }

    /// Goes by the authorities of the cluster, and says whether this node is a guest that has yet to ask for a certificate of the one that
    /// signs. While the copy of the control state does not show this node as a member, it is not complete.
    async fn follow(&self) -> Result<bool, RenewError> {
        let (control, identity) = (self.group.control(), self.identity.get());
        if control.cluster.is_none() || !control.members.contains_key(&identity.node_id) {
            return Ok(false);
        }
        let signs = identity.authority_key().is_some();
        let trusted = authority_sync::trusted(&control);
        if !trusted.is_empty() && authority_sync::differs(&identity, &control) {
            let data_key = if signs { Some(self.data_key()?) } else { None };
            let committed = authority_sync::committed(&control, data_key.as_ref())?;
            let followed = identity.following(&committed, &self.home, &self.names, self.clock.now())?;
            self.take(followed)?;
            tracing::info!(authorities = trusted.len(), "this node goes by other authorities than before");
        }
        if signs {
            self.propose(&control).await?;
            return Ok(false);
        }
        Ok(trusted.first().is_some_and(|signing| signing != self.identity.get().authority()))
    }

    async fn propose(&self, control: &ControlState) -> Result<(), RenewError> {
        let (identity, now) = (self.identity.get(), self.clock.now());
        let Some(command) = authority_sync::proposal(&identity, control, || self.data_key(), now)? else {
            return Ok(());
        };
        match self.group.propose(command).await {
            // Another member was first: the copy here shows it in a moment.
            Ok(_) | Err(ControlError::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn data_key(&self) -> Result<DataKey, AuthorityError> {
        Ok(ClusterHome::of(&self.home).data_key(false)?)
    }

    /// Does what is due, and says when to look again.
    async fn look(&self) -> Duration {
        let (now, identity) = (self.clock.now(), self.identity.get());
        let renewed = match identity.renewal(now) {
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
                let days_left = days(identity.expires_at().since(now));
                tracing::error!(%error, days_left, "this node's certificate cannot be renewed; it is tried again");
                AGAIN_AFTER
            }
        }
    }

    async fn renew_as_guest(&self) -> Result<(), RenewError> {
        let control = self.group.control();
        guest_renewal::ask(&self.home, &self.identity.get(), &control, &*self.door).await?;
        self.renew()
    }

    fn renew(&self) -> Result<(), RenewError> {
        self.take(self.identity.get().renewed(&self.home, &self.names, self.clock.now())?)
    }

    fn take(&self, renewed: Identity) -> Result<(), RenewError> {
        (self.show)(&renewed.mesh_certificates())?;
        // Kept only now: what could not be shown is tried again, and then found in its file.
        self.identity.set(renewed);
        Ok(())
    }
}

const fn days(left: Duration) -> u64 {
    left.as_secs() / (24 * 60 * 60)
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod rotation_tests;
