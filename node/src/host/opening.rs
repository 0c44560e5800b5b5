//! Opening the parts of what lies below the capabilities, with what an operator can do when one does not open.

use super::Prepared;
use super::substrate::VERSIONS;
use crate::failure::Failure;
use octopussy_core::ports::MeshPort;
use octopussy_core::time::Clock;
use octopussy_membership::{Membership, Settings as MembershipSettings};
use octopussy_mesh::{BindError, LifeMemory, Mesh, MeshConfig};
use octopussy_shard::{OpenError, ShardHost, ShardHostConfig, Timings};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the store may be held by another process: a node that was killed takes a moment to disappear.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether the store is free.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Binds the mesh's socket.
pub(super) fn bind(prepared: &Prepared, memory: Arc<dyn LifeMemory>) -> anyhow::Result<Arc<Mesh>> {
    let Prepared { identity, settings, lives, .. } = prepared;
    let listen = settings.mesh.listen();
    let mut config = MeshConfig::new(listen, &identity.cluster_id, lives.life().epoch, identity.mesh_certificates());
    config.lineage = lives.lineage();
    config.memory = Some(memory);
    config.advertise = settings.mesh.advertise.clone();
    config.versions = VERSIONS.min..=VERSIONS.max;
    Mesh::bind(config).map_err(|error| match error {
        BindError::Listen { address, error } if error.kind() == std::io::ErrorKind::AddrInUse => {
            anyhow::Error::new(
                Failure::new(format!("cannot listen on {address}/udp for the other nodes: the port is taken")).hint(
                    "another node may run on this machine: start this one with --port-offset 20, or set mesh.port in config.yaml",
                ),
            )
        }
        BindError::Listen { address, error } => anyhow::Error::new(
            Failure::new(format!("cannot listen on {address}/udp for the other nodes: {error}"))
                .hint("mesh.bind and mesh.port in config.yaml say where"),
        ),
        error @ (BindError::Certificates(_) | BindError::Config(_)) => anyhow::Error::new(error),
    })
}

/// Who answers is noticed in step with the groups' elections.
pub(super) fn membership_settings(timings: Timings) -> MembershipSettings {
    if timings == Timings::WAN {
        MembershipSettings::wan()
    } else if timings == Timings::FAST {
        MembershipSettings::fast()
    } else {
        MembershipSettings::standard()
    }
}

/// Opens the groups; waits a little for a process that is just ending to let go of them.
pub(super) async fn open_shards(
    config: &ShardHostConfig,
    clock: &Arc<dyn Clock>,
    mesh: &Arc<dyn MeshPort>,
    membership: &Arc<Membership>,
) -> Result<Arc<ShardHost>, OpenError> {
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        match ShardHost::open(config.clone(), clock.clone(), mesh.clone(), membership.clone()).await {
            Err(error) if error.is_locked() && Instant::now() < patience => tokio::time::sleep(LOCK_POLL).await,
            opened => return opened,
        }
    }
}
