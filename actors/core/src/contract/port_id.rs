//! The names of the ports, and who provides each.

use crate::capability::CapabilityId;
use std::fmt;

/// Who hands out a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// What lies below all capabilities: the ledger of this node's shards, its blobs, its clock. Present from the start.
    Substrate,
    /// A capability, once it has started.
    Capability(CapabilityId),
}

macro_rules! ports {
    ($($name:ident $text:literal $provider:expr;)*) => {
        /// A port, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum PortId { $(#[doc = $text] $name,)* }

        impl PortId {
            /// Every port.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name used in errors and in the golden file.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$name => $text,)* } }

            /// Who provides it.
            #[must_use]
            pub const fn provider(self) -> Provider { match self { $(Self::$name => $provider,)* } }
        }
    };
}

ports! {
    Clock "clock" Provider::Substrate;
    Ledger "ledger" Provider::Substrate;
    LedShards "led_shards" Provider::Substrate;
    Blobs "blobs" Provider::Substrate;
    Mesh "mesh" Provider::Substrate;
    Cluster "cluster" Provider::Substrate;
    Measures "measures" Provider::Substrate;
    ApiTokens "api_tokens" Provider::Substrate;
    Secrets "secrets" Provider::Capability(CapabilityId::Secrets);
    Configuration "configuration" Provider::Capability(CapabilityId::Configuration);
    Observability "observability" Provider::Capability(CapabilityId::Observability);
    Security "security" Provider::Capability(CapabilityId::Security);
    Messaging "messaging" Provider::Capability(CapabilityId::Messaging);
    LlmRouter "llm_router" Provider::Capability(CapabilityId::LlmRouter);
    TokenBudget "token_budget" Provider::Capability(CapabilityId::TokenBudget);
    Prompt "prompt" Provider::Capability(CapabilityId::PromptEngine);
    Actor "actor" Provider::Capability(CapabilityId::Actor);
    AgentLifecycle "agent_lifecycle" Provider::Capability(CapabilityId::AgentLifecycle);
    AgentFactory "agent_factory" Provider::Capability(CapabilityId::AgentFactory);
    Orchestrator "orchestrator" Provider::Capability(CapabilityId::Orchestrator);
}

impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A trait object that can be injected. Implemented for `dyn SomePort`, beside the trait.
pub trait Port: Send + Sync + 'static {
    /// Its name.
    const ID: PortId;
}
