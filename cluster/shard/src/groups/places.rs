//! Starts the groups that the control state places on this node, and stops those that have moved away.

use super::core::Core;
use super::group::Group;
use crate::error::OpenError;
use crate::raft::GroupId;
use octopussy_control::ControlState;
use octopussy_core::ids::NodeId;
use openraft::EmptyNode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How soon what could not be done is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The groups that belong on `node`: where it is, and where a move brings it.
fn wanted(state: &ControlState, node: NodeId) -> BTreeSet<GroupId> {
    let mut groups = BTreeSet::new();
    for (number, place) in (0_u16..).zip(&state.table) {
        let mut sets = std::iter::once(&place.current).chain(&place.target);
        if sets.any(|set| set.voters.contains(&node) || set.learners.contains(&node)) {
            groups.insert(GroupId(number + 1));
        }
    }
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
    let wanted = wanted(state, core.me());
    let mut done = true;
    for group in &wanted {
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
    for group in core.registry.ids() {
        if group != GroupId::CONTROL && !wanted.contains(&group) && !forget(core, group).await {
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
    let group = Group::start(id, Arc::clone(&core.context)).await?;
    core.admit(group);
    Ok(())
}

/// Stops a group that has moved away, and deletes what it has here.
async fn forget(core: &Core, id: GroupId) -> bool {
    let Some(_claim) = core.registry.claim(id) else { return false };
    let Some(group) = core.registry.remove(id) else { return true };
    tracing::info!(group = %id, "the group has moved away");
    group.stop().await;
    group.unused().await;
    let log = core.context.log.remove(id).await;
    let state = match id.shard() {
        Some(shard) => core.context.state.forget(shard).await,
        None => Ok(()),
    };
    if let Err(error) = log {
        tracing::warn!(group = %id, %error, "its log is not deleted");
    }
    state.is_ok()
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
        if let Err(error) = group.raft().initialize(BTreeMap::from([(me, EmptyNode {})])).await {
            tracing::error!(group = %group.id(), %error, "a shard cannot be founded");
            done = false;
        }
    }
    done
}
