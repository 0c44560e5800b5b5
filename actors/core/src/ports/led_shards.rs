//! The shards that this node leads.

use crate::agent::AgentRecord;
use crate::contract::{Port, PortId};
use crate::ids::{AgentId, Epoch, ShardId, TaskId};
use crate::ports::ProposeError;
use crate::task::{LedgerEvent, TaskRecord};
use crate::time::Timestamp;
use std::sync::Arc;

/// Is told what the shards led by this node have applied. Called on the applying task: it must not block.
pub trait LedgerObserver: Send + Sync {
    /// Something was applied.
    fn on_event(&self, event: &LedgerEvent);

    /// This node is about to give the shard away (`yields`): nothing new is to be begun in it, and runs are to be handed back
    /// at their next step boundary. Or it is not any longer. A leadership that is lost is told by
    /// [`LedgerEvent::LeaderLost`] as ever.
    fn on_yielding(&self, _shard: ShardId, _yields: bool) {}
}

/// The shards that this node leads, read from its own memory without waiting. For whoever hosts agents: ownership of an
/// agent is leadership of its shard.
pub trait LedShardsPort: Send + Sync {
    /// The epoch under which this node leads the shard; `None` when it does not, or not any longer with certainty (its lease
    /// has run out).
    fn epoch(&self, shard: ShardId) -> Option<Epoch>;

    /// What time it is in a shard led here, which need not be what this node's clock shows; `None` where that is not known.
    fn now(&self, _shard: ShardId) -> Option<Timestamp> {
        None
    }

    /// A task of a shard led here.
    ///
    /// # Errors
    /// [`ProposeError::NotLeader`] when another node leads the shard.
    fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError>;

    /// An agent of a shard led here.
    ///
    /// # Errors
    /// [`ProposeError::NotLeader`] when another node leads the shard.
    fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError>;

    /// The task the agent should do next: of the most urgent lane the oldest that waits.
    fn next_task(&self, agent: AgentId) -> Option<Arc<TaskRecord>>;

    /// The tasks the agent should do next, in that order, at most `limit`. An agent that works on several tasks at once
    /// begins them together instead of waiting for one commit each; a ledger that only knows the next one is correct, too.
    fn next_tasks(&self, agent: AgentId, limit: usize) -> Vec<Arc<TaskRecord>> {
        if limit == 0 { Vec::new() } else { self.next_task(agent).into_iter().collect() }
    }

    /// How many tasks wait for the agent; 0 when its shard is not led here.
    fn waiting(&self, agent: AgentId) -> usize;

    /// Agents with waiting tasks in the shards this node leads.
    fn agents_with_work(&self) -> Vec<AgentId>;

    /// How many dead letters the shards led here hold.
    fn dead_letters(&self) -> u64;

    /// Tells `observer` of everything applied from now on to shards led here, and of leaderships gained and lost.
    fn observe(&self, observer: Arc<dyn LedgerObserver>);
}

impl Port for dyn LedShardsPort {
    const ID: PortId = PortId::LedShards;
}
