//! What can be read of the shards that are here.

use super::host::StateHost;
use super::listing;
use super::shard_cell::ShardCell;
use super::waiters::Waited;
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, ShardId, TaskId};
use octopussy_core::ports::{AgentQuery, Page, ProposeError, TaskQuery};
use octopussy_core::task::TaskRecord;
use octopussy_ledger::{Cold, ColdError, Machine};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A store that could not be read, as callers hear it.
pub(super) fn store_error(error: ColdError) -> ProposeError {
    ProposeError::Store(error.0)
}

impl StateHost {
    fn shard_of(&self, agent: AgentId) -> Option<ShardId> {
        Some(self.shared.count()?.shard_of(agent))
    }

    /// The shard of a task, which is here.
    fn cell_of_task(&self, id: TaskId) -> Result<Arc<ShardCell>, ProposeError> {
        let shard = self.shared.count().map_or(ShardId(0), |count| count.shard_of_task(id));
        self.shared.cell(shard).ok_or(ProposeError::NotLeader(shard))
    }

    /// What the machine of an agent's shard says; the default when that is not here.
    fn of_agent<T: Default>(&self, agent: AgentId, read: impl FnOnce(&Machine) -> T) -> T {
        let cell = self.shard_of(agent).and_then(|shard| self.shared.cell(shard));
        cell.map(|cell| read(&cell.state.read().machine)).unwrap_or_default()
    }

    /// What the machine of a shard says; the default when that is not here.
    pub(super) fn of_shard<T: Default>(&self, shard: ShardId, read: impl FnOnce(&Machine) -> T) -> T {
        self.shared.cell(shard).map(|cell| read(&cell.state.read().machine)).unwrap_or_default()
    }

    /// A task as this node has applied it, whether or not it leads its shard; [`ProposeError::NotLeader`] when the shard's
    /// state is not here.
    pub(crate) fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        let cell = self.cell_of_task(id)?;
        let state = cell.state.read();
        state.machine.task(id, &state.view(&self.shared.store, &self.shared.agents)).map_err(store_error)
    }

    /// A task that can be told without reading the store: one that runs or has little text, or whose last change is not stored yet.
    /// Nothing when that is not known.
    pub(crate) fn task_in_memory(&self, id: TaskId) -> Option<Option<Arc<TaskRecord>>> {
        let cell = self.cell_of_task(id).ok()?;
        let state = cell.state.read();
        if let Some(task) = state.machine.task_in_memory(id) {
            return Some(Some(Arc::clone(task)));
        }
        state.layers().find_map(|dirty| dirty.find_task(id)).map(|latest| latest.record().cloned())
    }

    /// An agent that can be told without reading the store; like [`Self::task_in_memory`].
    pub(crate) fn agent_in_memory(&self, id: AgentId) -> Option<Option<Arc<AgentRecord>>> {
        let cell = self.shared.cell(self.shard_of(id)?)?;
        let state = cell.state.read();
        if let Some(agent) = state.machine.hot_agent(id) {
            return Some(Some(Arc::clone(agent)));
        }
        state.layers().find_map(|dirty| dirty.find_agent(id)).map(|latest| latest.cloned())
    }

    /// An agent; like [`Self::task`].
    pub(crate) fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError> {
        let shard = self.shard_of(id).unwrap_or(ShardId(0));
        let cell = self.shared.cell(shard).ok_or(ProposeError::NotLeader(shard))?;
        let state = cell.state.read();
        if let Some(agent) = state.machine.hot_agent(id) {
            return Ok(Some(Arc::clone(agent)));
        }
        state.view(&self.shared.store, &self.shared.agents).agent(id).map_err(store_error)
    }

    /// The tasks that the agent should do next, in that order. What cannot be read is left out, and is looked for again with the
    /// next change.
    pub(crate) fn next_tasks(&self, agent: AgentId, limit: usize) -> Vec<Arc<TaskRecord>> {
        let Some(cell) = self.shard_of(agent).and_then(|shard| self.shared.cell(shard)) else { return Vec::new() };
        let state = cell.state.read();
        let view = state.view(&self.shared.store, &self.shared.agents);
        let read = |id| match state.machine.task(id, &view) {
            Ok(task) => task,
            Err(error) => {
                tracing::warn!(task.id = %id, %error, "a task that waits cannot be read");
                None
            }
        };
        state.machine.next_tasks(agent, limit).filter_map(read).collect()
    }

    /// How many tasks wait for the agent.
    pub(crate) fn waiting(&self, agent: AgentId) -> usize {
        self.of_agent(agent, |machine| machine.waiting(agent))
    }

    /// Agents of `shards` that take work and have some waiting.
    pub(crate) fn agents_with_work(&self, shards: &[ShardId]) -> Vec<AgentId> {
        let agents = |shard: &ShardId| self.of_shard(*shard, |machine| machine.agents_with_work().collect::<Vec<_>>());
        shards.iter().flat_map(agents).collect()
    }

    /// Roughly how many bytes the tasks that have not ended take, of all shards that are here: in memory, and of their texts what
    /// only the store has.
    pub(crate) fn unended_bytes(&self) -> (u64, u64) {
        let shards = self.shared.shards.read();
        let sum = |of: fn(&ShardCell) -> &AtomicU64| shards.values().map(|cell| of(cell).load(Ordering::Relaxed)).sum();
        (sum(|cell| &cell.hot_bytes), sum(|cell| &cell.stored_bytes))
    }

    /// How many dead letters `shards` hold.
    pub(crate) fn dead_letters(&self, shards: &[ShardId]) -> u64 {
        shards.iter().map(|shard| self.of_shard(*shard, |machine| machine.record().dead)).sum()
    }

    /// Tasks of `shards`, newest first. Shards that are not here are passed over.
    pub(crate) fn tasks(&self, shards: &[ShardId], query: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, ProposeError> {
        listing::tasks(&self.shared, &self.cells(shards, query.agent), query).map_err(store_error)
    }

    /// The same, with how many rows were looked at for it.
    #[cfg(test)]
    pub(super) fn tasks_counted(&self, shards: &[ShardId], query: &TaskQuery) -> (Page<Arc<TaskRecord>>, usize) {
        listing::tasks_counted(&self.shared, &self.cells(shards, query.agent), query).unwrap()
    }

    /// Agents of `shards`, by id. Shards that are not here are passed over.
    pub(crate) fn agents(
        &self,
        shards: &[ShardId],
        query: &AgentQuery,
    ) -> Result<Page<Arc<AgentRecord>>, ProposeError> {
        listing::agents(&self.shared, &self.cells(shards, None), query).map_err(store_error)
    }

    /// Those of `shards` that are here, and may have something of `agent`.
    fn cells(&self, shards: &[ShardId], agent: Option<AgentId>) -> Vec<Arc<ShardCell>> {
        let only = agent.and_then(|agent| self.shard_of(agent));
        let wanted = shards.iter().filter(|shard| only.is_none_or(|only| only == **shard));
        wanted.filter_map(|shard| self.shared.cell(*shard)).collect()
    }

    /// Waits until a task of a shard led here has ended, at most for `limit`; answers with the task as it then is.
    /// [`ProposeError::NotLeader`] when the shard is not led here, or not any longer.
    pub(crate) async fn await_end(&self, id: TaskId, limit: Duration) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        let cell = self.cell_of_task(id)?;
        let waiters = &cell.leading.waiters;
        // In this order, so that neither an end nor a loss between the two is missed.
        let ended = waiters.register(id);
        let task = match cell.leading.epoch().ok_or(ProposeError::NotLeader(cell.shard)).and_then(|_| self.task(id)) {
            Ok(Some(task)) if !task.state.is_ended() => task,
            found => return found,
        };
        match ended.ended(limit).await {
            Waited::Ended(ended) => Ok(Some(ended)),
            Waited::Lost => Err(ProposeError::NotLeader(cell.shard)),
            Waited::Late => Ok(self.task(id)?.or(Some(task))),
        }
    }
}
