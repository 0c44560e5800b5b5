//! A data directory made of images: the groups of a cluster that begins again with one node.

use crate::config::ShardHostConfig;
use crate::error::OpenError;
use crate::groups::open_stores;
use crate::raft::GroupId;
use octopussy_control::ControlState;
use octopussy_core::ids::NodeId;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long writing what is left may take at the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(60);

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
    #[error("group {0} is in none of the backups")]
    Missing(u16),
    /// The control state is not what it must be.
    #[error("the control group cannot be restored: {0}")]
    Control(String),
    /// Not everything was written.
    #[error("what was restored could not be written to the end")]
    Late,
}

/// Makes the groups of `images`, by their numbers, in the new data directory of `config`, with `node` as the only one who holds and
/// votes on them. `change` makes the control group's state that of the new cluster.
///
/// # Errors
/// [`RestoreError`].
pub async fn restore(
    config: &ShardHostConfig,
    node: NodeId,
    images: &BTreeMap<u16, PathBuf>,
    change: impl FnOnce(&mut ControlState) + Send,
) -> Result<(), RestoreError> {
    if !images.contains_key(&GroupId::CONTROL.0) {
        return Err(RestoreError::Missing(GroupId::CONTROL.0));
    }
    let (log, state) = open_stores(config, node, Arc::new(octopussy_store::open)).await?;
    for (group, image) in images {
        let failed = |detail: String| RestoreError::Group { group: *group, detail };
        let id = GroupId(*group);
        state.take_image(id, image).await.map_err(|error| failed(error.to_string()))?;
        let applied = state.durable(id);
        log.force_sole_voter(id, node, applied).await.map_err(|error| failed(error.to_string()))?;
    }
    state.rewrite_control(change).await.map_err(|error| RestoreError::Control(error.to_string()))?;
    let control = Arc::clone(&state.watch_control().borrow());
    control.check().map_err(|fault| RestoreError::Control(fault.to_string()))?;
    // A shard without an image would begin empty.
    let mut groups = control.shards().map(|(shard, _)| GroupId::of(shard).0);
    if let Some(missing) = groups.find(|group| !images.contains_key(group)) {
        return Err(RestoreError::Missing(missing));
    }
    let closed = log.close(CLOSE_WITHIN).await && state.close(CLOSE_WITHIN).await;
    if closed { Ok(()) } else { Err(RestoreError::Late) }
}
