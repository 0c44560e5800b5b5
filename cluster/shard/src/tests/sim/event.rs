//! What the invariants are told of.

use octopussy_core::ids::{Epoch, ShardId, TaskId};
use octopussy_core::task::TaskRecord;
use std::fmt;
use std::sync::Arc;

/// Something that happened. Nodes go by their numbers.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// A node says that it leads a shard from now on.
    Gained { node: u8, shard: ShardId, epoch: Epoch },
    /// A node says that it leads a shard no longer.
    Lost { node: u8, shard: ShardId },
    /// A node that runs holds a valid lease at this moment.
    Speaks { node: u8, shard: ShardId, epoch: Epoch },
    /// A host does something that is seen outside: the step's work begins.
    Effect { node: u8, shard: ShardId, epoch: Epoch, task: TaskId, step: u32 },
    /// A step is in the journal.
    Stepped { task: TaskId, step: u32 },
    /// A client asks for the first time for a task that lives for so many milliseconds after its acceptance.
    Asked { key: Arc<str>, ttl: u64 },
    /// A client was told that its request was accepted as this task.
    Acknowledged { key: Arc<str>, task: TaskId },
    /// A task has ended, as somebody was told.
    Ended { task: Arc<TaskRecord> },
    /// A node is gone.
    Crashed { node: u8 },
    /// A node stands still.
    Frozen { node: u8 },
    /// It goes on.
    Thawed { node: u8 },
    /// Something else happens to the cluster; for those who read the trace.
    Trouble(String),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gained { node, shard, epoch } => write!(f, "{node} gains shard {shard} at epoch {epoch}"),
            Self::Lost { node, shard } => write!(f, "{node} loses shard {shard}"),
            Self::Speaks { node, shard, epoch } => write!(f, "{node} speaks for shard {shard} at epoch {epoch}"),
            Self::Effect { node, shard, epoch, task, step } => {
                write!(f, "{node} does step {step} of {task} for shard {shard} at epoch {epoch}")
            }
            Self::Stepped { task, step } => write!(f, "step {step} of {task} is in the journal"),
            Self::Asked { key, ttl } => write!(f, "{key} is asked for, to live for {ttl} ms"),
            Self::Acknowledged { key, task } => write!(f, "{key} is accepted as {task}"),
            Self::Ended { task } => write!(f, "{} ends as {:?} {:?}", task.id, task.state, task.error),
            Self::Crashed { node } => write!(f, "{node} crashes"),
            Self::Frozen { node } => write!(f, "{node} freezes"),
            Self::Thawed { node } => write!(f, "{node} goes on"),
            Self::Trouble(what) => f.write_str(what),
        }
    }
}
