//! Keeps the logs short: what the state store has is marked as a snapshot, and the log below it is dropped.

use super::core::Core;
use super::group::Group;
use openraft::async_runtime::watch::WatchReceiver;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How many entries a log gets beyond its last snapshot before the next.
const SNAPSHOT_EVERY: u64 = 5_000;

/// How many bytes a log gets before it is shortened to less: a card has better uses.
const LARGE_BYTES: u64 = 64 * 1024 * 1024;

/// How many entries stay in a log whose entries are that large.
const KEPT_LARGE: u64 = 64;

/// How many entries stay in the log below a snapshot, so that a follower that was away for a moment needs no snapshot.
const KEPT: u64 = 1_000;

/// How often the logs are looked at: at 10 000 entries a second a log gets twenty thousand entries between two looks.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long a snapshot may take to be made before it is asked for again.
const SNAPSHOT_LIMIT: Duration = Duration::from_secs(10);

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>) {
    let mut look = tokio::time::interval(INTERVAL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            _ = look.tick() => {}
        }
        let long: Vec<Arc<Group>> =
            core.registry.all().into_iter().filter(|group| !group.has_ended() && is_long(group)).collect();
        if long.is_empty() {
            continue;
        }
        if core.context.state.flush().await.is_err() {
            return;
        }
        for group in long {
            trim(&core, &group).await;
        }
    }
}

fn is_long(group: &Group) -> bool {
    let data = group.raft().data_metrics();
    let data = data.borrow_watched();
    let index = |id: Option<u64>| id.map_or(0, |index| index + 1);
    let applied = index(data.last_applied.map(|id| id.index));
    let snapshot = index(data.snapshot.map(|id| id.index));
    let purged = index(data.purged.map(|id| id.index));
    applied >= snapshot + SNAPSHOT_EVERY
        || snapshot >= purged + KEPT + SNAPSHOT_EVERY
        || (group.appended() >= LARGE_BYTES && applied > purged + KEPT_LARGE)
}

/// Makes a snapshot of what is stored, and drops the log below it but for a tail.
async fn trim(core: &Core, group: &Group) {
    let kept = if group.appended() >= LARGE_BYTES { KEPT_LARGE } else { KEPT };
    let Some(stored) = core.context.state.durable(group.id()) else { return };
    let raft = group.raft();
    if raft.trigger().snapshot().await.is_err() {
        return;
    }
    let made = raft.wait(Some(SNAPSHOT_LIMIT));
    let near = |snapshot: u64| snapshot + kept >= stored.index;
    let made =
        made.metrics(|metrics| metrics.snapshot.is_some_and(|id| near(id.index)), "a snapshot of what is stored");
    let Ok(metrics) = made.await else { return };
    let snapshot = metrics.snapshot.map_or(0, |snapshot| snapshot.index);
    // What is not stored must stay in the log, whatever the snapshot says.
    let upto = snapshot.min(stored.index).saturating_sub(kept);
    if upto > 0 && raft.trigger().purge_log(upto).await.is_ok() {
        group.forget_appended();
        tracing::debug!(group = %group.id(), upto, "the log below is dropped");
    }
}
