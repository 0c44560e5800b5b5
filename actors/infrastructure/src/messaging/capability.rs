//! Messaging from its configuration to its running half.

use super::realization::{AgentLane, EventStreams, Hub, Observer, Parts, Relays};
use super::{MessagingConfig, MessagingHandle, MessagingNeeds, MessagingProvides};
use octopussy_core::contract::Contract;
use octopussy_core::ports::{Lane, Metric, StreamKind};
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often forgotten topics are looked for and the dead letters are counted.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Messaging \[5\].
pub struct MessagingCapability {
    config: MessagingConfig,
}

/// The running half: the watched topics and the task that sweeps them.
pub struct MessagingRunning {
    hub: Arc<Hub>,
    sweeping: JoinHandle<()>,
}

impl Capability for MessagingCapability {
    const CONTRACT: &'static Contract = &super::CONTRACT;
    type Config = MessagingConfig;
    type Requires = MessagingNeeds;
    type Provides = MessagingProvides;
    type Running = MessagingRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        let within = |name: &str, given: u64, least: u64, most: u64| {
            let fits = (least..=most).contains(&given);
            let error = || InitializeError(format!("messaging.{name}: {given} is not between {least} and {most}"));
            if fits { Ok(()) } else { Err(error()) }
        };
        within("remembered_events", config.remembered_events as u64, 16, 65_536)?;
        within("watched_topics", config.watched_topics as u64, 1, 1_048_576)?;
        within("linger_seconds", config.linger_seconds, 0, 3600)?;
        Ok(Self { config })
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let MessagingNeeds { ledger, led, mesh, security, observability } = wired.ports;
        let hub = Hub::new(wired.inner.config, ledger.shards(), cx.clock.clone(), observability.clone());
        let hub = Arc::new(hub);
        // Observed first: a leadership that is gained in between is then told twice and never missed.
        led.observe(Arc::new(Observer { hub: hub.clone(), observability: observability.clone() }));
        for shard in ledger.shards().all() {
            if let Some(epoch) = led.epoch(shard) {
                hub.set_epoch(shard, epoch);
            }
        }
        let parts = Arc::new(Parts {
            hub: hub.clone(),
            ledger,
            led: led.clone(),
            mesh: mesh.clone(),
            security,
            observability: observability.clone(),
            clock: cx.clock,
            host: RwLock::default(),
            lifecycle: RwLock::default(),
            relays: Relays::default(),
        });
        mesh.serve_streams(StreamKind::Events, Arc::new(EventStreams::new(&parts)));
        mesh.serve(Lane::Agent, Arc::new(AgentLane::new(&parts)));
        let swept = hub.clone();
        let sweeping = tokio::spawn(async move {
            let mut every = tokio::time::interval(SWEEP_EVERY);
            while cx.stopping.run_until_cancelled(every.tick()).await.is_some() {
                swept.sweep();
                let waiting = i64::try_from(led.dead_letters()).unwrap_or(i64::MAX);
                observability.gauge(Metric::DeadLetters, waiting);
            }
        });
        Ok((MessagingProvides { messaging: Arc::new(MessagingHandle(parts)) }, MessagingRunning { hub, sweeping }))
    }
}

impl Running for MessagingRunning {
    async fn stop(&mut self, _: Deadline) -> Result<(), StopError> {
        self.hub.close();
        self.sweeping.abort();
        Ok(())
    }

    async fn cleanup(self) {}
}
