//! Observability from its configuration to its running half.

use super::essence::{CHAIN_PURPOSE, ChainKey};
use super::realization::{AuditWriter, Exporter, init_logging, set_tracer};
use super::{LogConfig, ObservabilityConfig, ObservabilityHandle, ObservabilityNeeds, ObservabilityProvides};
use futures::StreamExt;
use octopussy_core::contract::Contract;
use octopussy_core::ports::ConfigurationPort;
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Observability \[3\].
pub struct ObservabilityCapability {
    config: ObservabilityConfig,
}

/// The running half: the audit writer, the exporter and the task that follows the configuration.
pub struct ObservabilityRunning {
    audit: Option<AuditWriter>,
    exporter: Option<Exporter>,
    following: JoinHandle<()>,
}

impl Capability for ObservabilityCapability {
    const CONTRACT: &'static Contract = &super::CONTRACT;
    type Config = ObservabilityConfig;
    type Requires = ObservabilityNeeds;
    type Provides = ObservabilityProvides;
    type Running = ObservabilityRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        let within = |name: &str, given: u64, least: u64, most: u64| {
            let fits = (least..=most).contains(&given);
            let error = || InitializeError(format!("observability.{name}: {given} is not between {least} and {most}"));
            if fits { Ok(()) } else { Err(error()) }
        };
        within("audit.queue", config.audit.queue as u64, 16, 1_048_576)?;
        within("audit.rotate_mb", config.audit.rotate_mb, 1, 4_096)?;
        within("audit.keep_files", config.audit.keep_files as u64, 1, 10_000)?;
        within("otlp.queue", config.otlp.queue as u64, 1, 65_536)?;
        within("otlp.timeout_seconds", config.otlp.timeout_seconds, 1, 60)?;
        if let Some(endpoint) = &config.otlp.endpoint
            && !(endpoint.starts_with("http://") || endpoint.starts_with("https://"))
        {
            return Err(InitializeError(format!(
                "observability.otlp.endpoint: '{endpoint}' is not a URL such as http://127.0.0.1:4318"
            )));
        }
        Ok(Self { config })
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let config = wired.inner.config;
        if let Err(error) = init_logging(&config.log) {
            tracing::warn!(%error, "observability.log is not in force");
        }
        let (path, clock, audit) = (cx.home.join("audit/audit.jsonl"), cx.clock.clone(), config.audit.clone());
        let key = ChainKey::new(wired.ports.secrets.derived_key(CHAIN_PURPOSE));
        let (sender, audit) = tokio::task::spawn_blocking(move || AuditWriter::start(&path, &audit, key, clock))
            .await
            .map_err(|error| StartError::because("the audit log could not be opened", error))?
            .map_err(|error| StartError::because(format!("the audit log could not be opened: {error}"), error))?;
        let exporter = match &config.otlp.endpoint {
            None => None,
            Some(endpoint) => {
                let exporter = Exporter::start(endpoint, &config.otlp)
                    .map_err(|error| StartError::because("traces cannot be exported", error))?;
                if let Err(error) = set_tracer(Some(exporter.tracer())) {
                    tracing::warn!(%error, "no traces are exported");
                }
                Some(exporter)
            }
        };
        let handle = ObservabilityHandle::new(sender, wired.ports.measures, cx.clock.clone());
        let following = tokio::spawn(follow(wired.ports.configuration, config.log, cx));
        let running = ObservabilityRunning { audit: Some(audit), exporter, following };
        Ok((ObservabilityProvides { observability: Arc::new(handle) }, running))
    }
}

/// Takes over changes of `observability.log` until the capability stops.
async fn follow(configuration: Arc<dyn ConfigurationPort>, mut in_force: LogConfig, cx: StartContext) {
    let mut reloads = configuration.subscribe();
    while let Some(Some(reloaded)) = cx.stopping.run_until_cancelled(reloads.next()).await {
        if !reloaded.sections.iter().any(|section| section == "observability") {
            continue;
        }
        let section = configuration.section("observability");
        let log = match serde_json::from_value::<ObservabilityConfig>(section) {
            Ok(config) => config.log,
            Err(error) => {
                tracing::error!(%error, "the changed observability section is not valid; the one in force stays");
                continue;
            }
        };
        if log != in_force {
            match init_logging(&log) {
                Ok(()) => in_force = log,
                Err(error) => tracing::error!(%error, "the changed log settings are not in force"),
            }
        }
    }
}

impl Running for ObservabilityRunning {
    async fn stop(&mut self, by: Deadline) -> Result<(), StopError> {
        self.following.abort();
        if let Some(exporter) = self.exporter.take() {
            let _ = set_tracer(None);
            if tokio::time::timeout(by.remaining(), exporter.stop()).await.is_err() {
                tracing::warn!("the last traces were not sent in time");
            }
        }
        let Some(mut audit) = self.audit.take() else { return Ok(()) };
        let flushed = tokio::task::spawn_blocking(move || audit.stop());
        match tokio::time::timeout(by.remaining(), flushed).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(StopError("the audit log was not flushed in time".to_owned())),
        }
    }

    async fn cleanup(self) {}
}
