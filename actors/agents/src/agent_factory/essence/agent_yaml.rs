//! `agent.yaml` as a type; its JSON Schema is generated from here.

use octopussy_core::agent::{
    AgentType, Budget, Critique, Execution, GraphRag, Intelligence, McpServer, OutputFormat, Permissions, Rag,
    Reasoning, Sandbox, Schedule,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of an agent. Its persona, goal and permissions in prose stand in `persona.md`, `goal.md` and
/// `permissions.md` beside it, background facts and the list of its documents in `memory.md`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "agent.yaml")]
pub struct AgentYaml {
    /// Unique on the cluster: 1 to 63 lower-case letters, digits, `-` and `_`, beginning with a letter or digit.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$"))]
    pub name: String,
    /// One sentence for people.
    #[serde(default)]
    pub description: String,
    /// How it lives.
    #[serde(default, rename = "type")]
    pub agent_type: AgentType,
    /// Alone or in a team.
    #[serde(default)]
    pub execution: Execution,
    /// The model it thinks with.
    #[serde(default)]
    pub intelligence: Intelligence,
    /// How it gets from a question to an answer.
    #[serde(default)]
    pub reasoning: Reasoning,
    /// What it may touch.
    #[serde(default)]
    pub permissions: Permissions,
    /// The limits of its sandbox.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// What it may spend.
    #[serde(default)]
    pub budget: Budget,
    /// How its documents are searched.
    #[serde(default)]
    pub rag: Rag,
    /// How its graph is searched.
    #[serde(default)]
    pub graph_rag: GraphRag,
    /// When it wakes; required for SCHEDULED_TASK_DAEMON.
    #[serde(default)]
    pub scheduler: Option<Schedule>,
    /// Tool servers it may use.
    #[serde(default)]
    pub mcp_servers: Vec<McpServer>,
    /// For finding it.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Its critic.
    #[serde(default)]
    pub critique: Critique,
    /// The shape of its answers; `output` means the same.
    #[serde(default, alias = "output")]
    pub output_format: OutputFormat,
}

/// The JSON Schema of `agent.yaml`.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(AgentYaml).to_value()
}
