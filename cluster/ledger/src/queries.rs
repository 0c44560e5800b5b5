//! What can be read from memory.

use crate::{HotTask, Machine};
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, Epoch, TaskId};
use octopussy_core::task::{TaskRecord, TaskState};
use octopussy_core::time::Timestamp;
use std::ops::Bound;
use std::sync::Arc;

impl Machine {
    /// The present fence.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.record.epoch
    }

    /// A task that has not ended.
    #[must_use]
    pub fn hot_task(&self, id: TaskId) -> Option<&Arc<TaskRecord>> {
        self.tasks.get(&id).map(|task| &task.record)
    }

    /// Every task that has not ended, by id.
    pub fn hot_tasks(&self) -> impl Iterator<Item = &HotTask> {
        self.tasks.values()
    }

    /// Tasks that have not ended, newest first: of this agent, in this state, older than this one. Costs what is looked at,
    /// not what there is; only of one agent's, or among all that wait, are those in the other state passed over.
    pub fn hot_newest(
        &self,
        agent: Option<AgentId>,
        state: Option<TaskState>,
        before: Option<TaskId>,
    ) -> Box<dyn Iterator<Item = &Arc<TaskRecord>> + '_> {
        let older = (Bound::Unbounded, before.map_or(Bound::Unbounded, Bound::Excluded));
        let wanted = move |task: &&Arc<TaskRecord>| state.is_none_or(|state| task.state == state);
        if let Some(agent) = agent {
            let ids = self.agents.get(&agent).map(|hot| hot.tasks.range(older).rev());
            return Box::new(ids.into_iter().flatten().filter_map(|id| self.hot_task(*id)).filter(wanted));
        }
        if state == Some(TaskState::Running) {
            return Box::new(self.running.range(older).rev().filter_map(|id| self.hot_task(*id)));
        }
        Box::new(self.tasks.range(older).rev().map(|(_, task)| &task.record).filter(wanted))
    }

    /// How many tasks have not ended.
    #[must_use]
    pub fn hot_count(&self) -> usize {
        self.tasks.len()
    }

    /// How many tasks are being run.
    #[must_use]
    pub fn running_count(&self) -> usize {
        self.running.len()
    }

    /// Roughly how many bytes the tasks that have not ended take in memory.
    #[must_use]
    pub const fn hot_bytes(&self) -> u64 {
        self.bytes
    }

    /// An agent that has tasks.
    #[must_use]
    pub fn hot_agent(&self, id: AgentId) -> Option<&Arc<AgentRecord>> {
        self.agents.get(&id).map(|agent| &agent.record)
    }

    /// The task an agent should do next: of the most urgent lane the oldest. None for an agent that is paused.
    #[must_use]
    pub fn next_task(&self, agent: AgentId) -> Option<&Arc<TaskRecord>> {
        let hot = self.agents.get(&agent).filter(|hot| Self::takes_work(&hot.record))?;
        self.hot_task(hot.mailbox.first()?)
    }

    /// The tasks an agent should do next, in that order, at most `limit`. None for an agent that is paused.
    pub fn next_tasks(&self, agent: AgentId, limit: usize) -> impl Iterator<Item = &Arc<TaskRecord>> {
        let hot = self.agents.get(&agent).filter(|hot| Self::takes_work(&hot.record));
        let waiting = hot.into_iter().flat_map(|hot| hot.mailbox.tasks());
        waiting.take(limit).filter_map(|task| self.hot_task(task))
    }

    /// How many tasks wait for an agent.
    #[must_use]
    pub fn waiting(&self, agent: AgentId) -> usize {
        self.agents.get(&agent).map_or(0, |hot| hot.mailbox.len())
    }

    /// Agents that take work and have some waiting.
    pub fn agents_with_work(&self) -> impl Iterator<Item = AgentId> + '_ {
        self.agents
            .iter()
            .filter(|(_, hot)| Self::takes_work(&hot.record) && !hot.mailbox.is_empty())
            .map(|(id, _)| *id)
    }

    /// When the next waiting task expires.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.expiries.first().map(|(at, _)| *at)
    }
}
