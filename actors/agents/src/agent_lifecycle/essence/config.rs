//! The section `agent_lifecycle` of the configuration.

use serde::Deserialize;
use std::time::Duration;

/// How agents are watched over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentLifecycleConfig {
    /// After how many seconds without a heartbeat an agent counts as unhealthy. Heartbeats come every 30 s: at least 31.
    pub unhealthy_after_seconds: u64,
    /// How many active agents are followed; more are not listed, which is logged. At least 1.
    pub max_agents: usize,
}

impl Default for AgentLifecycleConfig {
    fn default() -> Self {
        Self { unhealthy_after_seconds: 60, max_agents: 200_000 }
    }
}

impl AgentLifecycleConfig {
    /// The bound as a duration.
    #[must_use]
    pub const fn unhealthy_after(&self) -> Duration {
        Duration::from_secs(self.unhealthy_after_seconds)
    }
}
