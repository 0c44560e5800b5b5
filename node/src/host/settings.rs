//! The node's settings: every section decoded into the type of whoever owns it.

use super::sections::{self, ClusterSection, MeshSection, MeshSettings, NodeSection, PlaceSettings, StoreSection};
use anyhow::anyhow;
use octopussy_agents::actor::ActorConfig;
use octopussy_agents::agent_factory::AgentFactoryConfig;
use octopussy_agents::agent_lifecycle::AgentLifecycleConfig;
use octopussy_config::{Layer, LoadOptions, Origin, Settings, load};
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
use octopussy_shard::ShardHostConfig;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The sections there are, for the configuration's spelling check.
const SECTIONS: &[&str] = &[
    "actor",
    "agent_factory",
    "agent_lifecycle",
    "cluster",
    "configuration",
    "gateway",
    "llm_router",
    "mesh",
    "messaging",
    "node",
    "observability",
    "prompt_engine",
    "secrets",
    "security",
    "store",
    "token_budget",
];

/// The keys that say which ports the node takes. No profile sets them.
const PORT_KEYS: [&str; 6] = [
    "gateway.rest_port",
    "gateway.ws_port",
    "gateway.metrics_port",
    "gateway.port_offset",
    "mesh.port",
    "mesh.port_offset",
];

/// Every section, decoded.
#[derive(Debug, Clone)]
pub(super) struct NodeSettings {
    pub(super) profile: String,
    pub(super) tree: Value,
    pub(super) node: NodeSection,
    pub(super) groups: ShardHostConfig,
    pub(super) mesh: MeshSettings,
    pub(super) place: PlaceSettings,
    /// Whether somebody has said which ports the node takes.
    pub(super) ports_are_chosen: bool,
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
    let mesh: MeshSection = section!("mesh");
    let decoded = NodeSettings {
        profile: settings.profile().to_string(),
        tree: settings.values().clone(),
        node: section!("node"),
        groups: sections::groups(home.join("data"), &store, &cluster),
        mesh: sections::mesh(&mesh, settings, &mut findings),
        place: sections::place(&cluster, settings, &mut findings),
        ports_are_chosen: PORT_KEYS.iter().any(|key| settings.origin(key).is_some()),
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
    if findings.is_empty() { Ok(decoded) } else { Err(findings) }
}

/// The findings as one error, one a line.
pub(super) fn refuse(findings: &[Finding]) -> anyhow::Error {
    let lines: Vec<String> = findings.iter().map(|finding| format!("  {finding}")).collect();
    anyhow!("the configuration is not valid:\n{}", lines.join("\n"))
}
