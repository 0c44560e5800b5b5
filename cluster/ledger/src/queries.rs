//! What can be read from memory.

use crate::Machine;
use crate::unended::Unended;
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

    /// Whether the task is here and has not ended.
    #[must_use]
    pub fn is_unended(&self, id: TaskId) -> bool {
        self.tasks.contains_key(&id)
    }

    /// A task that has not ended and is in memory with all its texts: one that runs, or waits and has little text.
    #[must_use]
    pub fn task_in_memory(&self, id: TaskId) -> Option<&Arc<TaskRecord>> {
        self.tasks.get(&id).and_then(Unended::whole).map(|task| &task.record)
    }

    /// Every task that has not ended, in order.
    pub fn unended_ids(&self) -> impl Iterator<Item = TaskId> {
        self.tasks.keys().copied()
    }

    /// Tasks that have not ended, newest first: of this agent, in this state, older than this one. Costs what is looked at,
    /// not what there is; only of one agent's, or among all that wait, are those in the other state passed over.
    pub fn unended_newest(
        &self,
        agent: Option<AgentId>,
        state: Option<TaskState>,
        before: Option<TaskId>,
    ) -> Box<dyn Iterator<Item = TaskId> + '_> {
        let older = (Bound::Unbounded, before.map_or(Bound::Unbounded, Bound::Excluded));
        let wanted = move |task: &Unended| state.is_none_or(|state| task.state() == state);
        if let Some(agent) = agent {
            let ids = self.agents.get(&agent).map(|hot| hot.tasks.range(older).rev().copied());
            return Box::new(ids.into_iter().flatten().filter(move |id| self.tasks.get(id).is_some_and(wanted)));
        }
        if state == Some(TaskState::Running) {
            return Box::new(self.running.range(older).rev().copied());
        }
        Box::new(self.tasks.range(older).rev().filter(move |(_, task)| wanted(task)).map(|(id, _)| *id))
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

    /// How many bytes of texts of waiting tasks only the store has.
    #[must_use]
    pub const fn stored_bytes(&self) -> u64 {
        self.stored
    }

    /// An agent that has tasks.
    #[must_use]
    pub fn hot_agent(&self, id: AgentId) -> Option<&Arc<AgentRecord>> {
        self.agents.get(&id).map(|agent| &agent.record)
    }

    /// The task an agent should do next: of the most urgent lane the oldest. None for an agent that is paused.
    #[must_use]
    pub fn next_task(&self, agent: AgentId) -> Option<TaskId> {
        self.agents.get(&agent).filter(|hot| Self::takes_work(&hot.record))?.mailbox.first()
    }

    /// The tasks an agent should do next, in that order, at most `limit`. None for an agent that is paused.
    pub fn next_tasks(&self, agent: AgentId, limit: usize) -> impl Iterator<Item = TaskId> {
        let hot = self.agents.get(&agent).filter(|hot| Self::takes_work(&hot.record));
        hot.into_iter().flat_map(|hot| hot.mailbox.tasks()).take(limit)
    }

    /// How many tasks wait for an agent.
    #[must_use]
    pub fn waiting(&self, agent: AgentId) -> usize {
        self.agents.get(&agent).map_or(0, |hot| hot.mailbox.len())
    }

    /// How many bytes of text the tasks have that wait for an agent.
    #[must_use]
    pub fn waiting_text(&self, agent: AgentId) -> u64 {
        self.agents.get(&agent).map_or(0, |hot| hot.mailbox.text())
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
