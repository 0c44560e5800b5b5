//! Preparing a home directory: what a first start would make, without a node that runs.

use super::access::{FirstAccessCapability, FirstAccessConfig};
use super::arrival;
use super::home_lock::HomeLock;
use super::settings::{Source, refuse};
use crate::cluster::ClusterHome;
use crate::home::Home;
use crate::identity::AuthorityKey;
use crate::ownership;
use anyhow::Context;
use octopussy_core::ports::{ApiTokensPort, MeasuresPort, NoApiTokens, NoMeasures};
use octopussy_gateway::{Addresses, GatewayConfig, TlsMode};
use octopussy_infrastructure::configuration::{ConfigurationCapability, ConfigurationConfig};
use octopussy_infrastructure::observability::{ObservabilityCapability, init_logging};
use octopussy_infrastructure::secrets::SecretsCapability;
use octopussy_infrastructure::security::SecurityCapability;
use octopussy_lifecycle::{Deadline, Host, Registry, SystemClock};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Prepares a home directory: certificates, secrets, the first credentials. It listens nowhere, neither for clients nor for
/// other nodes, and founds no cluster, so that the node may still join one.
pub(crate) async fn bootstrap(home: &Path, port_offset: Option<u16>) -> anyhow::Result<()> {
    let home = Home::locate(Some(home.to_owned())).map_err(anyhow::Error::new)?;
    ownership::check(home.path()).map_err(anyhow::Error::new)?;
    let mut overrides: Vec<(String, Value)> = port_offset.into_iter().flat_map(arrival::offset).collect();
    // Nobody who prepares a directory wants to read how a node starts and stops.
    overrides.push(("observability.log.level".to_owned(), Value::from("warn")));
    let source = Source { home: home.path().to_owned(), overrides };
    let settings = source.load().map_err(|findings| refuse(&findings))?;
    settings.gateway.check()?;
    init_logging(&settings.observability.log).context("the log cannot be set up")?;
    ownership::close(home.path());
    let _lock = HomeLock::take(home.path()).map_err(anyhow::Error::new)?;
    if let Some(offset) = port_offset {
        ClusterHome::of(home.path()).set_port_offset(offset)?;
    }
    let identity = crate::identity::load_or_create(home.path(), AuthorityKey::Held, &settings.node.names)
        .context("the node's certificates cannot be used")?;
    let access = FirstAccessConfig {
        home: home.clone(),
        ca: identity.client_ca_pem,
        node: identity.node_id.to_string(),
        planned: planned_addresses(&settings.gateway),
    };
    let configuration = ConfigurationConfig {
        section: settings.configuration,
        initial: settings.tree,
        paths: Vec::new(),
        loader: Arc::new(move || source.load().map(|settings| settings.tree)),
    };
    let registry = Registry::new()
        .with_substrate::<dyn MeasuresPort>(Arc::new(NoMeasures))
        .with_substrate::<dyn ApiTokensPort>(Arc::new(NoApiTokens))
        .register::<SecretsCapability>(settings.secrets)?
        .register::<ConfigurationCapability>(configuration)?
        .register::<ObservabilityCapability>(settings.observability)?
        .register::<SecurityCapability>(settings.security)?
        .register::<FirstAccessCapability>(access)?;
    let host = Host::new(Arc::new(SystemClock::new()), home.path().to_owned());
    let system = registry.seal()?.start_all(host).await.map_err(|error| anyhow::anyhow!(error.chain()))?;
    let report = system.stop_all(Deadline::after(super::STOP_WITHIN)).await;
    anyhow::ensure!(report.is_clean(), "the home directory was prepared, but: {report}");
    Ok(())
}

/// Where a node with these settings will listen.
fn planned_addresses(gateway: &GatewayConfig) -> Addresses {
    let at = |port: u16| SocketAddr::new(gateway.bind, port.saturating_add(gateway.port_offset));
    Addresses {
        rest: at(gateway.rest_port),
        ws: at(gateway.ws_port),
        metrics: at(gateway.metrics_port),
        tls: gateway.tls == TlsMode::On,
    }
}
