//! What a node proposes to the shards it leads: expiry and retention.

use super::core::Core;
use super::proposal::Item;
use super::urgency::Urgency;
use crate::work;
use octopussy_core::ids::ShardId;
use octopussy_core::task::Command;
use octopussy_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How soon a sweep that reached its bound is followed by the next, and how soon after a start the first comes.
const SWEEP_AGAIN: Duration = Duration::from_secs(1);

/// How long one round of commands may take before the next may begin.
const ROUND_LIMIT: Duration = Duration::from_secs(30);

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>) {
    let mut tick = tokio::time::interval(core.context.config.tick_interval.max(Duration::from_millis(10)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next_sweep = Instant::now() + SWEEP_AGAIN;
    loop {
        tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        let led = core.led();
        let mut commands = expiries(&core, &led);
        if Instant::now() >= next_sweep {
            let (swept, more) = sweep(&core, led).await;
            commands.extend(swept);
            next_sweep = Instant::now() + if more { SWEEP_AGAIN } else { core.context.config.retention_interval };
        }
        // One round after the other, so that a command is not given again while it is on its way.
        drop(tokio::time::timeout(ROUND_LIMIT, propose(&core, commands)).await);
    }
}

async fn propose(core: &Core, commands: Vec<(ShardId, Command)>) {
    let mut answers = Vec::new();
    for (shard, command) in commands {
        let answer = core.group(shard).map(|group| group.propose(Item::Shard(command), Urgency::InProgress));
        answers.extend(answer.and_then(Result::ok));
    }
    for answer in answers {
        // What was not done is found again by the next round.
        drop(answer.await);
    }
}

/// A tick for each shard in which a waiting task has expired.
fn expiries(core: &Core, led: &[ShardId]) -> Vec<(ShardId, Command)> {
    let now = core.context.clock.now();
    let expired = led.iter().filter(|shard| core.context.state.next_expiry(**shard).is_some_and(|at| at < now));
    expired.map(|shard| (*shard, Command::Tick { shard: *shard, now })).collect()
}

/// Retention for each shard that needs it; says whether a shard has more to forget than one round does.
async fn sweep(core: &Arc<Core>, led: Vec<ShardId>) -> (Vec<(ShardId, Command)>, bool) {
    let core = Arc::clone(core);
    // It reads the store.
    let swept = work::blocking(move || {
        let (now, config) = (core.context.clock.now(), &core.context.config);
        let retention = u64::try_from(config.retention.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_millis(now.as_millis().saturating_sub(retention));
        let bound = config.max_ended / u64::from(core.shards().get());
        let mut commands = Vec::new();
        let mut more = false;
        for shard in led {
            let (found, again) = core.context.state.sweep(shard, now, before, bound);
            commands.extend(found.into_iter().map(|command| (shard, command)));
            more |= again;
        }
        (commands, more)
    });
    swept.await.unwrap_or_default()
}
