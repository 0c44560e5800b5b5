//! Pages of tasks and agents: what is in memory laid over what is stored.

use super::keys::{self, Slot};
use super::records;
use super::shard_cell::{ShardCell, ShardState};
use super::shared::Shared;
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::ports::{AgentQuery, Page, TaskFilter, TaskQuery};
use octopussy_core::task::{TaskRecord, TaskState};
use octopussy_ledger::{Cold, ColdError};
use octopussy_store::{Direction, KeyRange, Keyspace};
use std::collections::{BTreeMap, BTreeSet};
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

/// The states of ended tasks.
const ENDED: [TaskState; 4] = [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled, TaskState::DeadLettered];

/// The newest tasks found so far.
struct Newest {
    tasks: BTreeMap<TaskId, Arc<TaskRecord>>,
    limit: usize,
    /// How many rows were looked at for them.
    looked_at: usize,
}

impl Newest {
    /// Whether a task with this id would have a place among them.
    fn wants(&self, id: TaskId) -> bool {
        self.tasks.len() < self.limit || self.tasks.first_key_value().is_some_and(|(oldest, _)| id > *oldest)
    }

    fn add(&mut self, task: &Arc<TaskRecord>) {
        if self.wants(task.id) {
            self.tasks.insert(task.id, Arc::clone(task));
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
    tasks_counted(shared, cells, query).map(|(page, _)| page)
}

/// The same, and how many rows were looked at for it.
pub(super) fn tasks_counted(
    shared: &Shared,
    cells: &[Arc<ShardCell>],
    query: &TaskQuery,
) -> Result<(Page<Arc<TaskRecord>>, usize), ColdError> {
    let limit = bounded(query.limit);
    // One more than a page has tells whether there are more.
    let mut newest = Newest { tasks: BTreeMap::new(), limit: limit + 1, looked_at: 0 };
    for cell in cells {
        let slot = {
            let state = cell.state.read();
            in_memory(shared, &state, query, &mut newest)?;
            state.slot
        };
        for (keyspace, prefix) in indexes(slot, query) {
            stored(shared, cell, (slot, keyspace, prefix.as_slice()), query, &mut newest)?;
        }
    }
    let more = newest.tasks.len() > limit;
    let page = Page { items: newest.tasks.into_values().rev().take(limit).collect(), more };
    Ok((page, newest.looked_at))
}

/// Adds the tasks of a shard that are in memory: those that have not ended, and those whose end is not stored yet.
fn in_memory(shared: &Shared, state: &ShardState, query: &TaskQuery, newest: &mut Newest) -> Result<(), ColdError> {
    let wanted = match query.filter {
        TaskFilter::All => None,
        TaskFilter::State(state) => Some(state),
    };
    if wanted.is_none_or(|state| !state.is_ended()) {
        let view = state.view(&shared.store, &shared.agents);
        for id in state.machine.unended_newest(query.agent, wanted, query.after) {
            newest.looked_at += 1;
            if !newest.wants(id) {
                break;
            }
            if let Some(task) = state.machine.task(id, &view)? {
                newest.add(&task);
            }
        }
    }
    let layers: Vec<_> = state.layers().collect();
    for (number, dirty) in layers.iter().enumerate() {
        for (id, latest) in dirty.tasks_before(query.after) {
            newest.looked_at += 1;
            if !newest.wants(id) {
                break;
            }
            let newer = layers.iter().take(number).any(|newer| newer.find_task(id).is_some());
            let hot = state.machine.is_unended(id);
            if let Some(task) = latest.record().filter(|task| !newer && !hot && matches(query, task)) {
                newest.add(task);
            }
        }
    }
    Ok(())
}

/// Whether memory says everything about the task, so that the store need not be asked.
fn is_in_memory(state: &ShardState, id: TaskId) -> bool {
    state.machine.is_unended(id) || state.layers().any(|dirty| dirty.find_task(id).is_some())
}

/// Where the stored tasks that match are listed, by id: keyspaces, and what their keys begin with.
fn indexes(slot: Slot, query: &TaskQuery) -> Vec<(Keyspace, Vec<u8>)> {
    match (query.agent, query.filter) {
        (_, TaskFilter::State(state)) if !state.is_ended() => Vec::new(),
        (Some(agent), TaskFilter::State(state)) => {
            vec![(Keyspace::TasksByAgent, keys::of_agent(slot, agent, state))]
        }
        (Some(agent), TaskFilter::All) => {
            ENDED.iter().map(|state| (Keyspace::TasksByAgent, keys::of_agent(slot, agent, *state))).collect()
        }
        (None, TaskFilter::State(state)) => vec![(Keyspace::TasksByState, keys::of_state(slot, state))],
        (None, TaskFilter::All) => vec![(Keyspace::Tasks, slot.key(&[]))],
    }
}

/// Adds the stored tasks that an index lists and that are not in memory, until no older one has a place.
fn stored(
    shared: &Shared,
    cell: &ShardCell,
    (slot, keyspace, prefix): (Slot, Keyspace, &[u8]),
    query: &TaskQuery,
    newest: &mut Newest,
) -> Result<(), ColdError> {
    let mut after = query.after;
    loop {
        let mut range = KeyRange::prefix(prefix);
        if let Some(after) = after {
            range.to = Bound::Excluded([prefix, after.as_bytes()].concat());
        }
        let mut ids = Vec::new();
        // The state is looked at between two scans and not within one: it is locked before the store.
        shared.store.with(|store| {
            store.snapshot()?.scan(keyspace, &range, Direction::Reverse, &mut |key, _| {
                ids.extend(keys::task_at_end(key));
                if ids.len() >= newest.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        })?;
        newest.looked_at += ids.len();
        let last = ids.len() < newest.limit;
        after = ids.last().copied();
        let found = ids.len();
        ids.retain(|id| newest.wants(*id));
        let done = last || ids.len() < found;
        {
            let state = cell.state.read();
            ids.retain(|id| !is_in_memory(&state, *id));
        }
        shared.store.read(|snapshot| {
            for id in ids {
                let task = if newest.wants(id) { records::read_task(snapshot, slot, id)? } else { None };
                if let Some(task) = task.filter(|task| matches(query, &task.record)) {
                    newest.add(&task.record);
                }
            }
            Ok(())
        })?;
        if done {
            return Ok(());
        }
    }
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
    let (slot, mut ids, gone) = {
        let state = cell.state.read();
        let ids = state.layers().flat_map(|dirty| dirty.agents_after(after).take(limit));
        let gone = state.layers().flat_map(|dirty| dirty.agents_gone(after)).collect::<BTreeSet<_>>();
        (state.slot, ids.collect::<Vec<_>>(), gone)
    };
    let mut range = KeyRange::prefix(&slot.prefix());
    if let Some(after) = after {
        range.from = Bound::Excluded(keys::agent(slot, after));
    }
    let mut stored = 0;
    shared.store.with(|store| {
        store.snapshot()?.scan(Keyspace::Agents, &range, Direction::Forward, &mut |key, _| {
            let id = keys::agent_of(key).filter(|id| !gone.contains(id));
            stored += usize::from(id.is_some());
            ids.extend(id);
            if stored >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    })?;
    Ok(ids)
}
