//! The keys of the keyspaces. Numbers are big-endian, so that keys sort as their parts do.

use octopussy_core::ids::{AgentId, PartyId, ShardId, TaskId};
use octopussy_core::task::TaskState;
use octopussy_core::time::Timestamp;
use octopussy_ledger::IdempotencyKey;
use uuid::Uuid;

/// How far the state has come: the index of the last command it holds.
pub(crate) const APPLIED: &[u8] = b"applied";
/// How many shards the directory was made for.
pub(crate) const SHARDS: &[u8] = b"shards";

pub(crate) fn shard(id: ShardId) -> Vec<u8> {
    [b"shard/".as_slice(), &id.0.to_be_bytes()].concat()
}

pub(crate) fn step(task: TaskId, index: u32) -> Vec<u8> {
    [task.as_bytes().as_slice(), &index.to_be_bytes()].concat()
}

pub(crate) fn by_agent(agent: AgentId, task: TaskId) -> Vec<u8> {
    [agent.as_bytes().as_slice(), task.as_bytes()].concat()
}

/// The number of a state in keys; part of the format.
pub(crate) const fn state_number(state: TaskState) -> u8 {
    match state {
        TaskState::Accepted => 0,
        TaskState::Running => 1,
        TaskState::Succeeded => 2,
        TaskState::Failed => 3,
        TaskState::Cancelled => 4,
        TaskState::DeadLettered => 5,
    }
}

pub(crate) fn by_state(state: TaskState, task: TaskId) -> Vec<u8> {
    [[state_number(state)].as_slice(), task.as_bytes()].concat()
}

pub(crate) fn by_end(shard: ShardId, at: Timestamp, task: TaskId) -> Vec<u8> {
    [shard.0.to_be_bytes().as_slice(), &at.as_millis().to_be_bytes(), task.as_bytes()].concat()
}

pub(crate) fn by_end_from(shard: ShardId, at: Timestamp) -> Vec<u8> {
    [shard.0.to_be_bytes().as_slice(), &at.as_millis().to_be_bytes()].concat()
}

pub(crate) fn idempotency(key: &IdempotencyKey) -> Vec<u8> {
    [key.agent.as_bytes().as_slice(), key.sender.as_bytes(), key.key.as_bytes()].concat()
}

pub(crate) fn idempotency_by_time(shard: ShardId, at: Timestamp, key: &IdempotencyKey) -> Vec<u8> {
    [by_end_from(shard, at).as_slice(), &idempotency(key)].concat()
}

/// The last sixteen bytes of an index key, read as a task.
pub(crate) fn task_at_end(key: &[u8]) -> Option<TaskId> {
    key.last_chunk::<16>().map(|bytes| TaskId::from_uuid(Uuid::from_bytes(*bytes)))
}

/// A whole key, read as an agent.
pub(crate) fn agent(key: &[u8]) -> Option<AgentId> {
    <[u8; 16]>::try_from(key).ok().map(|bytes| AgentId::from_uuid(Uuid::from_bytes(bytes)))
}

/// The moment in a key of [`by_end`] or [`idempotency_by_time`].
pub(crate) fn moment(key: &[u8]) -> Option<Timestamp> {
    let millis = key.get(2..)?.first_chunk::<8>()?;
    Some(Timestamp::from_millis(u64::from_be_bytes(*millis)))
}

/// The idempotency key in a key of [`idempotency_by_time`].
pub(crate) fn idempotency_key(key: &[u8]) -> Option<IdempotencyKey> {
    let (agent, rest) = key.get(10..)?.split_first_chunk::<16>()?;
    let (sender, text) = rest.split_first_chunk::<16>()?;
    Some(IdempotencyKey {
        agent: AgentId::from_uuid(Uuid::from_bytes(*agent)),
        sender: PartyId::from_uuid(Uuid::from_bytes(*sender)),
        key: std::str::from_utf8(text).ok()?.into(),
    })
}
