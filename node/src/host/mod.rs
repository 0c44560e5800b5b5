//! The composition root: opens what lies below the capabilities, registers them, starts them, and stops them in reverse order. The
//! one place that names every capability.

mod access;
mod arrival;
mod bootstrap;
mod home_lock;
mod opening;
mod removed;
mod sections;
mod services;
mod settings;
mod signals;
mod substrate;
mod system;

pub(crate) use bootstrap::bootstrap;
pub(crate) use signals::Signals;
pub(crate) use substrate::VERSIONS;

use crate::cluster::{ClusterHome, HomeLives};
use crate::home::Home;
use crate::identity::{AuthorityKey, Identity};
use crate::ownership;
use crate::process::{hide_memory, open_files};
use anyhow::Context;
use arrival::Standing;
use home_lock::HomeLock;
use octopussy_core::time::Clock;
use octopussy_infrastructure::observability::init_logging;
use octopussy_lifecycle::{Deadline, SystemClock};
use octopussy_shard::ShardHostConfig;
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
    /// Added to every port, when somebody said so.
    pub(crate) port_offset: Option<u16>,
    /// Settings from the command line, by dotted key; they win over file and environment.
    pub(crate) overrides: Vec<(String, Value)>,
    /// The cluster to join, when the node belongs to none.
    pub(crate) join: Option<JoinOptions>,
    /// Whether a cluster may be founded although the home was to join one, or the configuration forbids it.
    pub(crate) found: bool,
}

/// How a node is to join.
#[derive(Debug, Clone)]
pub(crate) struct JoinOptions {
    /// The join token.
    pub(crate) token: String,
    /// Whether to look for members on the local network, instead of only where the token says.
    pub(crate) find: bool,
    /// Whether to join as a guest or not at all.
    pub(crate) guest: bool,
}

/// Runs a node until it is told to stop, by SIGTERM, SIGINT or SIGHUP; a second signal gives up waiting for what still runs.
pub(crate) async fn run(options: HostOptions) -> anyhow::Result<()> {
    hide_memory();
    open_files();
    let prepared = Prepared::new(options).await?;
    let mut signals = signals::Signals::listen()?;
    let (mut system, serving) = prepared.start(signals.first()).await?;
    let ended = tokio::select! {
        () = signals.stop() => Ok(()),
        failure = serving.removed() => Err(failure),
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
        // The capabilities first, which brings every agent to the end of a step; only then are the leaderships handed over,
        // so that no other node runs an agent that still runs here.
        let report = system.stop_all(Deadline::after(STOP_WITHIN)).await;
        serving.close(STOP_WITHIN / 4).await;
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

/// What a restore needs to know of a home's settings.
pub(crate) struct HomeSettings {
    /// How the groups are kept.
    pub(crate) groups: ShardHostConfig,
    /// More names for the node's certificate.
    pub(crate) names: Vec<String>,
}

/// Reads the settings of a home that is being made.
pub(crate) fn settings_of(home: &Path) -> anyhow::Result<HomeSettings> {
    let source = Source { home: home.to_owned(), overrides: Vec::new() };
    let settings = source.load().map_err(|findings| refuse(&findings))?;
    Ok(HomeSettings { groups: settings.groups, names: settings.node.names })
}

/// What has to be right before anything is opened.
struct Prepared {
    home: Home,
    cluster_home: ClusterHome,
    source: Source,
    settings: NodeSettings,
    identity: Identity,
    /// The lives of the home: this one is the last.
    lives: Arc<HomeLives>,
    /// The node's weight.
    capacity: u32,
    /// Its zone.
    zone: Option<String>,
    /// Whether members that do not answer are looked for on the local network although this node does not announce itself.
    look_on_lan: bool,
    clock: Arc<dyn Clock>,
    lock: HomeLock,
}

impl Prepared {
    /// Reads the settings, takes the home, settles on ports, joins when that is wanted, and loads the identity.
    async fn new(options: HostOptions) -> anyhow::Result<Self> {
        let home = Home::locate(Some(options.home.clone())).map_err(anyhow::Error::new)?;
        ownership::check(home.path()).map_err(anyhow::Error::new)?;
        let mut source = Source { home: home.path().to_owned(), overrides: arrival::overrides(&options) };
        let mut settings = source.load().map_err(|findings| refuse(&findings))?;
        init_logging(&settings.observability.log).context("the log cannot be set up")?;
        ownership::close(home.path());
        let path = home.path().to_owned();
        let lock = tokio::task::spawn_blocking(move || HomeLock::take(&path))
            .await
            .context("taking the home directory panicked")?
            .map_err(anyhow::Error::new)?;
        let cluster_home = ClusterHome::of(home.path());
        removed::refuse(home.path(), &cluster_home)?;
        let ports = arrival::settle_on_ports(&cluster_home, &settings, options.port_offset)?;
        if !ports.is_empty() {
            source.overrides.extend(ports);
            settings = source.load().map_err(|findings| refuse(&findings))?;
        }
        arrival::wait_for_ports(&home, &settings).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let data = settings.groups.dir.clone();
        let lives = tokio::task::spawn_blocking(move || HomeLives::begin(&data))
            .await
            .context("counting this start panicked")??;
        let boot = lives.life().epoch;
        arrival::arrive(home.path(), &settings, &options, boot, &clock).await?;
        let member = cluster_home.membership()?;
        let key = member.as_ref().map_or(AuthorityKey::Held, |member| member.authority_key());
        let identity = crate::identity::load_or_create(home.path(), key, &settings.node.names)
            .context("the node's certificates cannot be used")?;
        let identity = match &member {
            Some(member) => identity.in_cluster(member.cluster.clone()),
            None => identity,
        };
        let Standing { capacity, zone } = Standing::of(&settings, member.as_ref());
        let look_on_lan = options.join.is_some_and(|join| join.find);
        Ok(Self { home, cluster_home, source, settings, identity, lives, capacity, zone, look_on_lan, clock, lock })
    }
}
