//! The groups of a node.

use crate::config::ShardHostConfig;
use crate::error::{ControlError, OpenError, RecoverError};
use octopussy_control::{ClusterRecord, ControlApplied, ControlCommand, ControlState, MemberRecord};
use octopussy_core::ids::ShardId;
use octopussy_core::ports::{LedShardsPort, LedgerPort, MeshPort, ReachabilityPort};
use octopussy_core::time::Clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The Raft groups of a node: the control group, and a group for each shard of which this node holds a replica.
pub struct ShardHost {}

#[expect(clippy::unused_async, clippy::todo, clippy::unused_self, unused_variables, reason = "to be written")]
impl ShardHost {
    /// Opens what is in `config.dir`, or makes it: the log, the state, the groups of which a replica lies there. Serves the
    /// mesh's lanes for Raft, forwarding and control from then on. A directory that belongs to no cluster yet waits for
    /// [`ShardHost::found`] or [`ShardHost::adopt`]. This node is the mesh's.
    ///
    /// # Errors
    /// [`OpenError`]; the message names the path and the way out.
    pub async fn open(
        config: ShardHostConfig,
        clock: Arc<dyn Clock>,
        mesh: Arc<dyn MeshPort>,
        reach: Arc<dyn ReachabilityPort>,
    ) -> Result<Arc<Self>, OpenError> {
        todo!()
    }

    /// Whether this node belongs to a cluster: its own copy of the control state names it as a member.
    #[must_use]
    pub fn is_member(&self) -> bool {
        todo!()
    }

    /// Founds a cluster of this node alone, which holds every shard. Returns when this node leads all of them. A founding
    /// that was interrupted is finished by the next start.
    ///
    /// # Errors
    /// [`OpenError`]: nothing is founded, or it will be finished by the next start.
    pub async fn found(&self, cluster: ClusterRecord, founder: MemberRecord) -> Result<(), OpenError> {
        todo!()
    }

    /// Waits, at most for `limit`, until the control group has reached this node, which another member has just let in.
    ///
    /// # Errors
    /// [`OpenError::Late`] when it has not; it may be waited for again.
    pub async fn adopt(&self, limit: Duration) -> Result<(), OpenError> {
        todo!()
    }

    /// This node's copy of what the control group knows.
    #[must_use]
    pub fn control(&self) -> Arc<ControlState> {
        todo!()
    }

    /// Sees every change of this node's copy of what the control group knows.
    #[must_use]
    pub fn watch_control(&self) -> watch::Receiver<Arc<ControlState>> {
        todo!()
    }

    /// Commits a command of the control group, from any node, and answers when it is applied at its leader.
    ///
    /// # Errors
    /// [`ControlError`]; its variants say what is known of the command.
    pub async fn propose_control(&self, command: ControlCommand) -> Result<ControlApplied, ControlError> {
        todo!()
    }

    /// The ledger of the cluster. What no leader can be reached for is answered after `config.patience`.
    #[must_use]
    pub fn ledger(&self) -> Arc<dyn LedgerPort> {
        todo!()
    }

    /// The shards this node leads.
    #[must_use]
    pub fn led(&self) -> Arc<dyn LedShardsPort> {
        todo!()
    }

    /// Makes this node the only voter of every group of which it holds a replica and whose quorum does not answer: the
    /// control group first. What only the lost nodes knew is lost. Answers with the shards concerned.
    ///
    /// # Errors
    /// [`RecoverError`]; what was recovered before it stays so.
    pub async fn recover(&self) -> Result<Vec<ShardId>, RecoverError> {
        todo!()
    }

    /// Hands over what this node leads, stops the groups, stores everything and lets go of the files. Answers whether that
    /// was done within `limit`; otherwise it goes on behind, and what is not stored is in the log.
    pub async fn close(&self, limit: Duration) -> bool {
        todo!()
    }

    /// The bytes that log and state take on the disk.
    #[must_use]
    pub fn size_on_disk(&self) -> u64 {
        todo!()
    }
}
