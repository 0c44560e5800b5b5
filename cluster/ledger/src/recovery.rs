//! A new leadership takes over what the last one left.

use crate::machine::Handled;
use crate::unended::Unended;
use crate::{Effects, Machine};
use octopussy_core::ids::Epoch;
use octopussy_core::ports::Incarnation;
use octopussy_core::task::{Applied, DeadLetterReason, LedgerEvent, MAX_CRASHES, TaskRecord};
use octopussy_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

impl Machine {
    /// Starts an epoch: whatever ran in an earlier one goes back to its mailbox, journal and all, or is given up on when it
    /// is older than `max_age`. `gone`: a leader before this one that is another node cannot be reached.
    ///
    /// A run that is cut off so has not failed. Where its process ended under it the task may be why, which is counted, and
    /// has a bound of its own.
    pub(crate) fn activate(
        &mut self,
        epoch: Epoch,
        leader: Incarnation,
        gone: bool,
        now: Timestamp,
        max_age: Duration,
        effects: &mut Effects,
    ) -> Applied {
        self.record.epoch = epoch;
        let crashed = self.record.leader.is_some_and(|before| has_crashed(before, leader, gone));
        self.record.leader = Some(leader);
        effects.events.push(LedgerEvent::LeaderGained { shard: self.shard, epoch });
        let tasks = self.running.iter().filter_map(|id| self.task_in_memory(*id));
        let mut running: Vec<_> = tasks.cloned().collect();
        running.sort_unstable_by_key(|task| task.sequence);
        for task in running {
            let too_old = now.since(task.accepted_at) > max_age;
            // Neither can be refused: the task is there and running.
            let _ = if too_old {
                self.bury(task, DeadLetterReason::TooOldToRecover, None, now, effects)
            } else {
                self.recover(task, crashed, now, effects)
            };
        }
        Applied::Activated(epoch)
    }

    fn recover(&mut self, mut task: Arc<TaskRecord>, crashed: bool, now: Timestamp, effects: &mut Effects) -> Handled {
        let hot = self.tasks.get(&task.id).and_then(Unended::whole);
        let wanted = hot.is_some_and(|hot| hot.cancel.is_none());
        let record = Arc::make_mut(&mut task);
        record.crashes += u32::from(crashed);
        if crashed && record.crashes >= MAX_CRASHES && wanted {
            let why = format!(
                "the process that ran it ended {MAX_CRASHES} times while it ran, which is the limit: the task may be why"
            );
            return self.bury(task, DeadLetterReason::CrashSuspect, Some(why.into()), now, effects);
        }
        self.hand_back(task, now, effects, |record| record.attempts = record.attempts.saturating_sub(1))
    }
}

/// Whether the process that led before has ended, as far as can be told: certain of the same node, likely of one that cannot
/// be reached. One that led before and is there has handed over, or was cut off for a moment.
fn has_crashed(before: Incarnation, leader: Incarnation, gone: bool) -> bool {
    if before.node == leader.node { before.boot != leader.boot } else { gone }
}
