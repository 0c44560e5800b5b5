//! What a node proposes to the shards it leads: expiry and retention.

use super::core::Core;
use super::proposal::{Item, Outcome};
use super::urgency::Urgency;
use crate::work;
use octopussy_core::ids::ShardId;
use octopussy_core::task::{Applied, Command};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How soon a sweep that reached its bound is followed by the next, and how soon after a start the first comes.
const SWEEP_AGAIN: Duration = Duration::from_secs(1);

/// A dead-letter queue is nearly full when less than one in so many of its places is free.
const NEARLY: u64 = 10;

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
            warn_of_dead_letters(&core, &led);
        }
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
        let forgets_dead = matches!(command, Command::ForgetDead { .. });
        let answer = core.group(shard).map(|group| group.propose(Item::Shard(command), Urgency::InProgress));
        answers.extend(answer.and_then(Result::ok).map(|answer| (forgets_dead, answer)));
    }
    for (forgets_dead, answer) in answers {
        // What was not done is found again by the next round.
        let done = answer.await;
        if let (true, Ok(Ok(Outcome::Shard(Ok(Applied::Count(count)))))) = (forgets_dead, done)
            && count > 0
        {
            core.dead_dropped.fetch_add(count, Ordering::Relaxed);
            tracing::warn!(count, "dead letters were forgotten: they were older, or more, than are kept");
        }
    }
}

/// Says so before the first dead letter has to go for the sake of the bound.
fn warn_of_dead_letters(core: &Core, led: &[ShardId]) {
    let bound = (core.context.config.max_dead / u64::from(core.shards().get())).max(1);
    let nearly = bound - bound / NEARLY;
    for shard in led {
        let dead = core.context.state.dead_letters(&[*shard]);
        if dead >= nearly {
            tracing::warn!(%shard, dead, bound,
                "the dead-letter queue of a shard is nearly full; the earliest go first: replay or discard what is of use");
        }
    }
}

/// A tick for each shard in which a waiting task has expired.
fn expiries(core: &Core, led: &[ShardId]) -> Vec<(ShardId, Command)> {
    let expired = |shard: &ShardId| {
        let at = core.context.state.next_expiry(*shard)?;
        let now = core.group(*shard)?.now();
        (at < now).then_some((*shard, Command::Tick { shard: *shard, now }))
    };
    led.iter().filter_map(expired).collect()
}

/// Retention for each shard that needs it; says whether a shard has more to forget than one round does.
async fn sweep(core: &Arc<Core>, led: Vec<ShardId>) -> (Vec<(ShardId, Command)>, bool) {
    let core = Arc::clone(core);
    // It reads the store.
    let swept = work::blocking(move || {
        let config = &core.context.config;
        let bound = config.max_ended / u64::from(core.shards().get());
        let dead_bound = (config.max_dead / u64::from(core.shards().get())).max(1);
        let mut commands = Vec::new();
        let mut more = false;
        for shard in led {
            let Some(now) = core.group(shard).map(|group| group.now()) else { continue };
            let (before, dead_before) = (now.minus(config.retention), now.minus(config.dead_retention));
            let (found, again) = core.context.state.sweep(shard, now, before, bound);
            commands.extend(found.into_iter().map(|command| (shard, command)));
            more |= again;
            let (found, again) = core.context.state.sweep_dead(shard, dead_before, dead_bound);
            commands.extend(found.map(|command| (shard, command)));
            more |= again;
        }
        (commands, more)
    });
    swept.await.unwrap_or_default()
}
