//! The end of a node's part.

use super::core::Core;
use super::group::Group;
use super::reconciler::HAND_OVER_LIMIT;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::Reach;
use openraft::async_runtime::watch::WatchReceiver;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Of the time there is, the share for handing over.
const HANDING_OVER: u32 = 3;

/// Hands over, stops and stores.
pub(super) async fn close(core: &Arc<Core>, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    hand_over(core, (limit / HANDING_OVER).min(HAND_OVER_LIMIT)).await;
    core.stopping.cancel();
    core.tasks.close();
    let this = Arc::clone(core);
    // Beside the caller, so that it goes on when the caller has waited for long enough.
    let stopped = tokio::spawn(async move {
        this.tasks.wait().await;
        let groups = this.registry.all();
        futures::future::join_all(groups.iter().map(|group| group.stop())).await;
        for id in this.registry.ids() {
            this.registry.remove(id);
        }
        let left = end.saturating_duration_since(Instant::now());
        let (log, state) = tokio::join!(this.context.log.close(left), this.context.state.close(left));
        log && state
    });
    matches!(tokio::time::timeout_at(end, stopped).await, Ok(Ok(true)))
}

/// Gives every leadership to a follower that has caught up.
async fn hand_over(core: &Arc<Core>, limit: Duration) {
    let led: Vec<Arc<Group>> = core.registry.all().into_iter().filter(|group| group.leads()).collect();
    let handed = led.iter().filter_map(|group| heir(core, group).map(|to| group.hand_over(to, limit)));
    drop(tokio::time::timeout(limit, futures::future::join_all(handed)).await);
}

/// The voter that takes a group over: one that answers, with the longest log.
pub(super) fn heir(core: &Core, group: &Group) -> Option<NodeId> {
    let voters = group.voters();
    let metrics = group.raft().data_metrics();
    let metrics = metrics.borrow_watched();
    let followers = metrics.replication.iter().flatten();
    let alive = |node: &NodeId| {
        *node != core.me()
            && voters.contains(node)
            && core.mesh.is_connected(*node)
            && core.reach.reach(*node) != Reach::Down
            && !core.context.clocks.is_skewed(*node)
    };
    let alive = followers.filter(|(node, _)| alive(node));
    alive.max_by_key(|(_, matched)| matched.map(|id| id.index)).map(|(node, _)| *node)
}
