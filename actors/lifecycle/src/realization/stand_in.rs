//! What takes the place of a sidecar's ports when it could not start.

use super::PortTable;
use octopussy_core::contract::PortId;
use octopussy_core::ports::{NoObservability, ObservabilityPort};
use std::sync::Arc;

/// Whether something can stand in for `port`.
pub(super) const fn has_stand_in(port: PortId) -> bool {
    matches!(port, PortId::Observability)
}

/// Puts the stand-ins for `ports` into the table. The registry has made sure that there is one for each.
pub(super) fn install(ports: &[PortId], table: &mut PortTable) {
    if ports.contains(&PortId::Observability) {
        table.insert::<dyn ObservabilityPort>(Arc::new(NoObservability));
    }
}
