//! The prompt engine from its configuration to its running half.

use super::realization::load;
use super::{PromptEngineConfig, PromptEngineNeeds, PromptEngineProvides, PromptHandle};
use octopussy_core::contract::Contract;
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use std::sync::Arc;

/// Prompt engine \[14\].
pub struct PromptEngineCapability {
    config: PromptEngineConfig,
}

/// The running half: rendering keeps nothing that has to be finished.
pub struct PromptEngineRunning;

impl Capability for PromptEngineCapability {
    const CONTRACT: &'static Contract = &super::CONTRACT;
    type Config = PromptEngineConfig;
    type Requires = PromptEngineNeeds;
    type Provides = PromptEngineProvides;
    type Running = PromptEngineRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        Ok(Self { config })
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let (directory, required) = match wired.inner.config.templates {
            Some(named) => (cx.home.join(named), true),
            None => (cx.home.join("templates"), false),
        };
        let library = tokio::task::spawn_blocking(move || load(&directory, required))
            .await
            .map_err(|error| StartError::because("the prompt templates could not be loaded", error))?
            .map_err(|error| StartError::because(error.to_string(), error))?;
        Ok((PromptEngineProvides { prompt: Arc::new(PromptHandle::new(library)) }, PromptEngineRunning))
    }
}

impl Running for PromptEngineRunning {
    async fn stop(&mut self, _: Deadline) -> Result<(), StopError> {
        Ok(())
    }

    async fn cleanup(self) {}
}
