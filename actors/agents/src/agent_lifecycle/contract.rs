//! What the agent lifecycle capability promises and takes.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};

/// The contract of capability 17.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::AgentLifecycle,
    provides: &[PortId::AgentLifecycle],
    requires: &[PortId::Messaging],
    protocols: &[
        "an agent's state changes only by a transition of the state machine, or by what its actor announces",
        "an agent that is not heard of for longer than the bound counts as unhealthy, it is not removed",
        "agents that are not active on this node are not known here",
    ],
    envelope: Envelope::initial(),
};

#[cfg(feature = "realization")]
mod ports {
    use octopussy_core::ports::{AgentLifecyclePort, MessagingPort};

    octopussy_lifecycle::requires! {
        /// Where agents announce themselves.
        pub struct AgentLifecycleRequires {
            pub messaging: dyn MessagingPort,
        }
    }

    octopussy_lifecycle::provides! {
        /// The states of active agents.
        pub struct AgentLifecycleProvides {
            pub agent_lifecycle: dyn AgentLifecyclePort,
        }
    }
}

#[cfg(feature = "realization")]
pub use ports::{AgentLifecycleProvides, AgentLifecycleRequires};
