//! The life of the agent factory capability.

use super::{AgentFactoryConfig, AgentFactoryHandle, AgentFactoryProvides, AgentFactoryRequires, CONTRACT};
use octopussy_core::contract::Contract;
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use std::sync::Arc;

/// The agent factory capability, initialized.
#[derive(Debug)]
pub struct AgentFactoryCapability;

impl Capability for AgentFactoryCapability {
    const CONTRACT: &'static Contract = &CONTRACT;
    type Config = AgentFactoryConfig;
    type Requires = AgentFactoryRequires;
    type Provides = AgentFactoryProvides;
    type Running = AgentFactoryRunning;

    fn initialize(_: AgentFactoryConfig) -> Result<Self, InitializeError> {
        Ok(Self)
    }

    async fn start(
        wired: Wired<Self>,
        cx: StartContext,
    ) -> Result<(AgentFactoryProvides, AgentFactoryRunning), StartError> {
        let handle = AgentFactoryHandle::new(wired.ports.ledger, wired.ports.blobs, cx.clock);
        Ok((AgentFactoryProvides { agent_factory: Arc::new(handle) }, AgentFactoryRunning))
    }
}

/// The factory runs nothing of its own.
#[derive(Debug)]
pub struct AgentFactoryRunning;

impl Running for AgentFactoryRunning {
    async fn stop(&mut self, _: Deadline) -> Result<(), StopError> {
        Ok(())
    }

    async fn cleanup(self) {}
}
