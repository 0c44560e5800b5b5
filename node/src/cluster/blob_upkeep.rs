//! Keeps copies of the documents that this node's shards name.

use octopussy_blobs::BlobKeeper;
use octopussy_core::ids::{BlobId, NodeId};
use octopussy_shard::ShardHost;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked for documents that are not here. It reads every agent of this node's shards, and what is new is
/// on a majority of the nodes already.
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);

/// How soon again where some could not be had.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How long after shards have moved, or the node was started: moves come in numbers, and connections have to be made.
const SETTLE: Duration = Duration::from_secs(5);

/// What keeps the copies.
pub(crate) struct BlobUpkeep {
    /// This node.
    pub(crate) me: NodeId,
    /// Who knows what the shards here name.
    pub(crate) shards: Arc<ShardHost>,
    /// Who fetches it.
    pub(crate) keeper: BlobKeeper,
    /// What the shards here named when they were last asked.
    pub(crate) named: BTreeSet<BlobId>,
}

impl BlobUpkeep {
    /// Runs until it is told to stop.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        let _stopped = stopping.run_until_cancelled(self.keep()).await;
    }

    async fn keep(mut self) {
        let mut control = self.shards.watch_control();
        let mut looked_at = None;
        loop {
            tokio::time::sleep(SETTLE).await;
            let table = control.borrow_and_update().table_version;
            // What has been applied here may name more; a node at rest does not read its agents over and over.
            let state = (table, self.shards.metrics().applied_entries);
            let missing = if looked_at == Some(state) { 0 } else { self.look().await };
            looked_at = (missing == 0).then_some(state);
            if missing == 0 {
                self.sweep().await;
            }
            let moved = control.wait_for(|control| control.table_version != table);
            // Where the control state is not followed any longer the node stops.
            drop(tokio::time::timeout(if missing == 0 { LOOK_EVERY } else { LOOK_AGAIN }, moved).await);
        }
    }

    /// Removes what nothing names any more.
    async fn sweep(&mut self) {
        let control = self.shards.control();
        let others = control.members.values().filter(|member| member.holds_replicas() && member.id != self.me);
        let others: Vec<_> = others.map(|member| member.id).collect();
        self.keeper.sweep(&self.named, &others).await;
    }

    /// Says how many documents are missing; one, where that cannot be told.
    async fn look(&mut self) -> usize {
        match self.shards.named_blobs().await {
            Ok(named) => {
                let missing = self.keeper.look(&named).await;
                self.named = named;
                missing
            }
            Err(error) => {
                tracing::warn!(%error, "the documents of this node's shards cannot be listed");
                1
            }
        }
    }
}
