//! Pages of tasks and agents: what is in memory laid over what is stored.

use crate::inner::Inner;
use crate::{keys, records};
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::ports::{AgentQuery, Page, TaskFilter, TaskQuery};
use octopussy_core::task::{TaskRecord, TaskState};
use octopussy_ledger::ColdError;
use octopussy_store::{Direction, KeyRange, Keyspace, Snapshot};
use std::collections::{BTreeSet, HashMap};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

/// The longest page.
const MAX_PAGE: usize = 500;

/// A page's length within its bound; zero asks for the bound.
pub(crate) fn bounded(limit: usize) -> usize {
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

/// Tasks in memory: all that have not ended, and those whose end is not stored yet. None stands for a task that is to be
/// removed from the store.
fn in_memory(inner: &Inner) -> HashMap<TaskId, Option<Arc<TaskRecord>>> {
    let state = inner.state.read();
    let mut known = HashMap::new();
    for dirty in state.flushing.as_deref().into_iter().chain([&state.active]) {
        known.extend(dirty.tasks().map(|(id, latest)| (id, latest.record().cloned())));
    }
    for machine in &state.machines {
        known.extend(machine.hot_tasks().map(|task| (task.record.id, Some(Arc::clone(&task.record)))));
    }
    known
}

/// Tasks, newest first.
pub(crate) fn tasks(inner: &Inner, query: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, ColdError> {
    let limit = bounded(query.limit);
    let known = in_memory(inner);
    let mut items: Vec<_> = known.values().flatten().filter(|task| matches(query, task)).cloned().collect();
    let in_memory_only = match query.filter {
        TaskFilter::All => false,
        TaskFilter::State(state) => !state.is_ended(),
    };
    if !in_memory_only {
        items.extend(inner.store.read(|snapshot| stored(snapshot, query, &known, limit + 1))?);
    }
    items.sort_unstable_by_key(|task| std::cmp::Reverse(task.id));
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(Page { items, more })
}

/// The newest stored tasks that match and are not in memory.
fn stored(
    snapshot: &dyn Snapshot,
    query: &TaskQuery,
    known: &HashMap<TaskId, Option<Arc<TaskRecord>>>,
    limit: usize,
) -> Result<Vec<Arc<TaskRecord>>, ColdError> {
    let (keyspace, prefix) = match (query.agent, query.filter) {
        (Some(agent), _) => (Keyspace::TasksByAgent, agent.as_bytes().to_vec()),
        (None, TaskFilter::State(state)) => (Keyspace::TasksByState, vec![keys::state_number(state)]),
        (None, TaskFilter::All) => (Keyspace::Tasks, Vec::new()),
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
    let mut found = Vec::new();
    let mut failed = None;
    snapshot
        .scan(keyspace, &range, Direction::Reverse, &mut |key, _| {
            let Some(id) = keys::task_at_end(key).filter(|id| !known.contains_key(id)) else {
                return ControlFlow::Continue(());
            };
            match read(snapshot, id, wanted) {
                Ok(task) => found.extend(task),
                Err(error) => failed = Some(error),
            }
            if found.len() >= limit || failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .map_err(|error| crate::error::cold_error(&error))?;
    failed.map_or(Ok(found), Err)
}

/// A stored task, when it is in the wanted state.
fn read(snapshot: &dyn Snapshot, id: TaskId, wanted: Option<TaskState>) -> Result<Option<Arc<TaskRecord>>, ColdError> {
    if let Some(wanted) = wanted
        && records::read_task_state(snapshot, id)? != Some(wanted)
    {
        return Ok(None);
    }
    Ok(records::read_task(snapshot, id)?.map(|task| task.record))
}

/// One more id than a page has, in order.
pub(crate) fn agent_ids(inner: &Inner, query: &AgentQuery) -> Result<Vec<AgentId>, ColdError> {
    let limit = bounded(query.limit) + 1;
    let mut ids = BTreeSet::new();
    {
        let state = inner.state.read();
        for dirty in state.flushing.as_deref().into_iter().chain([&state.active]) {
            ids.extend(dirty.agents_after(query.after).take(limit));
        }
    }
    let from = query.after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_bytes().to_vec()));
    let range = KeyRange { from, to: Bound::Unbounded };
    let mut stored = 0;
    inner.store.with(|store| {
        store.snapshot()?.scan(Keyspace::Agents, &range, Direction::Forward, &mut |key, _| {
            ids.extend(keys::agent(key));
            stored += 1;
            if stored >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    })?;
    Ok(ids.into_iter().take(limit).collect())
}
