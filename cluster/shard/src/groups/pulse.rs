//! The pulse of the groups that are led here: heartbeats to all followers together, a look at the leases, and at whether this
//! node can write.

use super::context::LEASE_CHECK;
use super::core::Core;
use super::group::Group;
use super::relief::{self, Relief};
use futures::FutureExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How often is looked when no group has followers.
const AT_REST: Duration = Duration::from_millis(500);

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>) {
    let heartbeat = core.context.config.timings.heartbeat;
    let mut look = tokio::time::interval(LEASE_CHECK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next_beat = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            _ = look.tick() => {}
        }
        let led: Vec<Arc<Group>> = core.registry.all().into_iter().filter(|group| group.leads_others()).collect();
        if led.is_empty() {
            look.reset_after(AT_REST);
            continue;
        }
        for group in &led {
            group.review();
        }
        if core.context.health().is_err() {
            relief::give_away(&core, &led, Relief::CannotWrite);
            continue;
        }
        if core.context.clocks.is_outlier() {
            relief::give_away(&core, &led, Relief::WrongClock);
        }
        let now = Instant::now();
        if now < next_beat {
            continue;
        }
        // Half a look early rather than half a look late.
        next_beat = now + heartbeat - LEASE_CHECK / 2;
        for group in &led {
            // A core whose queue is full has more urgent things to tell its followers, which count as heartbeats.
            drop(group.raft().trigger().heartbeat().now_or_never());
        }
    }
}
