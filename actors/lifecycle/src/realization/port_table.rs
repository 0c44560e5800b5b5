//! The ports that have been provided so far. Lives only while the system starts.

use octopussy_core::contract::{Port, PortId};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A port was asked for that nobody has provided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody has provided the port '{0}'")]
pub struct MissingPort(pub PortId);

/// Ports by their ids, filled as providers start.
#[derive(Default)]
pub struct PortTable {
    ports: BTreeMap<PortId, Box<dyn Any + Send + Sync>>,
}

impl PortTable {
    /// Adds a port; a second one of the same id takes the first one's place.
    pub fn insert<P: Port + ?Sized>(&mut self, port: Arc<P>) {
        self.ports.insert(P::ID, Box::new(port));
    }

    /// A port that was provided.
    ///
    /// # Errors
    /// [`MissingPort`].
    pub fn get<P: Port + ?Sized>(&self) -> Result<Arc<P>, MissingPort> {
        self.ports.get(&P::ID).and_then(|port| port.downcast_ref::<Arc<P>>()).cloned().ok_or(MissingPort(P::ID))
    }

    /// Whether the port is there.
    #[must_use]
    pub fn contains(&self, id: PortId) -> bool {
        self.ports.contains_key(&id)
    }
}
