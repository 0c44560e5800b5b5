//! Deletes the replicas that are not named any more, once a leader of their group has let them go.
//!
//! This node's copy of the control state may be old, and a node that the table does not name may still have a vote: nothing is
//! deleted on the table's word alone, nor while no leader answers. The leader is asked twice, the second time after the replica
//! has stopped, so that nothing it acknowledged in between is deleted.

use super::core::Core;
use super::group::Group;
use super::places;
use crate::forward::ask_word;
use crate::raft::GroupId;
use futures::StreamExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How soon what was not let go is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a leader may take to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// How many groups are asked for at once.
const AT_ONCE: usize = 8;

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>) {
    let mut control = core.control.clone();
    loop {
        control.borrow_and_update();
        let unnamed = unnamed(&core);
        let done = futures::stream::iter(unnamed)
            .map(|id| part(&core, id))
            .buffer_unordered(AT_ONCE)
            .fold(true, |all, done| async move { all & done });
        let done = tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            done = done => done,
        };
        tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            changed = control.changed() => if changed.is_err() { return },
            () = core.registry.renewals.notified() => {}
            () = tokio::time::sleep(AGAIN), if !done => {}
        }
    }
}

/// The groups of which there is something here although the table does not name this node, and those whose leader wants another
/// replica in the place of this one.
fn unnamed(core: &Core) -> BTreeSet<GroupId> {
    let state = core.control();
    let mut groups: BTreeSet<GroupId> = core.registry.wanted_anew();
    if state.cluster.is_none() {
        return groups;
    }
    let named = places::named(&state, core.me());
    groups.extend(places::with_data(core).into_iter().filter(|id| *id != GroupId::CONTROL && !named.contains(id)));
    groups
}

/// Deletes a replica if its group's leader lets it go. Says whether nothing is left to be done.
async fn part(core: &Arc<Core>, id: GroupId) -> bool {
    let Some(_claim) = core.registry.claim(id) else { return false };
    let Some(group) = core.registry.get(id) else {
        // What a deletion that was cut short, or an earlier build, has left: it takes part until it is let go.
        if let Err(error) = places::start(core, id).await {
            tracing::warn!(group = %id, %error, "what is left of a replica cannot be started");
        }
        return false;
    };
    if !is_let_go(core, &group).await {
        return false;
    }
    let anew = core.registry.wanted_anew().contains(&id);
    core.registry.remove(id);
    group.stop().await;
    group.unused().await;
    let gone = is_let_go(core, &group).await && delete(core, id).await;
    if gone {
        tracing::info!(group = %id, "the replica is deleted: its group's leader has let it go");
        core.registry.no_more_wanted_anew(id);
    }
    if (!gone || anew)
        && let Err(error) = places::start(core, id).await
    {
        tracing::error!(group = %id, %error, "a group cannot be started again");
        return false;
    }
    gone
}

async fn is_let_go(core: &Arc<Core>, group: &Group) -> bool {
    let Some(word) = ask_word(core, group.id(), LIMIT).await else { return false };
    if word.nodes.contains(&core.me()) {
        // It has been let in again, or has not been sent away yet: whoever wants it anew says so again.
        core.registry.no_more_wanted_anew(group.id());
    }
    word.lets_go(core.me(), group.accepted_membership())
}

/// Deletes the log, which leaves the vote, and then the state. Where it is cut short, the next start goes on with it.
async fn delete(core: &Core, id: GroupId) -> bool {
    if let Err(error) = core.context.log.bury(id).await {
        tracing::warn!(group = %id, %error, "the log of a replica is not deleted");
        return false;
    }
    finish(core, id).await
}

/// Deletes what is left of the state of a replica whose log is deleted. Readers keep the control group's until the next replica has
/// as much: other parts of the node use it.
pub(super) async fn finish(core: &Core, id: GroupId) -> bool {
    let deleted = match id.shard() {
        Some(shard) => core.context.state.forget(shard).await,
        None => core.context.state.reset_control().await,
    };
    if deleted.is_err() {
        tracing::warn!(group = %id, "the state of a replica is not deleted; the next start does that");
    }
    deleted.is_ok()
}
