//! The shards that this node leads.

use crate::groups::Core;
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, Epoch, ShardId, TaskId};
use octopussy_core::ports::{LedShardsPort, LedgerObserver, ProposeError};
use octopussy_core::task::TaskRecord;
use octopussy_core::time::Timestamp;
use std::sync::Arc;

/// The shards that this node leads.
pub(crate) struct Led {
    core: Arc<Core>,
}

impl Led {
    pub(crate) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    fn check(&self, shard: ShardId) -> Result<(), ProposeError> {
        if self.core.leads(shard) { Ok(()) } else { Err(ProposeError::NotLeader(shard)) }
    }

    fn leads_agent(&self, agent: AgentId) -> bool {
        self.core.leads(self.core.shards().shard_of(agent))
    }
}

impl LedShardsPort for Led {
    fn epoch(&self, shard: ShardId) -> Option<Epoch> {
        let speaks = self.core.group(shard).is_some_and(|group| group.speaks());
        self.core.context.state.epoch(shard).filter(|_| speaks)
    }

    fn now(&self, shard: ShardId) -> Option<Timestamp> {
        self.core.group(shard).filter(|group| group.speaks()).map(|group| group.now())
    }

    fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        self.check(self.core.shards().shard_of_task(id))?;
        self.core.context.state.task(id)
    }

    fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError> {
        self.check(self.core.shards().shard_of(id))?;
        self.core.context.state.agent(id)
    }

    fn next_task(&self, agent: AgentId) -> Option<Arc<TaskRecord>> {
        self.next_tasks(agent, 1).into_iter().next()
    }

    fn next_tasks(&self, agent: AgentId, limit: usize) -> Vec<Arc<TaskRecord>> {
        if self.leads_agent(agent) { self.core.context.state.next_tasks(agent, limit) } else { Vec::new() }
    }

    fn waiting(&self, agent: AgentId) -> usize {
        if self.leads_agent(agent) { self.core.context.state.waiting(agent) } else { 0 }
    }

    fn agents_with_work(&self) -> Vec<AgentId> {
        self.core.context.state.agents_with_work(&self.core.led())
    }

    fn dead_letters(&self) -> u64 {
        self.core.context.state.dead_letters(&self.core.led())
    }

    fn observe(&self, observer: Arc<dyn LedgerObserver>) {
        self.core.context.state.observe(observer);
    }
}
