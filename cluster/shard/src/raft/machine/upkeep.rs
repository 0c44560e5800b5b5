//! What has to be done in a shard as time passes.

use super::host::StateHost;
use octopussy_core::ids::ShardId;
use octopussy_core::ports::Incarnation;
use octopussy_core::task::Command;
use octopussy_core::time::Timestamp;
use octopussy_ledger::{Cold, IDEMPOTENCY_WINDOW, Machine, SWEEP_LIMIT};
use std::time::Duration;

impl StateHost {
    /// What the shard keeps in memory.
    #[cfg(test)]
    pub(crate) fn machine(&self, shard: ShardId) -> Option<Machine> {
        self.shared.cell(shard).map(|cell| cell.state.read().machine.clone())
    }

    /// How many tasks of the shard have not ended.
    #[cfg(test)]
    pub(crate) fn hot_count(&self, shard: ShardId) -> usize {
        self.of_shard(shard, Machine::hot_count)
    }

    /// How many tasks of the shard are being run.
    pub(crate) fn running(&self, shard: ShardId) -> usize {
        self.of_shard(shard, Machine::running_count)
    }

    /// Who led the shard last, as far as it is applied here.
    pub(crate) fn leader(&self, shard: ShardId) -> Option<Incarnation> {
        self.of_shard(shard, |machine| machine.record().leader)
    }

    /// What time it is in the shard, as far as it is applied here.
    pub(crate) fn now(&self, shard: ShardId) -> Timestamp {
        self.of_shard(shard, |machine| machine.record().now)
    }

    /// When the next waiting task of the shard expires.
    pub(crate) fn next_expiry(&self, shard: ShardId) -> Option<Timestamp> {
        self.of_shard(shard, Machine::next_expiry)
    }

    /// What retention has to do in the shard: the commands to propose, and whether there is more than one round can do.
    /// `before`: older history is forgotten. `max_ended`: of the newer only so many are kept, beside what ended within the window
    /// of idempotency keys.
    pub(crate) fn sweep(
        &self,
        shard: ShardId,
        now: Timestamp,
        before: Timestamp,
        max_ended: u64,
    ) -> (Vec<Command>, bool) {
        let Some(cell) = self.shared.cell(shard) else { return (Vec::new(), false) };
        let window = now.minus(IDEMPOTENCY_WINDOW);
        let state = cell.state.read();
        let view = state.view(&self.shared.store, &self.shared.agents);
        let excess = usize::try_from(state.machine.record().ended.saturating_sub(max_ended)).unwrap_or(usize::MAX);
        // What cannot be read now is found at the next sweep.
        let over = view.ended_before(window, excess.min(SWEEP_LIMIT)).unwrap_or_default();
        let old = view.ended_before(before, SWEEP_LIMIT).unwrap_or_default();
        let keys = view.keys_before(window, SWEEP_LIMIT).unwrap_or_default();
        drop(state);
        let more = over.len() == SWEEP_LIMIT || old.len() == SWEEP_LIMIT || keys.len() == SWEEP_LIMIT;
        let before = over.last().map_or(before, |last| before.max(last.at.plus(Duration::from_millis(1)))).min(window);
        let mut commands = Vec::new();
        if !old.is_empty() || !over.is_empty() {
            commands.push(Command::Forget { shard, before });
        }
        if !keys.is_empty() {
            commands.push(Command::Tick { shard, now });
        }
        (commands, more)
    }

    /// What the bound of dead letters has to do in the shard, and whether there is more than one round can do.
    pub(crate) fn sweep_dead(&self, shard: ShardId, before: Timestamp, keep: u64) -> (Option<Command>, bool) {
        let Some(cell) = self.shared.cell(shard) else { return (None, false) };
        let state = cell.state.read();
        let dead = state.machine.record().dead;
        let excess = dead.saturating_sub(keep);
        let too_old = || {
            let view = state.view(&self.shared.store, &self.shared.agents);
            let first = view.dead_letters(1).ok()?.pop()?;
            // What cannot be read now is found at the next sweep.
            view.task(first).ok().flatten().map(|task| task.updated_at < before)
        };
        let due = excess > 0 || (dead > 0 && too_old() == Some(true));
        let more = excess > SWEEP_LIMIT as u64;
        (due.then_some(Command::ForgetDead { shard, before, keep }), more)
    }
}
