//! What the actor capability promises and takes.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};

/// The contract of capability 16.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::Actor,
    provides: &[PortId::Actor],
    requires: &[
        PortId::Ledger,
        PortId::LedShards,
        PortId::Blobs,
        PortId::Observability,
        PortId::Security,
        PortId::Messaging,
        PortId::LlmRouter,
        PortId::TokenBudget,
        PortId::Prompt,
    ],
    protocols: &[
        "an agent is active only on the node that leads its shard, and only once",
        "every message passes the inbound chain in its order before anything else is done with it",
        "a side effect follows only after the step before it is committed",
        "a model is asked in a child task with a cancel token, never while the mailbox is handled",
        "state changes, heartbeats and passivation are published on messaging",
    ],
    envelope: Envelope::initial(),
};

#[cfg(feature = "realization")]
mod ports {
    use octopussy_core::ports::{
        ActorPort, BlobPort, LedShardsPort, LedgerPort, LlmRouterPort, MessagingPort, ObservabilityPort, PromptPort,
        SecurityPort, TokenBudgetPort,
    };

    octopussy_lifecycle::requires! {
        /// What agents need to run.
        pub struct ActorRequires {
            pub ledger: dyn LedgerPort,
            pub led: dyn LedShardsPort,
            pub blobs: dyn BlobPort,
            pub observability: dyn ObservabilityPort,
            pub security: dyn SecurityPort,
            pub messaging: dyn MessagingPort,
            pub llm_router: dyn LlmRouterPort,
            pub token_budget: dyn TokenBudgetPort,
            pub prompt: dyn PromptPort,
        }
    }

    octopussy_lifecycle::provides! {
        /// The running agents.
        pub struct ActorProvides {
            pub actor: dyn ActorPort,
        }
    }
}

#[cfg(feature = "realization")]
pub use ports::{ActorProvides, ActorRequires};
