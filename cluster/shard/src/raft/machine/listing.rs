//! Pages of tasks and agents: what is in memory laid over what is stored.

use super::keys::{self, Slot};
use super::records;
use super::shard_cell::{ShardCell, ShardState};
use super::shared::Shared;
use crate::error::cold_error;
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::ports::{AgentQuery, Page, TaskFilter, TaskQuery};
use octopussy_core::task::{TaskRecord, TaskState};
use octopussy_ledger::{Cold, ColdError};
use octopussy_store::{Direction, KeyRange, Keyspace, Snapshot};
use std::collections::{BTreeMap, HashMap};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

/// The longest page.
const MAX_PAGE: usize = 500;

/// A page's length within its bound; zero asks for the bound.
fn bounded(limit: usize) -> usize {
    if limit == 0 { MAX_PAGE } else { limit.min(MAX_PAGE) }
}

fn matches(query: &TaskQuery, task: &TaskRecord) -> bool {
    query.agent.is_none_or(|agent| agent == task.agent)
        && query.after.is_none_or(|after| task.id < after)
        && match query.filter {
            TaskFilter::All => true,
            TaskFilter::State(state) => task.state == state,
        }
}

/// Tasks of a shard in memory: all that have not ended, and those whose end is not stored yet. None stands for a task that
/// is to be removed from the store.
fn in_memory(state: &ShardState) -> HashMap<TaskId, Option<Arc<TaskRecord>>> {
    let mut known = HashMap::new();
    let layers: Vec<_> = state.layers().collect();
    for dirty in layers.into_iter().rev() {
        known.extend(dirty.tasks().map(|(id, latest)| (id, latest.record().cloned())));
    }
    known.extend(state.machine.hot_tasks().map(|task| (task.record.id, Some(Arc::clone(&task.record)))));
    known
}

/// The newest tasks found so far.
struct Newest {
    tasks: BTreeMap<TaskId, Arc<TaskRecord>>,
    limit: usize,
}

impl Newest {
    /// Whether a task with this id would have a place among them.
    fn wants(&self, id: TaskId) -> bool {
        self.tasks.len() < self.limit || self.tasks.first_key_value().is_some_and(|(oldest, _)| id > *oldest)
    }

    fn add(&mut self, task: Arc<TaskRecord>) {
        if self.wants(task.id) {
            self.tasks.insert(task.id, task);
            if self.tasks.len() > self.limit {
                self.tasks.pop_first();
            }
        }
    }
}

/// Tasks of shards, newest first.
pub(super) fn tasks(
    shared: &Shared,
    cells: &[Arc<ShardCell>],
    query: &TaskQuery,
) -> Result<Page<Arc<TaskRecord>>, ColdError> {
    let limit = bounded(query.limit);
    let in_memory_only = match query.filter {
        TaskFilter::All => false,
        TaskFilter::State(state) => !state.is_ended(),
    };
    // One more than a page has tells whether there are more.
    let mut newest = Newest { tasks: BTreeMap::new(), limit: limit + 1 };
    for cell in cells {
        let (slot, known) = {
            let state = cell.state.read();
            (state.slot, in_memory(&state))
        };
        for task in known.values().flatten().filter(|task| matches(query, task)) {
            newest.add(Arc::clone(task));
        }
        if !in_memory_only {
            shared.store.read(|snapshot| stored(snapshot, slot, query, &known, &mut newest))?;
        }
    }
    let more = newest.tasks.len() > limit;
    Ok(Page { items: newest.tasks.into_values().rev().take(limit).collect(), more })
}

/// Adds the stored tasks of a shard that match and are not in memory.
fn stored(
    snapshot: &dyn Snapshot,
    slot: Slot,
    query: &TaskQuery,
    known: &HashMap<TaskId, Option<Arc<TaskRecord>>>,
    newest: &mut Newest,
) -> Result<(), ColdError> {
    let (keyspace, prefix) = match (query.agent, query.filter) {
        (Some(agent), _) => (Keyspace::TasksByAgent, slot.key(&[agent.as_bytes()])),
        (None, TaskFilter::State(state)) => (Keyspace::TasksByState, slot.key(&[&[keys::state_number(state)]])),
        (None, TaskFilter::All) => (Keyspace::Tasks, slot.key(&[])),
    };
    let mut range = KeyRange::prefix(&prefix);
    if let Some(after) = query.after {
        range.to = Bound::Excluded([prefix.as_slice(), after.as_bytes()].concat());
    }
    // An index of an agent's tasks does not know their states.
    let wanted = match (query.agent, query.filter) {
        (Some(_), TaskFilter::State(state)) => Some(state),
        (Some(_), TaskFilter::All) | (None, _) => None,
    };
    let mut failed = None;
    snapshot
        .scan(keyspace, &range, Direction::Reverse, &mut |key, _| {
            let Some(id) = keys::task_at_end(key) else { return ControlFlow::Continue(()) };
            if !newest.wants(id) {
                return ControlFlow::Break(());
            }
            if known.contains_key(&id) {
                return ControlFlow::Continue(());
            }
            match read(snapshot, slot, id, wanted) {
                Ok(task) => task.into_iter().for_each(|task| newest.add(task)),
                Err(error) => failed = Some(error),
            }
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .map_err(|error| cold_error(&error))?;
    failed.map_or(Ok(()), Err)
}

/// A stored task, when it is in the wanted state.
fn read(
    snapshot: &dyn Snapshot,
    slot: Slot,
    id: TaskId,
    wanted: Option<TaskState>,
) -> Result<Option<Arc<TaskRecord>>, ColdError> {
    if let Some(wanted) = wanted
        && records::read_task_state(snapshot, slot, id)? != Some(wanted)
    {
        return Ok(None);
    }
    Ok(records::read_task(snapshot, slot, id)?.map(|task| task.record))
}

/// Agents of shards, by id.
pub(super) fn agents(
    shared: &Shared,
    cells: &[Arc<ShardCell>],
    query: &AgentQuery,
) -> Result<Page<Arc<AgentRecord>>, ColdError> {
    let limit = bounded(query.limit);
    let mut found: BTreeMap<AgentId, &Arc<ShardCell>> = BTreeMap::new();
    for cell in cells {
        for id in agent_ids(shared, cell, query.after, limit + 1)? {
            found.insert(id, cell);
        }
        while found.len() > limit + 1 {
            found.pop_last();
        }
    }
    let more = found.len() > limit;
    let mut items = Vec::with_capacity(found.len());
    for (id, cell) in found.into_iter().take(limit) {
        let state = cell.state.read();
        let agent = match state.machine.hot_agent(id) {
            Some(agent) => Some(Arc::clone(agent)),
            None => state.view(&shared.store, &shared.agents).agent(id)?,
        };
        items.extend(agent);
    }
    Ok(Page { items, more })
}

/// The first agents of a shard after one.
fn agent_ids(
    shared: &Shared,
    cell: &ShardCell,
    after: Option<AgentId>,
    limit: usize,
) -> Result<Vec<AgentId>, ColdError> {
    let (slot, mut ids) = {
        let state = cell.state.read();
        let ids = state.layers().flat_map(|dirty| dirty.agents_after(after).take(limit));
        (state.slot, ids.collect::<Vec<_>>())
    };
    let mut range = KeyRange::prefix(&slot.prefix());
    if let Some(after) = after {
        range.from = Bound::Excluded(keys::agent(slot, after));
    }
    let mut stored = 0;
    shared.store.with(|store| {
        store.snapshot()?.scan(Keyspace::Agents, &range, Direction::Forward, &mut |key, _| {
            ids.extend(keys::agent_of(key));
            stored += 1;
            if stored >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    })?;
    Ok(ids)
}
