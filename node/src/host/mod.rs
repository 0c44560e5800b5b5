//! The composition root: opens the shards, registers the capabilities, starts them, and stops them in reverse order. The one
//! place that names every capability.

mod access;
mod private_file;
mod settings;
mod signals;
mod system;

use crate::home::Home;
use crate::identity::Identity;
use anyhow::Context;
use octopussy_core::time::Clock;
use octopussy_infrastructure::observability::init_logging;
use octopussy_lifecycle::{Deadline, SystemClock};
use serde_json::Value;
use settings::{NodeSettings, Source, refuse};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a stop may take before what still runs is left to the next start, which takes it up from the journal.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// How a node is to run.
#[derive(Debug, Clone)]
pub(crate) struct HostOptions {
    /// The home directory.
    pub(crate) home: PathBuf,
    /// Added to every port.
    pub(crate) port_offset: u16,
    /// Settings from the command line, by dotted key; they win over file and environment.
    pub(crate) overrides: Vec<(String, Value)>,
}

/// Runs a node until it is told to stop, by SIGTERM or SIGINT; a second signal gives up waiting for what still runs.
pub(crate) async fn run(options: HostOptions) -> anyhow::Result<()> {
    let mut overrides = options.overrides;
    overrides.extend(offset(options.port_offset));
    let prepared = Prepared::new(&options.home, overrides)?;
    let mut signals = signals::Signals::listen()?;
    let (mut system, shards) = prepared.start(system::Purpose::Serve, signals.first()).await?;
    let ended = tokio::select! {
        () = signals.stop() => Ok(()),
        failure = async {
            loop {
                let failure = system.next_failure().await;
                if failure.is_fatal() {
                    break failure;
                }
                tracing::error!(capability = %failure.capability, reason = failure.reason, "has failed; the node goes on without it");
            }
        } => Err(anyhow::anyhow!("the node cannot go on without {}: {}", failure.capability, failure.reason)),
    };
    tracing::info!("stopping");
    let stop = async {
        let report = system.stop_all(Deadline::after(STOP_WITHIN)).await;
        shards.close(STOP_WITHIN / 4).await;
        report
    };
    tokio::select! {
        report = stop => {
            if !report.is_clean() {
                tracing::warn!(%report, "stopped, not cleanly");
            }
        }
        () = signals.stop() => tracing::warn!("told to stop a second time: not waiting any longer"),
    }
    ended
}

/// Prepares a home directory as the first start would: certificates, secrets, stores, the first credentials. Listens on
/// free loopback ports for that moment only, so that it works beside a node that runs.
pub(crate) async fn bootstrap(home: &Path, port_offset: u16) -> anyhow::Result<()> {
    let planned = Prepared::new(home, offset(port_offset))?.settings.gateway;
    let loopback = ["rest_port", "ws_port", "metrics_port"]
        .map(|port| (format!("gateway.{port}"), Value::from(0)))
        .into_iter()
        .chain([
            ("gateway.bind".to_owned(), Value::from("127.0.0.1")),
            // Nobody who prepares a directory wants to read how a node starts and stops.
            ("observability.log.level".to_owned(), Value::from("warn")),
        ]);
    let prepared = Prepared::new(home, loopback.collect())?;
    let (system, shards) = prepared.start(system::Purpose::Bootstrap { planned }, std::future::pending()).await?;
    let report = system.stop_all(Deadline::after(STOP_WITHIN)).await;
    shards.close(STOP_WITHIN / 4).await;
    anyhow::ensure!(report.is_clean(), "the home directory was prepared, but: {report}");
    Ok(())
}

/// The setting that an offset on the command line stands for.
fn offset(ports: u16) -> Vec<(String, Value)> {
    if ports == 0 { Vec::new() } else { vec![("gateway.port_offset".to_owned(), ports.into())] }
}

/// What has to be right before anything is opened.
struct Prepared {
    home: Home,
    source: Source,
    settings: NodeSettings,
    identity: Identity,
    clock: Arc<dyn Clock>,
}

impl Prepared {
    fn new(home: &Path, overrides: Vec<(String, Value)>) -> anyhow::Result<Self> {
        let home = Home::locate(Some(home.to_owned())).map_err(anyhow::Error::new)?;
        let source = Source { home: home.path().to_owned(), overrides };
        let settings = source.load().map_err(|findings| refuse(&findings))?;
        init_logging(&settings.observability.log).context("the log cannot be set up")?;
        let identity = crate::identity::load_or_create(home.path(), &settings.node.names)
            .context("the node's certificates cannot be used")?;
        Ok(Self { home, source, settings, identity, clock: Arc::new(SystemClock::new()) })
    }
}
