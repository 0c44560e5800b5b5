//! Whether nodes answer, as a simulated node sees it.

use octopussy_core::ids::NodeId;
use octopussy_core::ports::{MeshPort, Reach, ReachabilityPort};
use octopussy_mesh::memory::MemoryMesh;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a node may be without a connection before it counts as down.
const DOWN_AFTER: Duration = Duration::from_secs(2);

/// Whether nodes answer, by the connections to them.
pub(super) struct Seen {
    mesh: Arc<MemoryMesh>,
    missing: Mutex<BTreeMap<NodeId, Instant>>,
}

impl Seen {
    pub(super) fn new(mesh: Arc<MemoryMesh>) -> Self {
        Self { mesh, missing: Mutex::default() }
    }

    /// How long the node has not been connected.
    fn missing(&self, node: NodeId) -> Option<Duration> {
        let mut missing = self.missing.lock();
        if node == self.mesh.incarnation().node || self.mesh.is_connected(node) {
            missing.remove(&node);
            return None;
        }
        Some(missing.entry(node).or_insert_with(Instant::now).elapsed())
    }
}

impl ReachabilityPort for Seen {
    fn reach(&self, node: NodeId) -> Reach {
        match self.missing(node) {
            None => Reach::Alive,
            Some(missing) if missing >= DOWN_AFTER => Reach::Down,
            Some(_) => Reach::Suspect,
        }
    }

    fn down_for(&self, node: NodeId) -> Option<Duration> {
        self.missing(node)?.checked_sub(DOWN_AFTER)
    }
}
