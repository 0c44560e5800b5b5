//! The control group as this folder uses it: a copy to look into, and a way to change it.

use async_trait::async_trait;
use octopussy_control::{ControlApplied, ControlCommand, ControlState};
use octopussy_core::ports::Asker;
use octopussy_shard::{ControlError, ShardHost};
use std::sync::Arc;
use tokio::sync::watch;

/// The control group, from this node.
#[async_trait]
pub(crate) trait ControlGroup: Send + Sync {
    /// This node's copy. It may lag behind.
    fn control(&self) -> Arc<ControlState>;
    /// Sees every change of the copy.
    fn watch(&self) -> watch::Receiver<Arc<ControlState>>;
    /// Commits a command for whoever asks for it.
    async fn propose_for(&self, asker: Asker, command: ControlCommand) -> Result<ControlApplied, ControlError>;
    /// Commits a command that this node gives by itself.
    async fn propose(&self, command: ControlCommand) -> Result<ControlApplied, ControlError> {
        self.propose_for(Asker::Node, command).await
    }
}

#[async_trait]
impl ControlGroup for ShardHost {
    fn control(&self) -> Arc<ControlState> {
        Self::control(self)
    }

    fn watch(&self) -> watch::Receiver<Arc<ControlState>> {
        self.watch_control()
    }

    async fn propose_for(&self, asker: Asker, command: ControlCommand) -> Result<ControlApplied, ControlError> {
        self.propose_control_for(asker, command).await
    }
}

/// A control group of one, in memory.
#[cfg(test)]
pub(crate) struct AloneInMemory(watch::Sender<Arc<ControlState>>);

#[cfg(test)]
impl AloneInMemory {
    pub(crate) fn new(state: ControlState) -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Arc::new(state))))
    }
}

#[cfg(test)]
#[async_trait]
impl ControlGroup for AloneInMemory {
    fn control(&self) -> Arc<ControlState> {
        self.0.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<ControlState>> {
        self.0.subscribe()
    }

    async fn propose_for(&self, _: Asker, command: ControlCommand) -> Result<ControlApplied, ControlError> {
        let mut state = ControlState::clone(&self.0.borrow());
        let applied = state.apply(command)?;
        self.0.send_replace(Arc::new(state));
        Ok(applied)
    }
}
