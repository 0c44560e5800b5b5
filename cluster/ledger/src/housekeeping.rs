//! What passes with time: expired tasks, old idempotency keys, old history.

use crate::machine::Handled;
use crate::unended::Unended;
use crate::{Cold, Effects, IDEMPOTENCY_WINDOW, Machine, SWEEP_LIMIT, SWEEP_TEXT, Write};
use octopussy_core::ids::TaskId;
use octopussy_core::task::{Applied, DeadLetterReason};
use octopussy_core::time::Timestamp;

impl Machine {
    /// Dead-letters waiting tasks that have expired and drops idempotency keys past their window, at most [`SWEEP_LIMIT`]
    /// each, and no more tasks than have [`SWEEP_TEXT`] together. Answers with how many it touched.
    pub(crate) fn tick(&mut self, now: Timestamp, cold: &impl Cold, effects: &mut Effects) -> Handled {
        let now = self.at(now);
        let keys = cold.keys_before(now.minus(IDEMPOTENCY_WINDOW), SWEEP_LIMIT)?;
        let expired = self.unended(self.expired(now), cold)?;
        self.advance(now);
        let touched = keys.len() + expired.len();
        effects.writes.extend(keys.into_iter().map(|(key, entry)| Write::KeyForgotten(key, entry.at)));
        for task in expired {
            self.bury(task, DeadLetterReason::Expired, None, now, effects)?;
        }
        Ok(Applied::Count(touched as u64))
    }

    /// The first of the waiting tasks that have expired, as many as one command ends.
    fn expired(&self, now: Timestamp) -> Vec<TaskId> {
        let due = self.expiries.iter().take_while(|(at, _)| *at < now).take(SWEEP_LIMIT).map(|(_, task)| *task);
        let mut text = 0;
        due.take_while(|task| {
            let before = text;
            text += self.tasks.get(task).map_or(0, Unended::stored);
            before < SWEEP_TEXT
        })
        .collect()
    }

    /// Forgets tasks that ended before `before`, oldest first, at most [`SWEEP_LIMIT`]. Dead letters have a bound of their own.
    /// Whatever ended within the window of idempotency keys stays, however much it is and whoever asks: who repeats a request
    /// within it is answered with the task.
    pub(crate) fn forget(&mut self, before: Timestamp, cold: &impl Cold, effects: &mut Effects) -> Handled {
        let mut count = 0;
        let before = before.min(self.record.now.minus(IDEMPOTENCY_WINDOW));
        for ended in cold.ended_before(before, SWEEP_LIMIT)? {
            if let Some(record) = cold.task(ended.task)? {
                self.forget_task(record, cold, effects)?;
                count += 1;
            }
        }
        self.record.ended = self.record.ended.saturating_sub(count);
        Ok(Applied::Count(count))
    }

    /// Forgets dead letters beyond the newest `keep`, and those among the earliest submitted that ended before `before`, at
    /// most [`SWEEP_LIMIT`]. None goes within the window of idempotency keys: a repeated request would be run again.
    pub(crate) fn forget_dead(
        &mut self,
        before: Timestamp,
        keep: u64,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        let excess = usize::try_from(self.record.dead.saturating_sub(keep)).unwrap_or(usize::MAX);
        let window = self.record.now.minus(IDEMPOTENCY_WINDOW);
        let mut count = 0;
        for (number, id) in cold.dead_letters(SWEEP_LIMIT)?.into_iter().enumerate() {
            let Some(record) = cold.task(id)? else { continue };
            // Whoever waits behind one that is young enough is looked at when that has gone.
            if record.updated_at >= window || (number >= excess && record.updated_at >= before) {
                break;
            }
            self.forget_task(record, cold, effects)?;
            count += 1;
        }
        self.record.dead = self.record.dead.saturating_sub(count);
        Ok(Applied::Count(count))
    }
}
