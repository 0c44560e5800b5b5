//! By explicit command: groups whose quorum is lost for good go on with this node alone.

use super::core::Core;
use super::group::Group;
use super::places;
use crate::error::RecoverError;
use crate::forward::propose_control;
use crate::raft::GroupId;
use octopussy_control::ControlCommand;
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::Reach;
use openraft::async_runtime::watch::WatchReceiver;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a recovered group may take to elect this node.
const ELECTION_LIMIT: Duration = Duration::from_secs(10);

/// How often is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Makes this node the only voter of every group that has lost its quorum, the control group first.
pub(super) async fn recover(core: &Arc<Core>) -> Result<Vec<ShardId>, RecoverError> {
    let state = core.control();
    if !state.members.contains_key(&core.me()) {
        return Err(RecoverError::NotMember);
    }
    let lost: Vec<GroupId> =
        core.registry.all().iter().filter(|group| is_lost(core, group)).map(|group| group.id()).collect();
    for id in &lost {
        recover_group(core, *id).await?;
    }
    // A shard that has no replica here may have one at another node that lives.
    let shards: Vec<ShardId> = lost.iter().filter_map(|id| id.shard()).collect();
    if !shards.is_empty() {
        let command =
            ControlCommand::Recover { node: core.me(), shards: shards.clone(), now: core.context.clock.now() };
        propose_control(core, command).await?;
    }
    Ok(shards)
}

/// Whether no quorum of the group answers: not of its voters, nor, in the middle of a change, of both sets of them.
fn is_lost(core: &Core, group: &Group) -> bool {
    let answers =
        |node: &NodeId| *node == core.me() || (core.mesh.is_connected(*node) && core.reach.reach(*node) != Reach::Down);
    let server = group.raft().server_metrics();
    let configs: Vec<BTreeSet<NodeId>> =
        server.borrow_watched().membership_config.membership().get_joint_config().clone();
    configs.iter().any(|voters| voters.iter().filter(|node| answers(node)).count() * 2 <= voters.len())
}

async fn recover_group(core: &Arc<Core>, id: GroupId) -> Result<(), RecoverError> {
    let failed = |detail: String| RecoverError::Group { group: id.0, detail };
    tracing::warn!(group = %id, "this node becomes the only voter of a group that has lost its quorum");
    let end = Instant::now() + ELECTION_LIMIT;
    let claim = loop {
        match core.registry.claim(id) {
            Some(claim) => break claim,
            None if Instant::now() >= end => return Err(failed("it is being started or stopped".to_owned())),
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    };
    let Some(group) = core.registry.remove(id) else { return Ok(()) };
    group.stop().await;
    group.unused().await;
    let applied = group.raft().data_metrics().borrow_watched().last_applied;
    let forced = core.context.log.force_sole_voter(id, core.me(), applied).await;
    // Whatever came of it, the group runs again.
    places::start(core, id).await.map_err(|error| failed(error.to_string()))?;
    drop(claim);
    forced.map_err(|error| failed(error.to_string()))?;
    let end = Instant::now() + ELECTION_LIMIT;
    while !core.registry.get(id).is_some_and(|group| group.speaks()) {
        if Instant::now() >= end {
            return Err(failed("this node was not elected".to_owned()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
