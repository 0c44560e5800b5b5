//! What the agent factory capability promises and takes.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};

/// The contract of capability 18.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::AgentFactory,
    provides: &[PortId::AgentFactory],
    requires: &[PortId::Ledger, PortId::Blobs],
    protocols: &[
        "a directory is reported with all its findings at once, each with file, line and a way out",
        "documents are stored before the agent that names them is proposed",
        "an agent's id follows from its name; a name is taken once on a cluster",
    ],
    envelope: Envelope::initial(),
};

#[cfg(feature = "realization")]
mod ports {
    use octopussy_core::ports::{AgentFactoryPort, BlobPort, LedgerPort};

    octopussy_lifecycle::requires! {
        /// Where agents and their documents are stored.
        pub struct AgentFactoryRequires {
            pub ledger: dyn LedgerPort,
            pub blobs: dyn BlobPort,
        }
    }

    octopussy_lifecycle::provides! {
        /// The factory.
        pub struct AgentFactoryProvides {
            pub agent_factory: dyn AgentFactoryPort,
        }
    }
}

#[cfg(feature = "realization")]
pub use ports::{AgentFactoryProvides, AgentFactoryRequires};
