//! A new leadership takes over what the last one left.

use crate::{Effects, Machine};
use octopussy_core::ids::{Epoch, NodeId};
use octopussy_core::task::{Applied, DeadLetterReason, LedgerEvent, TaskState};
use octopussy_core::time::Timestamp;
use std::time::Duration;

impl Machine {
    /// Starts an epoch: whatever ran in an earlier one goes back to its mailbox, journal and all, or is given up on when it
    /// is older than `max_age`.
    pub(crate) fn activate(
        &mut self,
        epoch: Epoch,
        node: NodeId,
        now: Timestamp,
        max_age: Duration,
        effects: &mut Effects,
    ) -> Applied {
        self.record.epoch = epoch;
        self.record.leader = Some(node);
        effects.events.push(LedgerEvent::LeaderGained { shard: self.shard, epoch });
        let mut running: Vec<_> = self
            .tasks
            .values()
            .filter(|task| task.record.state == TaskState::Running)
            .map(|task| (task.record.sequence, task.record.id, task.record.accepted_at))
            .collect();
        // The map has no order of its own, and every replica must do the same.
        running.sort_unstable();
        for (_, id, accepted_at) in running {
            let too_old = now.since(accepted_at) > max_age;
            // Neither can be refused: the task is there and running.
            let _ = if too_old {
                self.bury(id, DeadLetterReason::TooOldToRecover, None, now, effects)
            } else {
                self.hand_back(id, now, effects, |_| {})
            };
        }
        Applied::Activated(epoch)
    }
}
