//! A data directory made of images: the groups of a cluster that begins again with one node.

use crate::config::ShardHostConfig;
use crate::error::OpenError;
use crate::groups::open_stores;
use crate::raft::GroupId;
use crate::raft::log::LogHost;
use crate::raft::machine::StateHost;
use crate::stores::Opener;
use octopussy_control::ControlState;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::ProposeError;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long writing what is left may take at the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(60);

/// How often is looked whether the stores can be written.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Nothing could be restored; what is in the data directory by then is of no use.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The new stores cannot be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An image cannot be taken.
    #[error("group {group} cannot be restored: {detail}")]
    Group {
        /// Its number: 0 is the control group, shard `n` is group `n + 1`.
        group: u16,
        /// Why.
        detail: String,
    },
    /// There is no image of a group.
    #[error("there is no image of group {0}")]
    Missing(u16),
    /// The control state is not what it must be.
    #[error("the control group cannot be restored: {0}")]
    Control(String),
    /// The disk is full, or fails.
    #[error("what is restored cannot be written: {0}")]
    Store(ProposeError),
    /// Not everything was written.
    #[error("what was restored could not be written to the end")]
    Late,
}

/// Makes the groups of `images`, by their numbers, in the new data directory of `config`, with `node` as the only one who holds and
/// votes on them; its replicas begin in its start `boot`. `change` makes the control group's state that of the new cluster. The
/// images are removed as they are taken.
///
/// # Errors
/// [`RestoreError`].
pub async fn restore(
    config: &ShardHostConfig,
    node: NodeId,
    boot: u64,
    images: &BTreeMap<u16, PathBuf>,
    change: impl FnOnce(&mut ControlState) + Send,
) -> Result<(), RestoreError> {
    restore_with(config, node, boot, images, change, Arc::new(octopussy_store::open)).await
}

pub(crate) async fn restore_with(
    config: &ShardHostConfig,
    node: NodeId,
    boot: u64,
    images: &BTreeMap<u16, PathBuf>,
    change: impl FnOnce(&mut ControlState) + Send,
    opener: Opener,
) -> Result<(), RestoreError> {
    if !images.contains_key(&GroupId::CONTROL.0) {
        return Err(RestoreError::Missing(GroupId::CONTROL.0));
    }
    let (log, state) = open_stores(config, node, opener).await?;
    let made = tokio::select! {
        made = fill(&log, &state, node, boot, images, change) => made,
        error = failing(&log, &state) => Err(RestoreError::Store(error)),
    };
    // Also after a failure: the files are let go of before anybody removes them.
    let closed = log.close(CLOSE_WITHIN).await & state.close(CLOSE_WITHIN).await;
    made?;
    if closed { Ok(()) } else { Err(RestoreError::Late) }
}

/// Ends when one of the stores fails. A node waits until its disk has room again; whoever restores is told.
async fn failing(log: &LogHost, state: &StateHost) -> ProposeError {
    loop {
        if let Err(error) = log.health().and_then(|()| state.health()) {
            return error;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn fill(
    log: &LogHost,
    state: &StateHost,
    node: NodeId,
    boot: u64,
    images: &BTreeMap<u16, PathBuf>,
    change: impl FnOnce(&mut ControlState) + Send,
) -> Result<(), RestoreError> {
    // The control group comes first: it says how many shards there are.
    for (group, image) in images {
        let failed = |detail: String| RestoreError::Group { group: *group, detail };
        let id = GroupId(*group);
        state.take_image(id, image.clone()).await.map_err(|error| failed(error.to_string()))?;
        // The membership is to name the replica that the first start goes on with.
        log.begin(id, boot).await.map_err(|error| failed(error.to_string()))?;
        let applied = state.durable(id);
        log.force_sole_voter(id, node, applied).await.map_err(|error| failed(error.to_string()))?;
    }
    state.rewrite_control(change).await.map_err(|error| RestoreError::Control(error.to_string()))?;
    let control = Arc::clone(&state.watch_control().borrow());
    control.check().map_err(|fault| RestoreError::Control(fault.to_string()))?;
    // A shard without an image would begin empty.
    let mut groups = control.shards().map(|(shard, _)| GroupId::of(shard).0);
    let missing = groups.find(|group| !images.contains_key(group));
    missing.map_or(Ok(()), |missing| Err(RestoreError::Missing(missing)))
}
