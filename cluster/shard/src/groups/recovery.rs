//! By explicit command: groups whose quorum is lost for good go on with this node alone.

use super::core::Core;
use super::group::Group as RaftGroup;
use super::places;
use crate::error::RecoverError;
use crate::forward::propose_control;
use crate::raft::GroupId;
use octopussy_control::{AskedBy, ControlCommand, ControlState};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Asker, MemberDesired, Reach};
use octopussy_placement::Group;
use openraft::async_runtime::watch::WatchReceiver;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a recovered group may take to elect this node.
const ELECTION_LIMIT: Duration = Duration::from_secs(10);

/// How often is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What was recovered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// The groups that go on with what this node has, the control group first.
    pub groups: Vec<Group>,
    /// Those who had copies of these groups and do not answer. They are told to leave: what they have may contradict what goes
    /// on from here, so that they must not take part again.
    pub lost: BTreeSet<NodeId>,
}

/// Makes this node the only voter of every group that has lost its quorum, the control group first. What an earlier
/// recovery that was cut short has left undone is done as well. `asker` is who wants it.
pub(super) async fn recover(core: &Arc<Core>, asker: &Asker) -> Result<Recovered, RecoverError> {
    let state = core.control();
    if !state.members.contains_key(&core.me()) {
        return Err(RecoverError::NotMember);
    }
    let mut recovered = Recovered::default();
    let (mut without_quorum, mut shards) = (Vec::new(), Vec::new());
    let mut mute = BTreeSet::new();
    for group in core.registry.all() {
        let is_lost = is_lost(core, &group, &mut mute).await;
        let lost = if is_lost {
            without_quorum.push(group.id());
            silent(core, &group)
        } else {
            unrecorded(core, &state, &group)
        };
        if is_lost || !lost.is_empty() {
            recovered.groups.push(group.id().shard().map_or(Group::Control, Group::Shard));
            recovered.lost.extend(lost);
            shards.extend(group.id().shard());
        }
    }
    for group in without_quorum {
        recover_group(core, group).await?;
    }
    // A shard that has no replica here may have one at another node that lives.
    let now = core.context.clocks.own();
    if !shards.is_empty() {
        propose_control(
            core,
            asker.clone(),
            ControlCommand::Recover { node: core.me(), shards, now, by: AskedBy::UNTOLD },
        )
        .await?;
    }
    for node in recovered.lost.iter().filter(|node| state.members.contains_key(*node)) {
        let leaves =
            ControlCommand::SetDesired { node: *node, desired: MemberDesired::Leaving, now, by: AskedBy::UNTOLD };
        propose_control(core, asker.clone(), leaves).await?;
    }
    Ok(recovered)
}

fn answers(core: &Core, node: NodeId) -> bool {
    node == core.me() || (core.mesh.is_connected(node) && core.reach.reach(node) != Reach::Down)
}

/// Whether no quorum of the group answers: not of its voters, nor, in the middle of a change, of both sets of them. A node that
/// answers with another replica than the one that has the vote is as good as gone; of one that does not say which it has, the best
/// is assumed, and it is asked no more: `mute` are those.
async fn is_lost(core: &Core, group: &RaftGroup, mute: &mut BTreeSet<NodeId>) -> bool {
    let membership = group.raft().server_metrics().borrow_watched().membership_config.membership().clone();
    let voters: BTreeSet<NodeId> = membership.voter_ids().collect();
    let mut there: BTreeSet<NodeId> = voters.into_iter().filter(|node| answers(core, *node)).collect();
    for node in there.clone() {
        let present = if node == core.me() {
            Some(group.incarnation())
        } else if mute.contains(&node) {
            None
        } else {
            core.context.wires.introduce(node, group.id()).await.ok()
        };
        match present {
            Some(present) if membership.get_node(&node).is_some_and(|replica| replica.incarnation != present) => {
                there.remove(&node);
            }
            Some(_) => {}
            None => {
                mute.insert(node);
            }
        }
    }
    !membership.get_joint_config().iter().all(|voters| voters.intersection(&there).count() * 2 > voters.len())
}

/// Who has a copy of the group and does not answer.
fn silent(core: &Core, group: &RaftGroup) -> Vec<NodeId> {
    let server = group.raft().server_metrics();
    let server = server.borrow_watched();
    let members = server.membership_config.nodes().map(|(node, _)| *node);
    members.filter(|node| !answers(core, *node)).collect()
}

/// Who does not answer and has, by the table, a copy of a shard that this node has by itself: the shard was recovered, and
/// that was not written down any more.
fn unrecorded(core: &Core, state: &ControlState, group: &RaftGroup) -> Vec<NodeId> {
    let server = group.raft().server_metrics();
    let by_itself = server.borrow_watched().membership_config.nodes().all(|(node, _)| *node == core.me());
    let place = group.id().shard().and_then(|shard| state.table.get(usize::from(shard.0)));
    let recorded = place.filter(|_| by_itself).into_iter().flat_map(|place| place.current.nodes());
    recorded.filter(|node| !answers(core, *node)).collect()
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
