//! Secrets from its configuration to its running half.

use super::realization::FileStore;
use super::{SecretsBackend, SecretsConfig, SecretsHandle, SecretsNeeds, SecretsProvides};
use octopussy_core::contract::Contract;
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use std::sync::Arc;

/// Secrets \[1\].
pub struct SecretsCapability {
    config: SecretsConfig,
}

/// The running half: the store is written through, so that there is nothing to finish but to give it back.
pub struct SecretsRunning {
    handle: SecretsHandle,
}

impl Capability for SecretsCapability {
    const CONTRACT: &'static Contract = &super::CONTRACT;
    type Config = SecretsConfig;
    type Requires = SecretsNeeds;
    type Provides = SecretsProvides;
    type Running = SecretsRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        Ok(Self { config })
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let directory = match wired.inner.config.backend {
            SecretsBackend::File => cx.home.join("secrets"),
        };
        let store = tokio::task::spawn_blocking(move || FileStore::open(&directory))
            .await
            .map_err(|error| StartError::because("the secret store could not be opened", error))?
            .map_err(|error| StartError::because(format!("the secret store could not be opened: {error}"), error))?;
        let handle = SecretsHandle::new(store);
        Ok((SecretsProvides { secrets: Arc::new(handle.clone()) }, SecretsRunning { handle }))
    }
}

impl Running for SecretsRunning {
    async fn stop(&mut self, _: Deadline) -> Result<(), StopError> {
        Ok(())
    }

    async fn cleanup(self) {
        self.handle.close();
    }
}
