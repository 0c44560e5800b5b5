//! What Messaging promises.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};
use serde::Deserialize;

/// The contract.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::Messaging,
    provides: &[PortId::Messaging],
    requires: &[PortId::Ledger, PortId::LedShards, PortId::Mesh, PortId::Security, PortId::Observability],
    protocols: &[
        "A task that `submit` has returned for is committed.",
        "A publisher never waits for a watcher; a watcher that falls behind gets a gap and then everything that follows.",
        "Whoever subscribes first and reads the ledger then misses nothing.",
        "News of a task or an agent come from the leader of its shard, to watchers at any node; a change of leader is at worst a gap.",
        "A CONTROL message reaches the host of its agent once, or its sender is told that it did not.",
        "Events of tasks come from the ledger alone; agents publish tokens and their own state.",
    ],
    envelope: Envelope::initial(),
};

/// The section `messaging`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MessagingConfig {
    /// How many events of each watched topic are remembered (16 to 65 536): how far a watcher may fall behind.
    pub remembered_events: usize,
    /// How many topics may be watched at once (1 to 1 048 576).
    pub watched_topics: usize,
    /// How long a topic is remembered after its last watcher has gone, in seconds (0 to 3600): how long a dropped connection
    /// may take to come back without a gap.
    pub linger_seconds: u64,
}

impl Default for MessagingConfig {
    fn default() -> Self {
        Self { remembered_events: 1024, watched_topics: 16_384, linger_seconds: 30 }
    }
}

#[cfg(feature = "realization")]
octopussy_lifecycle::requires! {
    /// What Messaging takes.
    pub struct MessagingNeeds {
        pub ledger: dyn octopussy_core::ports::LedgerPort,
        pub led: dyn octopussy_core::ports::LedShardsPort,
        pub mesh: dyn octopussy_core::ports::MeshPort,
        pub security: dyn octopussy_core::ports::SecurityPort,
        pub observability: dyn octopussy_core::ports::ObservabilityPort,
    }
}

#[cfg(feature = "realization")]
octopussy_lifecycle::provides! {
    /// What Messaging provides.
    pub struct MessagingProvides { pub messaging: dyn octopussy_core::ports::MessagingPort }
}
