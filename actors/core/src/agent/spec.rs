//! The immutable specification of an agent, as its directory describes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How an agent lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AgentType {
    /// Each task is taken without memory of the ones before; the actor ends with its task.
    #[default]
    StatelessOneShot,
    /// Keeps its conversation from task to task until it is stopped.
    StatefulLoop,
    /// Wakes on a schedule.
    ScheduledTaskDaemon,
    /// A class that a plugin brings.
    UserDefined,
}

/// Alone or in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Execution {
    /// On its own.
    #[default]
    Solo,
    /// As a member of a team.
    Team,
}

/// What the router prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Strategy {
    /// The cheapest.
    Cost,
    /// The best.
    Quality,
    /// Quality for its price.
    #[default]
    Balanced,
    /// Machines of our own.
    Local,
    /// Machines of others.
    Cloud,
}

/// The model an agent thinks with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Intelligence {
    /// The provider's name in the configuration, such as `ollama`; absent: the configured default.
    pub provider: Option<String>,
    /// The model's name at the provider; absent: the provider's default.
    pub model: Option<String>,
    /// What the router prefers when no provider is named.
    pub strategy: Strategy,
    /// From 0 (the likeliest word) to 2.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: f32,
    /// The longest answer, in tokens.
    #[schemars(range(min = 1))]
    pub max_tokens: u32,
    /// Who answers when the first cannot.
    pub fallback: Option<Fallback>,
    /// Whether images are understood.
    pub vlm: bool,
    /// The longest one call may take, in seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: u32,
}

impl Default for Intelligence {
    fn default() -> Self {
        Self {
            provider: None,
            model: None,
            strategy: Strategy::default(),
            temperature: 0.7,
            max_tokens: 4096,
            fallback: None,
            vlm: false,
            timeout_seconds: 120,
        }
    }
}

/// The second choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The provider's name.
    pub provider: String,
    /// The model's name; absent: the provider's default.
    #[serde(default)]
    pub model: Option<String>,
}

/// What an agent may touch. Everything empty: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Permissions {
    /// Tools it may call.
    pub allowed_tools: Vec<String>,
    /// Tools it may never call, even when a pattern allows them.
    pub forbidden_tools: Vec<String>,
    /// Paths its tools may touch.
    pub allowed_paths: Vec<String>,
    /// Hosts its tools may reach.
    pub allowed_domains: Vec<String>,
}

/// The limits of the agent's sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sandbox {
    /// Processor cores.
    #[schemars(range(min = 0.05, max = 1024.0))]
    pub cores: f32,
    /// Memory in megabytes.
    #[schemars(range(min = 16))]
    pub memory_mb: u32,
    /// Disk in megabytes.
    pub disk_mb: u32,
    /// Whether its tools may use the network.
    pub network: bool,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self { cores: 1.0, memory_mb: 512, disk_mb: 1024, network: false }
    }
}

/// What an agent may spend; when any limit is reached the agent pauses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Tokens an hour.
    pub tokens_per_hour: u64,
    /// Tokens a day.
    pub tokens_per_day: u64,
    /// Tokens a month.
    pub tokens_per_month: u64,
    /// US dollars an hour.
    pub cost_per_hour: Option<f64>,
    /// US dollars a day.
    pub cost_per_day: Option<f64>,
    /// US dollars a month.
    pub cost_per_month: Option<f64>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            tokens_per_hour: 10_000,
            tokens_per_day: 100_000,
            tokens_per_month: 1_000_000,
            cost_per_hour: None,
            cost_per_day: None,
            cost_per_month: None,
        }
    }
}

/// How the agent's documents are searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rag {
    /// How many passages a question is given.
    #[schemars(range(min = 1, max = 100))]
    pub top_k: u32,
}

impl Default for Rag {
    fn default() -> Self {
        Self { top_k: 5 }
    }
}

/// How the agent's graph is searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GraphRag {
    /// How many edges away a fact may be.
    #[schemars(range(min = 1, max = 10))]
    pub hop_depth: u32,
}

impl Default for GraphRag {
    fn default() -> Self {
        Self { hop_depth: 2 }
    }
}

/// When a scheduled agent wakes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Five or six cron fields.
    pub cron: String,
    /// An IANA time zone.
    #[serde(default = "utc")]
    pub timezone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// A tool server the agent may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McpServer {
    /// Its name among the agent's servers.
    pub id: String,
    /// Where it answers.
    pub url: String,
    /// The secret that holds its key.
    #[serde(default)]
    pub api_key_secret: Option<String>,
    /// The longest a call may take, in seconds.
    #[serde(default = "thirty")]
    pub timeout_seconds: u32,
    /// What its tools' names begin with here.
    #[serde(default)]
    pub tool_prefix: String,
}

fn thirty() -> u32 {
    30
}

/// A second model that judges the first one's answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Critique {
    /// Whether answers are judged.
    pub enabled: bool,
    /// The score from which an answer is good enough.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: f32,
    /// How often an answer may be revised.
    #[schemars(range(min = 1, max = 10))]
    pub max_rounds: u32,
}

impl Default for Critique {
    fn default() -> Self {
        Self { enabled: false, threshold: 0.8, max_rounds: 3 }
    }
}

/// How an answer is shaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// Plain text.
    Text,
    /// Markdown.
    #[default]
    Markdown,
    /// A JSON value.
    Json,
}

/// How an agent gets from a question to an answer. Every model call is a step of the task's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// One model call.
    #[default]
    Direct,
    /// Draft, review, revise: three model calls.
    Reflection,
    /// Plan, work through the plan, bring the parts together.
    PlanAndExecute,
}

/// The reasoning of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reasoning {
    /// The way from question to answer.
    pub pattern: Pattern,
    /// The loop guard: how many model calls one task may make.
    #[schemars(range(min = 1, max = 1000))]
    pub max_iterations: u32,
}

impl Default for Reasoning {
    fn default() -> Self {
        Self { pattern: Pattern::default(), max_iterations: 10 }
    }
}

/// The blueprint of an agent. A version of it never changes; an update brings another version. The default is nameless and has every setting at its default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentSpec {
    /// Unique on the cluster: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// How it lives.
    pub agent_type: AgentType,
    /// Alone or in a team.
    pub execution: Execution,
    /// Who it is (`persona.md`).
    pub persona: String,
    /// What it is for (`goal.md`).
    pub goal: String,
    /// What it may do, in prose (`permissions.md`).
    pub permissions_text: String,
    /// Background facts (the text of `memory.md`).
    pub background: String,
    /// The shape of its answers.
    pub output_format: OutputFormat,
    /// Its model.
    pub intelligence: Intelligence,
    /// Its reasoning.
    pub reasoning: Reasoning,
    /// What it may touch.
    pub permissions: Permissions,
    /// Its sandbox.
    pub sandbox: Sandbox,
    /// What it may spend.
    pub budget: Budget,
    /// How its documents are searched.
    pub rag: Rag,
    /// How its graph is searched.
    pub graph_rag: GraphRag,
    /// When it wakes.
    pub schedule: Option<Schedule>,
    /// Tool servers.
    pub mcp_servers: Vec<McpServer>,
    /// For finding it.
    pub tags: Vec<String>,
    /// Its critic.
    pub critique: Critique,
}

impl AgentSpec {
    /// The longest one model call of this agent may take.
    #[must_use]
    pub const fn call_timeout(&self) -> Duration {
        Duration::from_secs(self.intelligence.timeout_seconds as u64)
    }
}
