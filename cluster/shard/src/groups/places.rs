//! Starts the groups that the control state places on this node.

use super::core::Core;
use super::group::Group;
use super::parting;
use crate::error::OpenError;
use crate::raft::GroupId;
use octopussy_control::ControlState;
use octopussy_core::ids::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How soon what could not be done is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The groups that belong on `node`: where it is, where a move brings it, and where it may still hold a replica or a vote since
/// a move was to bring it there.
pub(super) fn named(state: &ControlState, node: NodeId) -> BTreeSet<GroupId> {
    state.shards_of(node).map(GroupId::of).collect()
}

/// The groups of which there is something here, running or not.
pub(super) fn with_data(core: &Core) -> BTreeSet<GroupId> {
    let mut groups: BTreeSet<GroupId> = core.registry.ids().into_iter().collect();
    groups.extend(core.context.state.groups());
    groups.extend(core.context.log.groups_with_data());
    groups
}

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>) {
    let mut control = core.control.clone();
    loop {
        let state = Arc::clone(&control.borrow_and_update());
        let done = settle(&core, &state).await;
        tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            changed = control.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN), if !done => {}
        }
    }
}

/// Brings what runs to what is wanted; says whether that was done.
async fn settle(core: &Arc<Core>, state: &ControlState) -> bool {
    if state.cluster.is_none() {
        return true;
    }
    let mut done = true;
    for group in &named(state, core.me()) {
        if core.registry.get(*group).is_some() {
            continue;
        }
        // One that somebody else has in hand is looked at again.
        let Some(_claim) = core.registry.claim(*group) else {
            done = false;
            continue;
        };
        if core.registry.get(*group).is_none()
            && let Err(error) = start(core, *group).await
        {
            tracing::error!(%group, %error, "a group cannot be started");
            done = false;
        }
    }
    done & found(core, state).await
}

/// Starts a group that the caller has claimed or nobody else knows yet, unless the node is stopping.
pub(super) async fn start(core: &Arc<Core>, id: GroupId) -> Result<(), OpenError> {
    if core.stopping.is_cancelled() {
        return Ok(());
    }
    if core.context.log.is_buried(id) && !parting::finish(core, id).await {
        return Err(OpenError::Late("deleting what an earlier replica has left"));
    }
    let group = Group::start(id, Arc::clone(&core.context)).await?;
    core.admit(group);
    Ok(())
}

/// Gives shards that nobody has founded yet their first member.
///
/// Only the sole member of a cluster does so, while it leads the control group and has therefore applied everything that
/// was ever agreed: a node with an old copy of the table must not found a shard anew that has moved away from it.
async fn found(core: &Core, state: &ControlState) -> bool {
    let me = core.me();
    let alone = state.members.len() == 1 && state.members.contains_key(&me);
    let leads = core.registry.get(GroupId::CONTROL).is_some_and(|control| control.speaks());
    if !alone {
        return true;
    }
    let mut done = true;
    for group in core.registry.all() {
        if group.id() == GroupId::CONTROL || group.raft().is_initialized().await.unwrap_or(true) {
            continue;
        }
        if !leads {
            done = false;
            continue;
        }
        if let Err(error) = group.raft().initialize(BTreeMap::from([(me, group.replica())])).await {
            tracing::error!(group = %group.id(), %error, "a shard cannot be founded");
            done = false;
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_control::{ReplicaSet, ShardPlace};

    #[test]
    fn a_node_keeps_a_replica_while_the_table_names_it_anywhere() {
        let node = |number: u8| NodeId([number; 16]);
        let set = |voters: &[u8], learners: &[u8]| ReplicaSet {
            voters: voters.iter().map(|number| node(*number)).collect(),
            learners: learners.iter().map(|number| node(*number)).collect(),
        };
        let place = ShardPlace {
            current: set(&[1, 2, 3], &[6]),
            target: Some(set(&[1, 2, 5], &[7])),
            former: BTreeSet::from([node(4)]),
            ..ShardPlace::default()
        };
        let state = ControlState { table: vec![ShardPlace::default(), place], ..ControlState::default() };
        for number in 1..=7 {
            assert_eq!(named(&state, node(number)), BTreeSet::from([GroupId(2)]), "node {number}");
        }
        assert_eq!(named(&state, node(8)), BTreeSet::new());
    }
}
