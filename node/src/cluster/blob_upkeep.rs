//! Keeps copies of the documents that this node's shards name.

use octopussy_blobs::BlobKeeper;
use octopussy_shard::ShardHost;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked for documents that are not here. It reads every agent of this node's shards.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long after shards have moved, or the node was started: moves come in numbers, and connections have to be made.
const SETTLE: Duration = Duration::from_secs(5);

/// What keeps the copies.
pub(crate) struct BlobUpkeep {
    /// Who knows what the shards here name.
    pub(crate) shards: Arc<ShardHost>,
    /// Who fetches it.
    pub(crate) keeper: BlobKeeper,
}

impl BlobUpkeep {
    /// Runs until it is told to stop.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        let _stopped = stopping.run_until_cancelled(self.keep()).await;
    }

    async fn keep(mut self) {
        let mut control = self.shards.watch_control();
        loop {
            tokio::time::sleep(SETTLE).await;
            let table = control.borrow_and_update().table_version;
            match self.shards.named_blobs().await {
                Ok(named) => drop(self.keeper.look(&named).await),
                Err(error) => tracing::warn!(%error, "the documents of this node's shards cannot be listed"),
            }
            let moved = control.wait_for(|control| control.table_version != table);
            // Where the control state is not followed any longer the node stops.
            drop(tokio::time::timeout(LOOK_EVERY, moved).await);
        }
    }
}
