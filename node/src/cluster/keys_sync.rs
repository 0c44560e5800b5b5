//! Keeps the keys of this full member the same as the cluster's, and says so, so that an offered key can sign once every member has it.

use super::control_group::ControlGroup;
use super::seal::{DataKey, NoRandomness, random};
use octopussy_control::{ControlCommand, ControlState, KEY_OFFER_LIMIT, SharedKey, SharedKeyPhase};
use octopussy_core::ids::NodeId;
use octopussy_core::key_set::{KeySet, KeySetError, key_tag};
use octopussy_core::ports::{KeyKind, SecretError, SecretName, SecretValue, SecretsPort};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_shard::ControlError;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How often it is looked whether something is due that no change of the control state announces.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What keeps the keys the same.
pub(crate) struct KeysSync {
    /// This node.
    pub(crate) node: NodeId,
    /// The cluster's data key.
    pub(crate) key: DataKey,
    /// The control group.
    pub(crate) group: Arc<dyn ControlGroup>,
    /// This node's store.
    pub(crate) secrets: Arc<dyn SecretsPort>,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Why a round was not finished. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error("the secret store: {0}")]
    Store(#[from] SecretError),
    #[error("the control group: {0}")]
    Control(#[from] ControlError),
    #[error("the keys of the secret '{0}' do not open with this node's data key")]
    Sealed(&'static str),
    #[error("{0}")]
    Keys(#[from] KeySetError),
    #[error("{0}")]
    NoRandomness(#[from] NoRandomness),
}

impl KeysSync {
    /// Runs until it is told to stop.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        let mut changes = self.group.watch();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing: Option<String> = None;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = look.tick() => {}
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
            let failed = self.round().await.err().map(|error| error.to_string());
            match &failed {
                Some(error) if failing.as_ref() != Some(error) => {
                    tracing::warn!(%error, "this node's keys are not the cluster's; it is tried again");
                }
                Some(_) | None => {}
            }
            failing = failed;
        }
    }

    /// Brings the kinds that are in the store to where the cluster is. While the copy of the control state does not show this node as a member, it is not
    /// complete, and what it lacks says nothing.
    async fn round(&self) -> Result<(), KeysError> {
        let control = self.group.control();
        if control.cluster.is_none() || !control.members.contains_key(&self.node) {
            return Ok(());
        }
        let mut first = Ok(());
        for kind in KeyKind::STORED {
            first = first.and(self.bring(kind, &control).await);
        }
        first
    }

    async fn bring(&self, kind: KeyKind, control: &ControlState) -> Result<(), KeysError> {
        let name = SecretName::new(kind.secret())?;
        let stored = self.secrets.get_or_generate(&name).await?;
        if control.keys_of(kind).is_empty() {
            return self.found(kind, control, stored.expose()).await;
        }
        let keys = opened(kind, control, &self.key)?;
        let bytes = keys.encode()?;
        if stored.expose() != bytes.as_slice() {
            self.secrets.set(&name, SecretValue::new(bytes.to_vec())).await?;
        }
        let Some(offered) = control.offered_key(kind) else { return self.answer_theft(kind, control).await };
        match due(offered, self.node, self.clock.now()) {
            Due::Nothing => Ok(()),
            Due::Tell => {
                self.propose(kind, offered, |kind, tag, node, now| ControlCommand::KnowKey { kind, tag, node, now })
                    .await
            }
            Due::Activate => {
                self.propose(kind, offered, |kind, tag, _, now| ControlCommand::ActivateKey { kind, tag, now }).await
            }
        }
    }

    /// A cluster that has no key of this kind yet goes on with the one that its founder has made for itself, unless somebody else
    /// has it.
    async fn found(&self, kind: KeyKind, control: &ControlState, stored: &[u8]) -> Result<(), KeysError> {
        let keys = KeySet::decode(stored)?;
        let fresh = Zeroizing::new(random::<32>()?);
        let key = if control.owes_key(kind) { &*fresh } else { keys.active() };
        let command = offer(kind, key, &self.key, self.clock.now())?;
        self.group.propose(command).await?;
        Ok(())
    }

    /// Who is out and may be in wrong hands knows the keys there are: they are replaced. Whichever member is first does it for all.
    async fn answer_theft(&self, kind: KeyKind, control: &ControlState) -> Result<(), KeysError> {
        if !control.owes_key(kind) {
            return Ok(());
        }
        let key = Zeroizing::new(random::<32>()?);
        match self.group.propose(offer(kind, &key, &self.key, self.clock.now())?).await {
            Ok(_) => tracing::warn!(
                secret.name = kind.secret(),
                "somebody who is no member any more may know this key: it is replaced"
            ),
            Err(ControlError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn propose(
        &self,
        kind: KeyKind,
        offered: &SharedKey,
        command: impl FnOnce(KeyKind, [u8; 16], NodeId, Timestamp) -> ControlCommand,
    ) -> Result<(), KeysError> {
        match self.group.propose(command(kind, offered.tag, self.node, self.clock.now())).await {
            // Another member was first: the copy here shows it in a moment.
            Ok(_) | Err(ControlError::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a member has to do about an offered key that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Tell,
    Activate,
}

pub(super) fn due(offered: &SharedKey, node: NodeId, now: Timestamp) -> Due {
    match &offered.phase {
        SharedKeyPhase::Offered { known_by, .. } if !known_by.contains(&node) => Due::Tell,
        SharedKeyPhase::Offered { .. } if offered.made_at.plus(KEY_OFFER_LIMIT) <= now => Due::Activate,
        SharedKeyPhase::Offered { .. } | SharedKeyPhase::Active | SharedKeyPhase::Retired { .. } => Due::Nothing,
    }
}

/// The command that offers this key.
pub(super) fn offer(
    kind: KeyKind,
    key: &[u8; 32],
    data_key: &DataKey,
    now: Timestamp,
) -> Result<ControlCommand, NoRandomness> {
    let sealed = data_key.seal(kind.secret(), key, now)?;
    Ok(ControlCommand::OfferKey { kind, tag: key_tag(key), sealed, public: Vec::new(), now })
}

/// The cluster's keys of this kind, opened: the one that signs, then what verifies as well, the newest first.
pub(super) fn opened(kind: KeyKind, control: &ControlState, data_key: &DataKey) -> Result<KeySet, KeysError> {
    let open = |key: &SharedKey| {
        let bytes = data_key.open(kind.secret(), &key.sealed);
        bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()).ok_or(KeysError::Sealed(kind.secret()))
    };
    let mut active = None;
    let mut others = Vec::new();
    for key in control.keys_of(kind).iter().rev() {
        match key.phase {
            SharedKeyPhase::Active => active = Some(open(key)?),
            SharedKeyPhase::Offered { .. } | SharedKeyPhase::Retired { .. } => others.push(open(key)?),
        }
    }
    Ok(KeySet::new(active.ok_or(KeysError::Sealed(kind.secret()))?, others))
}

#[cfg(test)]
#[path = "keys_sync_tests.rs"]
mod tests;
