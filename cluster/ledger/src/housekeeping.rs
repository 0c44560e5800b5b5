//! What passes with time: expired tasks, old idempotency keys, old history.

use crate::machine::Handled;
use crate::{Cold, Effects, IDEMPOTENCY_WINDOW, Machine, SWEEP_LIMIT, Write};
use octopussy_core::task::{Applied, DeadLetterReason};
use octopussy_core::time::Timestamp;

impl Machine {
    /// Dead-letters waiting tasks that have expired and drops idempotency keys past their window, at most [`SWEEP_LIMIT`]
    /// each. Answers with how many it touched.
    pub(crate) fn tick(&mut self, now: Timestamp, cold: &impl Cold, effects: &mut Effects) -> Handled {
        let now = now.max(self.record.now);
        let window = u64::try_from(IDEMPOTENCY_WINDOW.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_millis(now.as_millis().saturating_sub(window));
        let keys = cold.keys_before(before, SWEEP_LIMIT)?;
        self.advance(now);
        let mut touched = keys.len();
        effects.writes.extend(keys.into_iter().map(|(key, entry)| Write::KeyForgotten(key, entry.at)));
        let expired: Vec<_> =
            self.expiries.iter().take_while(|(at, _)| *at < now).take(SWEEP_LIMIT).map(|(_, task)| *task).collect();
        touched += expired.len();
        for task in expired {
            self.bury(task, DeadLetterReason::Expired, None, now, effects)?;
        }
        Ok(Applied::Count(touched as u64))
    }

    /// Forgets tasks that ended before `before`, oldest first, at most [`SWEEP_LIMIT`]. Dead letters stay.
    pub(crate) fn forget(&mut self, before: Timestamp, cold: &impl Cold, effects: &mut Effects) -> Handled {
        let mut count = 0;
        for ended in cold.ended_before(before, SWEEP_LIMIT)? {
            if let Some(record) = cold.task(ended.task)? {
                self.forget_task(record, cold, effects)?;
                count += 1;
            }
        }
        self.record.ended = self.record.ended.saturating_sub(count);
        Ok(Applied::Count(count))
    }
}
