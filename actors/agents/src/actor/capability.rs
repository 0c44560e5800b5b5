//! The life of the actor capability.

use super::realization::{Host, Observer, Root, Upkeep, drain};
use super::{ActorConfig, ActorHandle, ActorProvides, ActorRequires, CONTRACT};
use octopussy_core::contract::Contract;
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use ractor::{Actor, ActorRef};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The actor capability, initialized.
#[derive(Debug)]
pub struct ActorCapability {
    config: ActorConfig,
}

impl Capability for ActorCapability {
    const CONTRACT: &'static Contract = &CONTRACT;
    type Config = ActorConfig;
    type Requires = ActorRequires;
    type Provides = ActorProvides;
    type Running = ActorRunning;

    fn initialize(config: ActorConfig) -> Result<Self, InitializeError> {
        let problems = config.problems();
        if problems.is_empty() { Ok(Self { config }) } else { Err(InitializeError(problems.join("; "))) }
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(ActorProvides, ActorRunning), StartError> {
        let (host, activations) = Host::new(wired.ports, Arc::clone(&cx.clock), wired.inner.config);
        let (root, root_ended) = Actor::spawn(None, Root, Arc::clone(&host))
            .await
            .map_err(|error| StartError::because("the agents' supervisor cannot be started", error))?;
        host.set_root(root.get_cell());
        let handle = Arc::new(ActorHandle::new(Arc::clone(&host)));
        host.ports.messaging.attach(Arc::clone(&handle) as _);
        host.ports.led.observe(Arc::new(Observer(Arc::downgrade(&host))));
        // Not the context's token: heartbeats and activations of a stopping host go on until its runs are handed back.
        let upkeep_ends = CancellationToken::new();
        let upkeep = Upkeep { host: Arc::clone(&host), activations, stopping: upkeep_ends.clone() };
        // The upkeep's first tick takes up what waits from before the start.
        let upkeep = tokio::spawn(upkeep.run());
        let running = ActorRunning { host, root, root_ended: Some(root_ended), upkeep: Some(upkeep), upkeep_ends };
        Ok((ActorProvides { actor: handle }, running))
    }
}

/// The running agents.
pub struct ActorRunning {
    host: Arc<Host>,
    root: ActorRef<()>,
    root_ended: Option<JoinHandle<()>>,
    upkeep: Option<JoinHandle<()>>,
    upkeep_ends: CancellationToken,
}

impl ActorRunning {
    #[cfg(test)]
    pub(super) const fn host(&self) -> &Arc<Host> {
        &self.host
    }
}

impl Running for ActorRunning {
    async fn stop(&mut self, by: Deadline) -> Result<(), StopError> {
        let silent = drain(&self.host, by).await;
        self.upkeep_ends.cancel();
        if let Some(upkeep) = self.upkeep.take() {
            let _ = upkeep.await;
        }
        if silent {
            Ok(())
        } else {
            Err(StopError(
                "some runs did not let go in time; their tasks are taken up again at the next start".to_owned(),
            ))
        }
    }

    async fn cleanup(mut self) {
        for shared in self.host.all() {
            shared.fence();
        }
        self.root.stop_children(Some("the node stops".to_owned()));
        self.root.stop(Some("the node stops".to_owned()));
        if let Some(ended) = self.root_ended.take() {
            let _ = ended.await;
        }
    }
}
