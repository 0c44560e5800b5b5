//! What the model router promises.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};

/// The contract.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::LlmRouter,
    provides: &[PortId::LlmRouter],
    requires: &[PortId::Mesh, PortId::Cluster, PortId::Configuration, PortId::Secrets, PortId::Observability],
    protocols: &[
        "Every call ends within the request's timeout at each provider that is asked.",
        "A call of which a piece has been handed out is not repeated.",
        "Keys come from Secrets alone and follow their rotation.",
        "The provider `builtin` is always there and needs nothing.",
        "A model server of this machine is lent to the nodes that are named, and theirs are used where none here fits.",
    ],
    envelope: Envelope::initial(),
};

#[cfg(feature = "realization")]
octopussy_lifecycle::requires! {
    /// What the model router takes.
    pub struct LlmRouterNeeds {
        pub mesh: dyn octopussy_core::ports::MeshPort,
        pub cluster: dyn octopussy_core::ports::ClusterPort,
        pub configuration: dyn octopussy_core::ports::ConfigurationPort,
        pub secrets: dyn octopussy_core::ports::SecretsPort,
        pub observability: dyn octopussy_core::ports::ObservabilityPort,
    }
}

#[cfg(feature = "realization")]
octopussy_lifecycle::provides! {
    /// What the model router provides.
    pub struct LlmRouterProvides { pub router: dyn octopussy_core::ports::LlmRouterPort }
}
