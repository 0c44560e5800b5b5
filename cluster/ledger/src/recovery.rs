//! A new leadership takes over what the last one left.

use crate::machine::Handled;
use crate::{Effects, Machine};
use octopussy_core::ids::{Epoch, TaskId};
use octopussy_core::ports::Incarnation;
use octopussy_core::task::{Applied, DeadLetterReason, LedgerEvent, MAX_CRASHES, Refusal};
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
        let tasks = self.running.iter().filter_map(|id| self.hot_task(*id));
        let mut running: Vec<_> = tasks.map(|task| (task.sequence, task.id, task.accepted_at)).collect();
        running.sort_unstable();
        for (_, id, accepted_at) in running {
            let too_old = now.since(accepted_at) > max_age;
            // Neither can be refused: the task is there and running.
            let _ = if too_old {
                self.bury(id, DeadLetterReason::TooOldToRecover, None, now, effects)
            } else {
                self.recover(id, crashed, now, effects)
            };
        }
        Applied::Activated(epoch)
    }

    fn recover(&mut self, id: TaskId, crashed: bool, now: Timestamp, effects: &mut Effects) -> Handled {
        let Some(task) = self.tasks.get_mut(&id) else { return Err(Refusal::UnknownTask(id).into()) };
        let record = Arc::make_mut(&mut task.record);
        record.crashes += u32::from(crashed);
        if crashed && record.crashes >= MAX_CRASHES && task.cancel.is_none() {
            let why = format!(
                "the process that ran it ended {MAX_CRASHES} times while it ran, which is the limit: the task may be why"
            );
            return self.bury(id, DeadLetterReason::CrashSuspect, Some(why.into()), now, effects);
        }
        self.hand_back(id, now, effects, |record| record.attempts = record.attempts.saturating_sub(1))
    }
}

/// Whether the process that led before has ended, as far as can be told: certain of the same node, likely of one that cannot
/// be reached. One that led before and is there has handed over, or was cut off for a moment.
fn has_crashed(before: Incarnation, leader: Incarnation, gone: bool) -> bool {
    if before.node == leader.node { before.boot != leader.boot } else { gone }
}
