//! The router from its configuration to its running half.

use super::essence::Neighbour;
use super::realization::{Peers, Shared, lend, watch};
use super::{LlmRouterConfig, LlmRouterHandle, LlmRouterNeeds, LlmRouterProvides};
use octopussy_core::contract::Contract;
use octopussy_core::ports::{ClusterPort, MemberDesired, MemberRole};
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Model router \[9\].
pub struct LlmRouterCapability {
    config: LlmRouterConfig,
}

/// The running half: the task that looks after the providers. It ends itself when the capability is to stop.
pub struct LlmRouterRunning {
    watch: JoinHandle<()>,
    finished: bool,
}

impl Capability for LlmRouterCapability {
    const CONTRACT: &'static Contract = &super::CONTRACT;
    type Config = LlmRouterConfig;
    type Requires = LlmRouterNeeds;
    type Provides = LlmRouterProvides;
    type Running = LlmRouterRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        config.check().map_err(InitializeError)?;
        Ok(Self { config })
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let LlmRouterNeeds { mesh, cluster, configuration, secrets, observability } = wired.ports;
        let (config, clock, home) = (wired.inner.config, cx.clock, cx.home);
        let ports = (configuration.clone(), secrets.clone());
        let peers = Peers::new(mesh.clone(), Box::new(move || neighbours(cluster.as_ref())));
        let shared = tokio::task::spawn_blocking(move || {
            Shared::open(config, ports.0, ports.1, observability, clock, home, peers)
        })
        .await
        .map_err(|error| StartError::because("the model router could not be set up", error))?
        .map_err(StartError::new)?;
        let shared = Arc::new(shared);
        lend(mesh.as_ref(), &shared);
        let watch = tokio::spawn(watch(shared.clone(), configuration, secrets, cx.stopping));
        let provides = LlmRouterProvides { router: Arc::new(LlmRouterHandle::new(shared)) };
        Ok((provides, LlmRouterRunning { watch, finished: false }))
    }
}

/// The nodes of the cluster, as its committed members have them.
fn neighbours(cluster: &dyn ClusterPort) -> Vec<Neighbour> {
    let members = cluster.members().into_iter();
    let named = members.map(|member| {
        let full = member.role == MemberRole::Full && member.desired != MemberDesired::Leaving;
        Neighbour { id: member.id, name: member.name, full }
    });
    named.collect()
}

impl Running for LlmRouterRunning {
    async fn failed(&mut self) -> String {
        if self.finished {
            return std::future::pending().await;
        }
        let ended = (&mut self.watch).await;
        self.finished = true;
        ended.map_or_else(|error| error.to_string(), |()| "the task that looks after model providers ended".to_owned())
    }

    async fn stop(&mut self, by: Deadline) -> Result<(), StopError> {
        if self.finished {
            return Ok(());
        }
        match tokio::time::timeout(by.remaining(), &mut self.watch).await {
            Ok(_) => {
                self.finished = true;
                Ok(())
            }
            Err(_) => Err(StopError("the task that looks after model providers did not end in time".to_owned())),
        }
    }

    async fn cleanup(self) {
        self.watch.abort();
    }
}
