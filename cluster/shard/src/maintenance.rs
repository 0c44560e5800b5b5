//! What the node proposes to its own shards: expiry and retention.

use crate::inner::Inner;
use crate::proposal::{Proposal, Reply};
use crate::records;
use octopussy_core::ids::ShardId;
use octopussy_core::task::Command;
use octopussy_core::time::Timestamp;
use octopussy_ledger::{Cold, Machine, SWEEP_LIMIT};
use std::time::{Duration, Instant};

/// How often old history and old idempotency keys are looked for.
const RETENTION_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How soon a sweep that reached its bound is followed by the next.
const SWEEP_AGAIN: Duration = Duration::from_secs(1);

/// Knows when housekeeping is due. Without tasks the node sleeps until the next sweep.
pub(crate) struct Maintenance {
    next_tick: Instant,
    next_sweep: Instant,
    busy: bool,
}

impl Maintenance {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self { next_tick: now, next_sweep: now + SWEEP_AGAIN, busy: true }
    }

    /// How long the writer may sleep.
    pub(crate) fn patience(&self) -> Duration {
        let now = Instant::now();
        let sweep = self.next_sweep.saturating_duration_since(now);
        if self.busy { sweep.min(self.next_tick.saturating_duration_since(now)) } else { sweep }
    }

    /// The commands that are due.
    /// `arrivals`: whether anything else came, which may bring tasks that are counted only once it is applied.
    pub(crate) fn due(&mut self, inner: &Inner, arrivals: bool) -> Vec<Proposal> {
        let now = Instant::now();
        if now < self.next_sweep && now < self.next_tick {
            self.busy |= arrivals;
            return Vec::new();
        }
        let mut commands = Vec::new();
        if now >= self.next_sweep {
            self.next_sweep = now + if sweep(inner, &mut commands) { SWEEP_AGAIN } else { RETENTION_INTERVAL };
        }
        if now >= self.next_tick {
            self.next_tick = now + inner.config.tick_interval;
            tick(inner, &mut commands);
        }
        self.busy = arrivals || inner.state.read().hot_count() > 0;
        commands.into_iter().filter_map(|(shard, command)| proposal(shard, command)).collect()
    }
}

fn proposal(shard: ShardId, command: Command) -> Option<Proposal> {
    match records::encode("a command", &command) {
        Ok(encoded) => Some(Proposal { shard, command, encoded, reply: Reply::Nobody }),
        Err(error) => {
            tracing::error!(%error, "housekeeping is skipped");
            None
        }
    }
}

/// A tick for each shard in which a waiting task has expired.
fn tick(inner: &Inner, commands: &mut Vec<(ShardId, Command)>) {
    let now = inner.clock.now();
    let state = inner.state.read();
    for shard in inner.config.shards.all() {
        let expiry = state.machine(shard).and_then(Machine::next_expiry);
        if expiry.is_some_and(|at| at < now) {
            commands.push((shard, Command::Tick { shard, now }));
        }
    }
}

/// Retention for each shard that needs it; says whether a shard has more to forget than one command does.
fn sweep(inner: &Inner, commands: &mut Vec<(ShardId, Command)>) -> bool {
    let now = inner.clock.now();
    let retention = u64::try_from(inner.config.retention.as_millis()).unwrap_or(u64::MAX);
    let before = Timestamp::from_millis(now.as_millis().saturating_sub(retention));
    let bound = inner.config.max_ended / u64::from(inner.config.shards.get());
    let window = u64::try_from(octopussy_ledger::IDEMPOTENCY_WINDOW.as_millis()).unwrap_or(u64::MAX);
    let keys_before = Timestamp::from_millis(now.as_millis().saturating_sub(window));
    let mut more = false;
    for shard in inner.config.shards.all() {
        let state = inner.state.read();
        let Some(machine) = state.machine(shard) else { continue };
        let view = state.view(shard, &inner.store, &inner.agents);
        let excess = usize::try_from(machine.record().ended.saturating_sub(bound)).unwrap_or(usize::MAX);
        let over = view.ended_before(Timestamp::from_millis(u64::MAX), excess.min(SWEEP_LIMIT)).unwrap_or_default();
        let old = view.ended_before(before, SWEEP_LIMIT).unwrap_or_default();
        let keys = view.keys_before(keys_before, SWEEP_LIMIT).unwrap_or_default();
        drop(state);
        more |= over.len() == SWEEP_LIMIT || old.len() == SWEEP_LIMIT || keys.len() == SWEEP_LIMIT;
        let before = over.last().map_or(before, |last| before.max(last.at.plus(Duration::from_millis(1))));
        if !old.is_empty() || !over.is_empty() {
            commands.push((shard, Command::Forget { shard, before }));
        }
        if !keys.is_empty() {
            commands.push((shard, Command::Tick { shard, now }));
        }
    }
    more
}
