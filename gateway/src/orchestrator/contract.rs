//! What the orchestrator promises.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};
use octopussy_core::ports::{
    AgentFactoryPort, AgentLifecyclePort, ApiTokensPort, BlobPort, ClusterPort, LedgerPort, LlmRouterPort,
    MessagingPort, ObservabilityPort, OrchestratorPort, SecretsPort, SecurityPort,
};
use octopussy_core::time::Clock;
use octopussy_lifecycle::{provides, requires};
use std::sync::Arc;

/// The orchestrator's contract.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::Orchestrator,
    provides: &[PortId::Orchestrator],
    requires: &[
        PortId::Ledger,
        PortId::Blobs,
        PortId::Cluster,
        PortId::Secrets,
        PortId::Observability,
        PortId::Security,
        PortId::Messaging,
        PortId::LlmRouter,
        PortId::AgentLifecycle,
        PortId::AgentFactory,
        PortId::ApiTokens,
    ],
    protocols: &[
        "Every call is authorized for its principal before anything else happens.",
        "A submission is answered after its task is committed, never before.",
        "Documents are stored before the task that names them is submitted.",
        "The listeners open when the capability starts and close, streams first, before it stops.",
    ],
    envelope: Envelope::initial(),
};

requires! {
    /// What the orchestrator takes.
    pub struct OrchestratorRequires {
        pub ledger: dyn LedgerPort,
        pub blobs: dyn BlobPort,
        pub cluster: dyn ClusterPort,
        pub secrets: dyn SecretsPort,
        pub observability: dyn ObservabilityPort,
        pub security: dyn SecurityPort,
        pub messaging: dyn MessagingPort,
        pub llm_router: dyn LlmRouterPort,
        pub agent_lifecycle: dyn AgentLifecyclePort,
        pub agent_factory: dyn AgentFactoryPort,
        pub api_tokens: dyn ApiTokensPort,
    }
}

provides! {
    /// What the orchestrator gives.
    pub struct OrchestratorProvides {
        pub orchestrator: dyn OrchestratorPort,
    }
}

/// The clock comes with the start context rather than as a port.
pub(super) type SharedClock = Arc<dyn Clock>;
