//! Configuration from what the node loaded to its running half.

use super::realization::FileWatcher;
use super::{ConfigurationConfig, ConfigurationHandle, ConfigurationNeeds, ConfigurationProvides};
use octopussy_core::contract::Contract;
use octopussy_core::ports::ConfigurationPort;
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Configuration \[2\].
pub struct ConfigurationCapability {
    config: ConfigurationConfig,
}

/// The running half: the task that watches the files.
pub struct ConfigurationRunning {
    watching: Option<JoinHandle<()>>,
}

impl Capability for ConfigurationCapability {
    const CONTRACT: &'static Contract = &super::CONTRACT;
    type Config = ConfigurationConfig;
    type Requires = ConfigurationNeeds;
    type Provides = ConfigurationProvides;
    type Running = ConfigurationRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        if !(10..=60_000).contains(&config.section.settle_ms) {
            let given = config.section.settle_ms;
            return Err(InitializeError(format!("configuration.settle_ms: {given} is not between 10 and 60000")));
        }
        Ok(Self { config })
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let ConfigurationConfig { section, initial, loader, paths } = wired.inner.config;
        let handle = ConfigurationHandle::new(initial, loader, wired.ports.secrets);
        let mut watching = None;
        if section.watch && !paths.is_empty() {
            match FileWatcher::new(&paths, Duration::from_millis(section.settle_ms)) {
                Ok(watcher) => {
                    let handle = handle.clone();
                    watching = Some(tokio::spawn(async move {
                        // What is wrong with a changed file has been logged and kept by the handle.
                        while cx.stopping.run_until_cancelled(watcher.changed()).await.is_some() {
                            let _ = handle.reload().await;
                        }
                    }));
                }
                // Some file systems cannot be watched; `reload` still works.
                Err(error) => {
                    tracing::warn!(%error, "the configuration files cannot be watched; reload them by request")
                }
            }
        }
        Ok((ConfigurationProvides { configuration: Arc::new(handle) }, ConfigurationRunning { watching }))
    }
}

impl Running for ConfigurationRunning {
    async fn stop(&mut self, _: Deadline) -> Result<(), StopError> {
        if let Some(watching) = self.watching.take() {
            watching.abort();
            let _ = watching.await;
        }
        Ok(())
    }

    async fn cleanup(self) {}
}
