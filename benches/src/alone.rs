//! The shards of a node that is alone, without a process or a network around them.

use anyhow::Result;
use octopussy_control::{ClusterRecord, MemberRecord, VersionRange};
use octopussy_core::ids::{NodeId, ShardCount};
use octopussy_core::ports::{MemberDesired, MemberRole, MeshPort, Reach, ReachabilityPort};
use octopussy_core::time::Clock;
use octopussy_mesh::memory::Network;
use octopussy_shard::{ShardHost, ShardHostConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Nobody else is there to be asked about.
struct Alone;

impl ReachabilityPort for Alone {
    fn reach(&self, _: NodeId) -> Reach {
        Reach::Alive
    }

    fn down_for(&self, _: NodeId) -> Option<Duration> {
        None
    }
}

/// The shards of a cluster of one in `dir`, with the mesh that nobody else is on.
///
/// # Errors
/// When they cannot be opened.
pub async fn alone(dir: &Path, clock: &Arc<dyn Clock>) -> Result<(Arc<ShardHost>, Arc<dyn MeshPort>)> {
    let node = NodeId([7; 16]);
    let mesh: Arc<dyn MeshPort> = Network::new(1).node(node, 1);
    let host =
        ShardHost::open(ShardHostConfig::new(dir), Arc::clone(clock), Arc::clone(&mesh), Arc::new(Alone)).await?;
    let cluster =
        ClusterRecord { id: "0".repeat(32), shards: ShardCount::DEFAULT, replication: 3, founded_at: clock.now() };
    let founder = MemberRecord {
        id: node,
        name: "alone".to_owned(),
        addresses: Vec::new(),
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: 100,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: clock.now(),
    };
    host.found(cluster, founder).await?;
    Ok((host, mesh))
}
