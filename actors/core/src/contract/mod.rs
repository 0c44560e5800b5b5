//! What a capability promises: what it provides and requires, how much others depend on it, how it evolves.

mod envelope;
mod port_id;

pub use envelope::{Envelope, Version};
pub use port_id::{Port, PortId, Provider};

use crate::capability::CapabilityId;
use serde::{Deserialize, Serialize};

/// Whether the start of others waits for this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Criticality {
    /// Others wait, and its failure fails the start.
    Required,
    /// It runs beside the others: its failure is reported and a port that does nothing takes its place.
    Sidecar,
}

/// The contract of one capability, as constant data.
#[derive(Debug, Clone, Copy)]
pub struct Contract {
    /// Which capability.
    pub id: CapabilityId,
    /// What it provides once started.
    pub provides: &'static [PortId],
    /// What it takes; every provider is among the map's requirements of `id`.
    pub requires: &'static [PortId],
    /// The rules of interaction, one sentence each.
    pub protocols: &'static [&'static str],
    /// How it evolves.
    pub envelope: Envelope,
}
