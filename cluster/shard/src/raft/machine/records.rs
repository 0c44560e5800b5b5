//! Records as they lie in the state store: what never changes apart from what does, so that a change is a small write.

use super::keys::{self, Slot};
use crate::error::cold_error;
use octopussy_core::agent::{AgentRecord, AgentSpec, AgentVersion, Desired, Document, UsageWindow};
use octopussy_core::codec;
use octopussy_core::ids::{AgentId, Epoch, PartyId, TaskId};
use octopussy_core::message::{Message, Priority};
use octopussy_core::task::{DeadLetterReason, StepRecord, TaskRecord, TaskState};
use octopussy_core::time::Timestamp;
use octopussy_ledger::{ColdError, HotTask};
use octopussy_store::{Direction, KeyRange, Keyspace, Snapshot};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The part of a task that stays as it was accepted.
#[derive(Serialize, Deserialize)]
pub(super) struct TaskHead {
    agent: AgentId,
    sender: PartyId,
    message: Arc<Message>,
    priority: Priority,
    sequence: u64,
    accepted_at: Timestamp,
    expires_at: Timestamp,
    max_attempts: u32,
    idempotency_key: Option<Arc<str>>,
}

/// The part of a task that changes.
#[derive(Serialize, Deserialize)]
pub(super) struct TaskStatus {
    state: TaskState,
    updated_at: Timestamp,
    attempts: u32,
    epoch: Epoch,
    result: Option<Arc<Message>>,
    error: Option<Arc<str>>,
    dead_letter: Option<DeadLetterReason>,
    cancel: Option<Arc<str>>,
    begun: u32,
    crashes: u32,
    agent_version: u32,
}

/// The part of an agent that only another version of it changes.
#[derive(Serialize, Deserialize)]
pub(super) struct AgentHead {
    spec: Arc<AgentSpec>,
    documents: Arc<[Document]>,
    created_at: Timestamp,
    versions: Arc<[AgentVersion]>,
}

/// The part of an agent that changes.
#[derive(Serialize, Deserialize)]
pub(super) struct AgentStatus {
    desired: Desired,
    usage: UsageWindow,
    memory: Option<Arc<str>>,
    tasks_ended: u64,
}

/// Encodes a record that always encodes; the error names what could not be.
pub(super) fn encode<T: Serialize>(what: &str, value: &T) -> Result<Vec<u8>, ColdError> {
    codec::encode(value).map_err(|error| ColdError(format!("{what} does not encode: {error}").into()))
}

pub(super) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, ColdError> {
    codec::decode(bytes).map_err(|error| ColdError(format!("{what}: {error}").into()))
}

pub(super) fn task_head(task: &TaskRecord) -> Result<Vec<u8>, ColdError> {
    let head = TaskHead {
        agent: task.agent,
        sender: task.sender,
        message: Arc::clone(&task.message),
        priority: task.priority,
        sequence: task.sequence,
        accepted_at: task.accepted_at,
        expires_at: task.expires_at,
        max_attempts: task.max_attempts,
        idempotency_key: task.idempotency_key.clone(),
    };
    encode("a task", &head)
}

pub(super) fn task_status(task: &TaskRecord, cancel: Option<&Arc<str>>) -> Result<Vec<u8>, ColdError> {
    let status = TaskStatus {
        state: task.state,
        updated_at: task.updated_at,
        attempts: task.attempts,
        epoch: task.epoch,
        result: task.result.clone(),
        error: task.error.clone(),
        dead_letter: task.dead_letter,
        cancel: cancel.cloned(),
        begun: task.begun,
        crashes: task.crashes,
        agent_version: task.agent_version,
    };
    encode("a task's state", &status)
}

pub(super) fn agent_head(agent: &AgentRecord) -> Result<Vec<u8>, ColdError> {
    let head = AgentHead {
        spec: Arc::clone(&agent.spec),
        documents: Arc::clone(&agent.documents),
        created_at: agent.created_at,
        versions: Arc::clone(&agent.versions),
    };
    encode("an agent", &head)
}

pub(super) fn agent_status(agent: &AgentRecord) -> Result<Vec<u8>, ColdError> {
    let status = AgentStatus {
        desired: agent.desired,
        usage: agent.usage,
        memory: agent.memory.clone(),
        tasks_ended: agent.tasks_ended,
    };
    encode("an agent's state", &status)
}

fn read<T: DeserializeOwned>(
    from: &dyn Snapshot,
    keyspace: Keyspace,
    key: &[u8],
    what: &str,
) -> Result<Option<T>, ColdError> {
    match from.get(keyspace, key).map_err(|error| cold_error(&error))? {
        Some(bytes) => decode(what, &bytes).map(Some),
        None => Ok(None),
    }
}

/// A stored task with its steps.
pub(super) fn read_task(from: &dyn Snapshot, slot: Slot, id: TaskId) -> Result<Option<HotTask>, ColdError> {
    let what = "a task";
    let key = keys::task(slot, id);
    let Some(head) = read::<TaskHead>(from, Keyspace::Tasks, &key, what)? else { return Ok(None) };
    let Some(status) = read::<TaskStatus>(from, Keyspace::TaskStates, &key, what)? else {
        return Err(ColdError(format!("task {id} has no state").into()));
    };
    let record = TaskRecord {
        id,
        agent: head.agent,
        sender: head.sender,
        message: head.message,
        priority: head.priority,
        sequence: head.sequence,
        state: status.state,
        accepted_at: head.accepted_at,
        updated_at: status.updated_at,
        expires_at: head.expires_at,
        attempts: status.attempts,
        max_attempts: head.max_attempts,
        epoch: status.epoch,
        steps: read_steps(from, slot, id)?,
        result: status.result,
        error: status.error,
        dead_letter: status.dead_letter,
        idempotency_key: head.idempotency_key,
        begun: status.begun,
        crashes: status.crashes,
        agent_version: status.agent_version,
    };
    Ok(Some(HotTask { record: Arc::new(record), cancel: status.cancel }))
}

fn read_steps(from: &dyn Snapshot, slot: Slot, id: TaskId) -> Result<Vec<Arc<StepRecord>>, ColdError> {
    let mut steps = Vec::new();
    let mut failed = None;
    let range = KeyRange::prefix(&keys::task(slot, id));
    from.scan(Keyspace::Steps, &range, Direction::Forward, &mut |_, value| match decode("a step", value) {
        Ok(step) => {
            steps.push(Arc::new(step));
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })
    .map_err(|error| cold_error(&error))?;
    failed.map_or(Ok(steps), Err)
}

/// A stored agent.
pub(super) fn read_agent(from: &dyn Snapshot, slot: Slot, id: AgentId) -> Result<Option<AgentRecord>, ColdError> {
    let what = "an agent";
    let key = keys::agent(slot, id);
    let Some(head) = read::<AgentHead>(from, Keyspace::Agents, &key, what)? else { return Ok(None) };
    let Some(status) = read::<AgentStatus>(from, Keyspace::AgentStates, &key, what)? else {
        return Err(ColdError(format!("agent {id} has no state").into()));
    };
    Ok(Some(AgentRecord {
        id,
        spec: head.spec,
        documents: head.documents,
        created_at: head.created_at,
        desired: status.desired,
        usage: status.usage,
        memory: status.memory,
        tasks_ended: status.tasks_ended,
        versions: head.versions,
    }))
}
