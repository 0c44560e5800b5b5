//! Keeps this node's secret store and the cluster's shared secrets the same.

use super::control_group::ControlGroup;
use super::home::ClusterHome;
use super::seal::DataKey;
use super::secrets_merge::{Agreed, Base, Sides, Step, merge};
use futures::StreamExt;
use octopussy_control::{ControlCommand, ControlState, SealedSecret};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{SecretError, SecretName, SecretValue, SecretsPort};
use octopussy_core::time::{Clock, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the store is looked at: it announces replaced values at once, but neither new nor removed ones.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What keeps the two the same.
pub(crate) struct SecretsSync {
    /// This node.
    pub(crate) node: NodeId,
    /// The home whose base is kept.
    pub(crate) home: ClusterHome,
    /// The cluster's data key.
    pub(crate) key: DataKey,
    /// The control group.
    pub(crate) group: Arc<dyn ControlGroup>,
    /// This node's store.
    pub(crate) secrets: Arc<dyn SecretsPort>,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Why a step was not done. It is tried again.
#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error("the secret store: {0}")]
    Store(#[from] SecretError),
    #[error("the control group: {0}")]
    Control(#[from] octopussy_shard::ControlError),
    #[error("the shared secret '{0}' does not open with this node's data key")]
    Sealed(String),
    #[error("{0}")]
    Home(#[from] super::home::HomeError),
    #[error("{0}")]
    NoRandomness(#[from] super::seal::NoRandomness),
}

/// What is remembered between two rounds.
#[derive(Default)]
struct Memory {
    base: Base,
    /// The store as the last round saw it; `None` before the first.
    local: Option<BTreeMap<String, [u8; 32]>>,
    noticed: BTreeMap<String, Timestamp>,
    /// What the copy of the control state showed when a change was committed that it does not show yet. Until it shows
    /// something else, it says nothing about that secret.
    awaiting: BTreeMap<String, Option<Agreed>>,
    /// What the last round failed with, so that it is not told every two seconds.
    failing: Option<String>,
}

impl SecretsSync {
    /// Runs until it is told to stop.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        let mut rotations = self.secrets.rotations();
        let mut changes = self.group.watch();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let base = self.home.secrets_base().unwrap_or_else(|error| {
            tracing::warn!(%error, "what was agreed on the shared secrets cannot be read; the cluster's values count");
            Base::default()
        });
        let mut memory = Memory { base, ..Memory::default() };
        let mut shared = None;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = look.tick() => {}
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // Most changes are of other things.
                    let present = changes.borrow_and_update().secrets.clone();
                    if shared.as_ref() == Some(&present) {
                        continue;
                    }
                    shared = Some(present);
                }
                Some(_) = rotations.next() => {}
            }
            let outcome = self.round(&mut memory).await;
            memory.report(outcome);
        }
    }

    /// Brings both sides together, once. While the copy of the control state does not show this node as a member, it is not
    /// complete, and what it lacks says nothing.
    async fn round(&self, memory: &mut Memory) -> Result<(), SyncError> {
        let control = self.group.control();
        if control.cluster.is_none() || !control.members.contains_key(&self.node) {
            return Ok(());
        }
        let now = self.clock.now();
        let values = self.local().await?;
        let local: BTreeMap<_, _> =
            values.iter().map(|(name, value)| (name.clone(), self.key.digest(name, value.expose()))).collect();
        memory.notice(&local, now);
        let sides = Sides { local, cluster: self.shared(&control)?, noticed: memory.noticed.clone() };
        memory.awaiting.retain(|name, before| sides.cluster.get(name) == before.as_ref());
        let mut steps = merge(&memory.base, &sides, now);
        steps.retain(|step| !memory.awaiting.contains_key(step.name()));
        memory.local = Some(sides.local);
        let mut first = Ok(());
        let mut done = false;
        for step in steps {
            // One that fails (a secret that is too long to be shared) does not keep the others from being shared.
            let (name, proposed) = (step.name().to_owned(), step.changes_the_cluster());
            match self.carry_out(step, &control, &values, memory).await {
                Ok(()) => {
                    done = true;
                    if proposed {
                        let before = sides.cluster.get(&name).copied();
                        memory.awaiting.insert(name, before);
                    }
                }
                Err(error) => first = first.and(Err(error)),
            }
        }
        if done {
            self.home.set_secrets_base(&memory.base)?;
        }
        first
    }

    async fn carry_out(
        &self,
        step: Step,
        control: &ControlState,
        values: &BTreeMap<String, SecretValue>,
        memory: &mut Memory,
    ) -> Result<(), SyncError> {
        match step {
            Step::Take { name, agreed } => {
                let sealed = control.secrets.get(&name);
                let value = sealed.and_then(|sealed| self.key.open(&name, sealed));
                let value = value.ok_or_else(|| SyncError::Sealed(name.clone()))?;
                self.secrets.set(&SecretName::new(&name)?, SecretValue::new(value.to_vec())).await?;
                memory.agree(name, Some(agreed));
            }
            Step::Drop { name } => {
                self.secrets.delete(&SecretName::new(&name)?).await?;
                memory.agree(name, None);
            }
            Step::Give { name, set_at } => {
                let Some(value) = values.get(&name) else { return Ok(()) };
                let secret = self.key.seal(&name, value.expose(), set_at)?;
                self.group.propose(ControlCommand::PutSecret { name: name.clone(), secret }).await?;
                let digest = self.key.digest(&name, value.expose());
                memory.agree(name, Some(Agreed { digest, set_at }));
            }
            Step::Withdraw { name } => {
                let now = self.clock.now();
                self.group.propose(ControlCommand::RemoveSecret { name: name.clone(), now }).await?;
                memory.agree(name, None);
            }
            Step::Agree { name, agreed } => memory.agree(name, Some(agreed)),
            Step::Forget { name } => memory.agree(name, None),
        }
        Ok(())
    }

    async fn local(&self) -> Result<BTreeMap<String, SecretValue>, SyncError> {
        let mut values = BTreeMap::new();
        for name in self.secrets.list().await? {
            // The keys that nodes make have a way of their own.
            if name.is_generated() {
                continue;
            }
            match self.secrets.get(&name).await {
                Ok(value) => {
                    values.insert(name.as_str().to_owned(), value);
                }
                // Removed since it was listed.
                Err(SecretError::Unknown(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(values)
    }

    fn shared(&self, control: &ControlState) -> Result<BTreeMap<String, Agreed>, SyncError> {
        let open = |(name, sealed): (&String, &SealedSecret)| {
            let value = self.key.open(name, sealed).ok_or_else(|| SyncError::Sealed(name.clone()))?;
            Ok((name.clone(), Agreed { digest: self.key.digest(name, &value), set_at: sealed.set_at }))
        };
        control.secrets.iter().map(open).collect()
    }
}

impl Memory {
    /// Both sides have the same now.
    fn agree(&mut self, name: String, agreed: Option<Agreed>) {
        self.noticed.remove(&name);
        if let Some(local) = &mut self.local {
            match agreed {
                Some(agreed) => local.insert(name.clone(), agreed.digest),
                None => local.remove(&name),
            };
        }
        match agreed {
            Some(agreed) => self.base.0.insert(name, agreed),
            None => self.base.0.remove(&name),
        };
    }

    /// Notes when values of this node were seen to change.
    fn notice(&mut self, local: &BTreeMap<String, [u8; 32]>, now: Timestamp) {
        let Some(before) = &self.local else { return };
        let changed = local.keys().chain(before.keys()).filter(|name| local.get(*name) != before.get(*name));
        for name in changed {
            self.noticed.insert(name.clone(), now);
        }
    }

    fn report(&mut self, outcome: Result<(), SyncError>) {
        let failing = outcome.err().map(|error| error.to_string());
        match &failing {
            Some(error) if self.failing.as_ref() != Some(error) => {
                tracing::warn!(%error, "this node and the cluster have different secrets; it is tried again");
            }
            Some(_) => {}
            None if self.failing.is_some() => tracing::info!("this node and the cluster have the same secrets again"),
            None => {}
        }
        self.failing = failing;
    }
}
