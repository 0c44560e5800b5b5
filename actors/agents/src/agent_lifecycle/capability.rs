//! The life of the agent lifecycle capability.

use super::essence::Registry;
use super::realization::listen;
use super::{AgentLifecycleConfig, AgentLifecycleHandle, AgentLifecycleProvides, AgentLifecycleRequires, CONTRACT};
use octopussy_core::contract::Contract;
use octopussy_core::ports::Topic;
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The agent lifecycle capability, initialized.
#[derive(Debug)]
pub struct AgentLifecycleCapability {
    registry: Registry,
}

impl Capability for AgentLifecycleCapability {
    const CONTRACT: &'static Contract = &CONTRACT;
    type Config = AgentLifecycleConfig;
    type Requires = AgentLifecycleRequires;
    type Provides = AgentLifecycleProvides;
    type Running = AgentLifecycleRunning;

    fn initialize(config: AgentLifecycleConfig) -> Result<Self, InitializeError> {
        if config.unhealthy_after_seconds < 31 {
            return Err(InitializeError("agent_lifecycle.unhealthy_after_seconds must be at least 31".to_owned()));
        }
        if config.max_agents == 0 {
            return Err(InitializeError("agent_lifecycle.max_agents must be at least 1".to_owned()));
        }
        Ok(Self { registry: Registry::new(config.max_agents, config.unhealthy_after()) })
    }

    async fn start(
        wired: Wired<Self>,
        cx: StartContext,
    ) -> Result<(AgentLifecycleProvides, AgentLifecycleRunning), StartError> {
        let messaging = wired.ports.messaging;
        let news = messaging
            .subscribe_here(Topic::Agents, None)
            .map_err(|problem| StartError::because("the news of agents cannot be subscribed to", problem))?;
        let handle = AgentLifecycleHandle::new(wired.inner.registry, cx.clock);
        // Its own token: agents announce their end while the node stops, and are followed until this capability's turn.
        let stopping = CancellationToken::new();
        let lifecycle = Arc::new(handle.clone());
        messaging.attach_lifecycle(lifecycle.clone());
        let listener = tokio::spawn(listen(handle, messaging, news, stopping.clone()));
        let provides = AgentLifecycleProvides { agent_lifecycle: lifecycle };
        Ok((provides, AgentLifecycleRunning { listener: Some(listener), stopping }))
    }
}

/// The running listener.
pub struct AgentLifecycleRunning {
    listener: Option<JoinHandle<()>>,
    stopping: CancellationToken,
}

impl Running for AgentLifecycleRunning {
    async fn stop(&mut self, by: Deadline) -> Result<(), StopError> {
        self.stopping.cancel();
        let Some(listener) = self.listener.take() else { return Ok(()) };
        match tokio::time::timeout(by.remaining(), listener).await {
            Ok(_) => Ok(()),
            Err(_) => Err(StopError("the listener for agents' news did not end in time".to_owned())),
        }
    }

    async fn cleanup(mut self) {
        if let Some(listener) = self.listener.take() {
            listener.abort();
        }
    }
}
