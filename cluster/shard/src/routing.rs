//! Which shard a command belongs to.

use crate::groups::Urgency;
use octopussy_core::ids::{ShardCount, ShardId};
use octopussy_core::ports::RequestKind;
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

/// The kind of request that a command is when another node asks for it.
pub(crate) const fn request_kind(command: &Command) -> RequestKind {
    match command {
        Command::Accept { .. } | Command::Cancel { .. } | Command::Replay { .. } | Command::Discard { .. } => {
            RequestKind::TaskCommand
        }
        Command::CreateAgent { .. }
        | Command::SetDesired { .. }
        | Command::RecordUsage { .. }
        | Command::ResetUsage { .. }
        | Command::UpdateAgent { .. }
        | Command::DeleteAgent { .. } => RequestKind::AgentCommand,
        Command::Activate { .. }
        | Command::Begin { .. }
        | Command::Step { .. }
        | Command::End { .. }
        | Command::Tick { .. }
        | Command::Forget { .. }
        | Command::ForgetDead { .. } => RequestKind::LeaderCommand,
    }
}

/// Whether only the shard's leader proposes the command: whoever leads it no longer has nobody to bring it to.
pub(crate) const fn is_leaders_own(command: &Command) -> bool {
    matches!(request_kind(command), RequestKind::LeaderCommand)
}
