//! The orchestrator's life: the listeners open when everything below is up, and close before anything below stops.

use super::adaptation::Orchestrator;
use super::contract::{CONTRACT, OrchestratorProvides, OrchestratorRequires};
use crate::config::{GatewayConfig, TlsMode};
use crate::serve::{Addresses, Gateway, GatewayParts};
use octopussy_core::contract::Contract;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{CapabilityView, OrchestratorPort};
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use std::sync::Arc;

/// What only the composition root knows of the node.
#[derive(Clone)]
pub struct NodeFacts {
    /// Its id.
    pub id: NodeId,
    /// The program's version.
    pub version: &'static str,
    /// The profile in force.
    pub profile: String,
    /// Whether it is a guest, which serves nothing but its status.
    pub guest: bool,
    /// The capabilities and their phases, now.
    pub capabilities: Arc<dyn Fn() -> Vec<CapabilityView> + Send + Sync>,
    /// Why the node takes no work now (it is starting, it is stopping); `None` when it does.
    pub not_ready: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// Is told the addresses once the listeners are open, for `run/node.json`.
    pub listening: Arc<dyn Fn(Addresses) + Send + Sync>,
}

/// What the orchestrator is made from.
#[derive(Clone)]
pub struct OrchestratorConfig {
    /// The section `gateway`.
    pub gateway: GatewayConfig,
    /// Certificate and key; needed unless `gateway.tls` is off.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What only the node knows.
    pub node: NodeFacts,
}

/// The orchestrator, number 25, with the interfaces that speak through it.
pub struct OrchestratorCapability {
    config: OrchestratorConfig,
}

/// The orchestrator while it serves.
pub struct OrchestratorRunning {
    gateway: Gateway,
}

impl OrchestratorRunning {
    /// Where the listeners are, with the ports that were really taken.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.gateway.addresses()
    }
}

impl Capability for OrchestratorCapability {
    const CONTRACT: &'static Contract = &CONTRACT;
    type Config = OrchestratorConfig;
    type Requires = OrchestratorRequires;
    type Provides = OrchestratorProvides;
    type Running = OrchestratorRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        config.gateway.check().map_err(|error| InitializeError(error.to_string()))?;
        if config.gateway.tls == TlsMode::On && config.tls.is_none() {
            return Err(InitializeError(
                "gateway.tls is on and there is no certificate: `octopussy install` makes one".to_owned(),
            ));
        }
        Ok(Self { config })
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let Wired { inner: Self { config }, ports } = wired;
        let (security, observability) = (ports.security.clone(), ports.observability.clone());
        let (listening, guest) = (config.node.listening.clone(), config.node.guest);
        let orchestrator: Arc<dyn OrchestratorPort> = Arc::new(Orchestrator::new(ports, cx.clock.clone(), config.node));
        let gateway = Gateway::start(GatewayParts {
            config: config.gateway,
            tls: config.tls,
            orchestrator: orchestrator.clone(),
            security,
            observability,
            clock: cx.clock,
            guest,
        })
        .await
        .map_err(|error| StartError::new(error.to_string()))?;
        listening(gateway.addresses());
        Ok((OrchestratorProvides { orchestrator }, OrchestratorRunning { gateway }))
    }
}

impl Running for OrchestratorRunning {
    async fn stop(&mut self, by: Deadline) -> Result<(), StopError> {
        self.gateway.stop(by.remaining()).await.map_err(|error| StopError(error.to_string()))
    }

    async fn cleanup(self) {
        self.gateway.abort();
    }
}
