//! Which shard a command belongs to.

use crate::groups::Urgency;
use octopussy_core::ids::{ShardCount, ShardId};
use octopussy_core::task::Command;

/// Whether `command` may be proposed to `shard`: everything it names must live there.
pub(crate) fn belongs(command: &Command, shard: ShardId, count: ShardCount) -> bool {
    if shard.0 >= count.get() {
        return false;
    }
    match command {
        Command::Activate { shard: of, .. }
        | Command::Tick { shard: of, .. }
        | Command::Forget { shard: of, .. }
        | Command::ForgetDead { shard: of, .. } => *of == shard,
        Command::CreateAgent { agent } => count.shard_of(agent.id) == shard,
        Command::SetDesired { agent, .. }
        | Command::RecordUsage { agent, .. }
        | Command::ResetUsage { agent }
        | Command::UpdateAgent { agent, .. }
        | Command::DeleteAgent { agent, .. } => count.shard_of(*agent) == shard,
        Command::Accept { task, .. } => count.shard_of(task.agent) == shard && count.shard_of_task(task.id) == shard,
        Command::Begin { task, .. }
        | Command::Step { task, .. }
        | Command::End { task, .. }
        | Command::Cancel { task, .. }
        | Command::Replay { task, .. }
        | Command::Discard { task } => count.shard_of_task(*task) == shard,
    }
}

/// Whether the command brings new work.
pub(crate) const fn urgency(command: &Command) -> Urgency {
    match command {
        Command::Accept { .. } | Command::CreateAgent { .. } | Command::Replay { .. } => Urgency::NewWork,
        Command::Activate { .. }
        | Command::SetDesired { .. }
        | Command::Begin { .. }
        | Command::Step { .. }
        | Command::End { .. }
        | Command::Cancel { .. }
        | Command::Discard { .. }
        | Command::Tick { .. }
        | Command::Forget { .. }
        | Command::RecordUsage { .. }
        | Command::ResetUsage { .. }
        | Command::UpdateAgent { .. }
        | Command::DeleteAgent { .. }
        | Command::ForgetDead { .. } => Urgency::InProgress,
    }
}
