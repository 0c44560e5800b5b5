//! The node's settings: every section decoded into the type of whoever owns it.

use anyhow::anyhow;
use octopussy_agents::actor::ActorConfig;
use octopussy_agents::agent_factory::AgentFactoryConfig;
use octopussy_agents::agent_lifecycle::AgentLifecycleConfig;
use octopussy_config::{Layer, LoadOptions, Origin, Settings, load};
use octopussy_core::ids::ShardCount;
use octopussy_core::problem::Finding;
use octopussy_execution::llm_router::LlmRouterConfig;
use octopussy_gateway::GatewayConfig;
use octopussy_infrastructure::configuration::ConfigurationSection;
use octopussy_infrastructure::messaging::MessagingConfig;
use octopussy_infrastructure::observability::ObservabilityConfig;
use octopussy_infrastructure::secrets::SecretsConfig;
use octopussy_infrastructure::security::SecurityConfig;
use octopussy_knowledge::prompt_engine::PromptEngineConfig;
use octopussy_knowledge::token_budget::TokenBudgetConfig;
use octopussy_shard::{Engine, ShardConfig};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The sections there are, for the configuration's spelling check.
const SECTIONS: &[&str] = &[
    "actor",
    "agent_factory",
    "agent_lifecycle",
    "cluster",
    "configuration",
    "gateway",
    "llm_router",
    "messaging",
    "node",
    "observability",
    "prompt_engine",
    "secrets",
    "security",
    "store",
    "token_budget",
];

/// The section `node`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NodeSection {
    /// More names and addresses the certificate is to be good for.
    pub(super) names: Vec<String>,
}

/// The section `store`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StoreSection {
    engine: Engine,
    cache_mb: usize,
    retention_days: u32,
    max_ended: u64,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self { engine: Engine::default(), cache_mb: 32, retention_days: 30, max_ended: 1_000_000 }
    }
}

/// The section `cluster`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ClusterSection {
    shards: u16,
    max_recovery_age_hours: u32,
}

impl Default for ClusterSection {
    fn default() -> Self {
        Self { shards: ShardCount::DEFAULT.get(), max_recovery_age_hours: 24 }
    }
}

/// Every section, decoded.
#[derive(Debug, Clone)]
pub(super) struct NodeSettings {
    pub(super) profile: String,
    pub(super) tree: Value,
    pub(super) node: NodeSection,
    pub(super) shards: ShardConfig,
    pub(super) secrets: SecretsConfig,
    pub(super) configuration: ConfigurationSection,
    pub(super) observability: ObservabilityConfig,
    pub(super) security: SecurityConfig,
    pub(super) messaging: MessagingConfig,
    pub(super) llm_router: LlmRouterConfig,
    pub(super) token_budget: TokenBudgetConfig,
    pub(super) prompt_engine: PromptEngineConfig,
    pub(super) actor: ActorConfig,
    pub(super) agent_lifecycle: AgentLifecycleConfig,
    pub(super) agent_factory: AgentFactoryConfig,
    pub(super) gateway: GatewayConfig,
}

/// Where settings come from; kept so that a reload reads the same places.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) home: PathBuf,
    pub(super) overrides: Vec<(String, Value)>,
}

impl Source {
    /// The file that is read.
    pub(super) fn file(&self) -> PathBuf {
        self.home.join("config.yaml")
    }

    /// Reads and decodes everything; every finding at once.
    pub(super) fn load(&self) -> Result<NodeSettings, Vec<Finding>> {
        let settings = self.read()?;
        decode(&settings, &self.home)
    }

    fn read(&self) -> Result<Settings, Vec<Finding>> {
        let mut settings = load(&LoadOptions {
            file: self.file(),
            profile: None,
            sections: SECTIONS.to_vec(),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        })?;
        let mut layer = Layer::default();
        for (key, value) in &self.overrides {
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            layer.set(&path, value.clone(), Origin::CommandLine(format!("--set {key}").into()));
        }
        settings.apply(&layer);
        Ok(settings)
    }
}

fn decode(settings: &Settings, home: &Path) -> Result<NodeSettings, Vec<Finding>> {
    let mut findings = Vec::new();
    macro_rules! section {
        ($name:literal) => {
            settings.section($name).unwrap_or_else(|found| {
                findings.extend(found);
                Default::default()
            })
        };
    }
    let store: StoreSection = section!("store");
    let cluster: ClusterSection = section!("cluster");
    let mut decoded = NodeSettings {
        profile: settings.profile().to_string(),
        tree: settings.values().clone(),
        node: section!("node"),
        shards: ShardConfig::new(home.join("data")),
        secrets: section!("secrets"),
        configuration: section!("configuration"),
        observability: section!("observability"),
        security: section!("security"),
        messaging: section!("messaging"),
        llm_router: section!("llm_router"),
        token_budget: section!("token_budget"),
        prompt_engine: section!("prompt_engine"),
        actor: section!("actor"),
        agent_lifecycle: section!("agent_lifecycle"),
        agent_factory: section!("agent_factory"),
        gateway: section!("gateway"),
    };
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    match ShardCount::new(cluster.shards) {
        Some(count) => decoded.shards.shards = count,
        None => findings.push(Finding {
            file: "config.yaml".to_owned(),
            line: None,
            message: format!("cluster.shards is {}: expected 1 to {}", cluster.shards, ShardCount::MAX),
            hint: None,
        }),
    }
    decoded.shards.engine = store.engine;
    decoded.shards.cache_mb = store.cache_mb;
    decoded.shards.retention = DAY * store.retention_days.max(1);
    decoded.shards.max_ended = store.max_ended;
    decoded.shards.max_recovery_age = Duration::from_secs(3600) * cluster.max_recovery_age_hours.max(1);
    if findings.is_empty() { Ok(decoded) } else { Err(findings) }
}

/// The findings as one error, one a line.
pub(super) fn refuse(findings: &[Finding]) -> anyhow::Error {
    let lines: Vec<String> = findings.iter().map(|finding| format!("  {finding}")).collect();
    anyhow!("the configuration is not valid:\n{}", lines.join("\n"))
}
