//! The map of the twenty-seven capabilities: their numbers, layers and requirements as constant data, and the start order
//! that follows from it.

use crate::contract::Criticality;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The six layers, lowest first. A capability requires from its own layer or from one below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Secrets, configuration, observability, security, messaging.
    Infrastructure,
    /// Plugins.
    Extensibility,
    /// Sandboxes, tools, models.
    Execution,
    /// Memory, retrieval, budgets, prompts.
    Knowledge,
    /// The agents themselves.
    Agents,
    /// Teams, channels, sessions, speech.
    Coordination,
    /// What people and programs talk to.
    Interface,
}

/// One row of the map.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Which capability.
    pub id: CapabilityId,
    /// Its layer.
    pub layer: Layer,
    /// Whether others wait for it.
    pub criticality: Criticality,
    /// Which capabilities it may require.
    pub requires: &'static [CapabilityId],
}

macro_rules! capabilities {
    ($($number:literal $id:ident $name:literal $layer:ident $criticality:ident [$($requires:ident)*];)*) => {
        /// A capability of the system.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum CapabilityId { $(#[doc = $name] $id = $number,)* }

        impl CapabilityId {
            /// The name used in output and in configuration.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$id => $name,)* } }
        }

        /// Every capability, by ascending number.
        pub const MAP: [Entry; COUNT] = [$(Entry {
            id: CapabilityId::$id, layer: Layer::$layer, criticality: Criticality::$criticality,
            requires: &[$(CapabilityId::$requires,)*],
        },)*];
    };
}

/// How many capabilities the map has.
pub const COUNT: usize = 27;

// The actor [16] and the lifecycle manager [17] would need each other; 16 therefore publishes its state changes on Messaging
// and 17 listens there. `docs/adr/0002-requirements-added-to-the-map.md` says why the prompt engine, messaging and the
// model router stand in rows where the first description of the system does not have them.
capabilities! {
    1 Secrets "secrets" Infrastructure Required [];
    2 Configuration "configuration" Infrastructure Required [Secrets];
    3 Observability "observability" Infrastructure Sidecar [Secrets Configuration];
    4 Security "security" Infrastructure Required [Secrets Configuration Observability];
    5 Messaging "messaging" Infrastructure Required [Configuration Security Observability];
    6 Plugin "plugin" Extensibility Required [Configuration Observability];
    7 Sandbox "sandbox" Execution Required [Configuration Observability];
    8 ToolRegistry "tool_registry" Execution Required [Plugin Sandbox Security Observability];
    9 LlmRouter "llm_router" Execution Required [Configuration Secrets Plugin Observability];
    10 Memory "memory" Knowledge Required [Configuration Observability];
    11 Rag "rag" Knowledge Required [Configuration Memory Plugin Observability];
    12 GraphRag "graph_rag" Knowledge Required [Configuration Secrets Observability];
    13 TokenBudget "token_budget" Knowledge Required [Configuration Observability];
    14 PromptEngine "prompt_engine" Knowledge Required [Configuration Plugin Observability];
    15 UserAgentExtension "user_agent_extension" Extensibility Required [Plugin Observability];
    16 Actor "actor" Agents Required [LlmRouter Memory Rag GraphRag ToolRegistry Sandbox TokenBudget PromptEngine Security Messaging Observability];
    17 AgentLifecycle "agent_lifecycle" Agents Required [Configuration Messaging Observability];
    18 AgentFactory "agent_factory" Agents Required [Configuration LlmRouter Memory Rag GraphRag ToolRegistry Sandbox TokenBudget AgentLifecycle Security UserAgentExtension Observability];
    19 Critique "critique" Agents Required [LlmRouter Observability];
    20 Scheduler "scheduler" Agents Required [Configuration Messaging Observability];
    21 Team "team" Coordination Required [AgentFactory AgentLifecycle Messaging Memory Observability];
    22 CommunicationAdapter "communication_adapter" Coordination Required [Plugin Messaging Security Observability];
    23 UserSession "user_session" Coordination Required [Configuration Security Observability];
    24 Speech "speech" Coordination Required [Configuration Observability];
    25 Orchestrator "orchestrator" Interface Required [Secrets LlmRouter AgentFactory AgentLifecycle Team Messaging Security Observability];
    26 Cli "cli" Interface Required [Secrets Security Orchestrator Observability];
    27 WebUi "web_ui" Interface Required [Orchestrator UserSession Observability];
}

impl CapabilityId {
    /// The number by which ties in the start order are broken.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The capability's row.
    #[must_use]
    pub const fn entry(self) -> &'static Entry {
        &MAP[self as usize - 1]
    }
}

impl fmt::Display for CapabilityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The order in which the whole map starts: Kahn's algorithm, always taking the lowest-numbered capability that is ready.
/// Evaluated at compile time, so that a cycle or an upward requirement in [`MAP`] does not build.
pub const START_ORDER: [CapabilityId; COUNT] = start_order();

const fn start_order() -> [CapabilityId; COUNT] {
    let mut order = [CapabilityId::Secrets; COUNT];
    let mut started = [false; COUNT];
    let mut position = 0;
    while position < COUNT {
        let mut candidate = 0;
        while candidate < COUNT && (started[candidate] || !ready(&MAP[candidate], &started)) {
            candidate += 1;
        }
        assert!(candidate < COUNT, "the capability map has a circular requirement");
        assert!(MAP[candidate].id as usize == candidate + 1, "the capability map is not in ascending order");
        started[candidate] = true;
        order[position] = MAP[candidate].id;
        position += 1;
    }
    order
}

const fn ready(entry: &Entry, started: &[bool; COUNT]) -> bool {
    let mut index = 0;
    while index < entry.requires.len() {
        let required = entry.requires[index];
        assert!(
            MAP[required as usize - 1].layer as u8 <= entry.layer as u8,
            "a capability requires one of a higher layer"
        );
        if !started[required as usize - 1] {
            return false;
        }
        index += 1;
    }
    true
}
