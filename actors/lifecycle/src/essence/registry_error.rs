//! Why a set of capabilities cannot be started.

use super::{CyclePath, GraphError};
use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::PortId;

/// The registered capabilities do not fit together. Nothing has been started; the registry is gone, and a corrected one has to
/// be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The same capability was registered twice.
    #[error("capability '{0}' is registered twice")]
    Duplicate(CapabilityId),
    /// Nobody registered provides a required port.
    #[error("capability '{capability}' requires the port '{port}', which nobody provides: register its provider")]
    UnknownProvider {
        /// Who requires it.
        capability: CapabilityId,
        /// What is missing.
        port: PortId,
    },
    /// A required capability is not registered.
    #[error("capability '{capability}' requires the capability '{provider}', which is not registered")]
    UnknownCapability {
        /// Who requires it.
        capability: CapabilityId,
        /// What is missing.
        provider: CapabilityId,
    },
    /// Capabilities wait for one another.
    #[error("circular requirement: {path}")]
    Circular {
        /// The circle.
        path: CyclePath,
    },
    /// A requirement points to a higher layer.
    #[error("capability '{capability}' requires '{provider}' of a higher layer; requirements only point downwards")]
    UpwardRequirement {
        /// Who requires.
        capability: CapabilityId,
        /// What lies above it.
        provider: CapabilityId,
    },
    /// A contract says something else than the code or the map.
    #[error("the contract of capability '{capability}' does not hold: {mismatch}")]
    ContractMismatch {
        /// Whose contract.
        capability: CapabilityId,
        /// Where it differs.
        mismatch: Mismatch,
    },
    /// A sidecar provides a port that nothing can stand in for, so its failure would fail others.
    #[error("capability '{capability}' is a sidecar, but nothing can stand in for its port '{port}'")]
    NoStandIn {
        /// The sidecar.
        capability: CapabilityId,
        /// Its port.
        port: PortId,
    },
}

/// Where a contract differs from the code or the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A port is injected that the contract does not list.
    #[error("it takes the port '{0}' without listing it under `requires`")]
    RequiresUnlisted(PortId),
    /// A port is listed that is not injected.
    #[error("it lists the port '{0}' under `requires` without taking it")]
    RequiresUnused(PortId),
    /// A port is handed out that the contract does not list.
    #[error("it gives the port '{0}' without listing it under `provides`")]
    ProvidesUnlisted(PortId),
    /// A port is listed that is not handed out.
    #[error("it lists the port '{0}' under `provides` without giving it")]
    ProvidesUnused(PortId),
    /// The map gives the port to another provider.
    #[error("it provides the port '{0}', which belongs to another provider")]
    NotItsPort(PortId),
    /// The map does not list the provider for this capability.
    #[error("it requires the port '{port}', but the map does not list '{provider}' among its requirements")]
    OutsideMap {
        /// What it requires.
        port: PortId,
        /// Whose port that is.
        provider: CapabilityId,
    },
}

impl From<GraphError> for RegistryError {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::Duplicate(id) => Self::Duplicate(id),
            GraphError::Circular(path) => Self::Circular { path },
            GraphError::Upward { capability, provider } => Self::UpwardRequirement { capability, provider },
            GraphError::Unknown { capability, provider } => Self::UnknownCapability { capability, provider },
        }
    }
}
