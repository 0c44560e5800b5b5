//! The keys of the keyspaces. Numbers are big-endian, so that keys sort as their parts do.

use crate::raft::GroupId;
use octopussy_core::ids::{AgentId, PartyId, ShardId, TaskId};
use octopussy_core::task::TaskState;
use octopussy_core::time::Timestamp;
use octopussy_ledger::IdempotencyKey;
use uuid::Uuid;

/// Names the layout of the state store; part of the format.
pub(super) const LAYOUT: &[u8] = b"layout";
/// A row that stores of the first layout have and no later one.
pub(super) const OLD_SHARDS: &[u8] = b"shards";
/// The control group's state.
pub(super) const CONTROL: &[u8] = b"control";
/// What an earlier replica of the control group had, until the present one has as much.
pub(super) const CONTROL_KNOWN: &[u8] = b"control-known";
/// What each group keeps of itself, by its number.
pub(super) const GROUPS: &[u8] = b"group/";
/// Slots whose rows are to be deleted.
pub(super) const GARBAGE: &[u8] = b"garbage/";

/// Where the rows of a shard lie: every key begins with it. A snapshot is installed beside the rows that it replaces, in a slot
/// of another generation, so that a crash in the middle leaves the old rows whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot {
    pub(super) shard: ShardId,
    pub(super) generation: u8,
}

impl Slot {
    /// The length of its prefix.
    pub(super) const BYTES: usize = 3;

    pub(super) const fn prefix(self) -> [u8; Self::BYTES] {
        let [high, low] = self.shard.0.to_be_bytes();
        [high, low, self.generation]
    }

    /// The slot that takes this one's place.
    pub(super) const fn next(self) -> Self {
        Self { shard: self.shard, generation: self.generation.wrapping_add(1) }
    }

    /// A key in it.
    pub(super) fn key(self, rest: &[&[u8]]) -> Vec<u8> {
        let mut key = Vec::with_capacity(Self::BYTES + rest.iter().map(|part| part.len()).sum::<usize>());
        key.extend_from_slice(&self.prefix());
        for part in rest {
            key.extend_from_slice(part);
        }
        key
    }
}

pub(super) fn group(id: GroupId) -> Vec<u8> {
    [GROUPS, &id.0.to_be_bytes()].concat()
}

/// The group in a key of [`group`].
pub(super) fn group_of(key: &[u8]) -> Option<GroupId> {
    let number = <[u8; 2]>::try_from(key.strip_prefix(GROUPS)?).ok()?;
    Some(GroupId(u16::from_be_bytes(number)))
}

pub(super) fn garbage(slot: Slot) -> Vec<u8> {
    [GARBAGE, &slot.prefix()].concat()
}

/// The slot in a key of [`garbage`].
pub(super) fn garbage_of(key: &[u8]) -> Option<Slot> {
    let [high, low, generation] = <[u8; Slot::BYTES]>::try_from(key.strip_prefix(GARBAGE)?).ok()?;
    Some(Slot { shard: ShardId(u16::from_be_bytes([high, low])), generation })
}

pub(super) fn agent(slot: Slot, id: AgentId) -> Vec<u8> {
    slot.key(&[id.as_bytes()])
}

pub(super) fn task(slot: Slot, id: TaskId) -> Vec<u8> {
    slot.key(&[id.as_bytes()])
}

pub(super) fn step(slot: Slot, task: TaskId, index: u32) -> Vec<u8> {
    slot.key(&[task.as_bytes(), &index.to_be_bytes()])
}

/// An ended task of an agent.
pub(super) fn by_agent(slot: Slot, agent: AgentId, state: TaskState, task: TaskId) -> Vec<u8> {
    slot.key(&[agent.as_bytes(), &[state_number(state)], task.as_bytes()])
}

/// Where the keys of [`by_agent`] for this agent and state begin.
pub(super) fn of_agent(slot: Slot, agent: AgentId, state: TaskState) -> Vec<u8> {
    slot.key(&[agent.as_bytes(), &[state_number(state)]])
}

/// The number of a state in keys; part of the format.
pub(super) const fn state_number(state: TaskState) -> u8 {
    match state {
        TaskState::Accepted => 0,
        TaskState::Running => 1,
        TaskState::Succeeded => 2,
        TaskState::Failed => 3,
        TaskState::Cancelled => 4,
        TaskState::DeadLettered => 5,
    }
}

pub(super) fn by_state(slot: Slot, state: TaskState, task: TaskId) -> Vec<u8> {
    slot.key(&[&[state_number(state)], task.as_bytes()])
}

/// Where the keys of [`by_state`] for this state begin.
pub(super) fn of_state(slot: Slot, state: TaskState) -> Vec<u8> {
    slot.key(&[&[state_number(state)]])
}

pub(super) fn by_end(slot: Slot, at: Timestamp, task: TaskId) -> Vec<u8> {
    slot.key(&[&at.as_millis().to_be_bytes(), task.as_bytes()])
}

/// Where the keys of [`by_end`] and [`idempotency_by_time`] for this moment begin.
pub(super) fn from_moment(slot: Slot, at: Timestamp) -> Vec<u8> {
    slot.key(&[&at.as_millis().to_be_bytes()])
}

pub(super) fn idempotency(slot: Slot, key: &IdempotencyKey) -> Vec<u8> {
    slot.key(&[key.agent.as_bytes(), key.sender.as_bytes(), key.key.as_bytes()])
}

pub(super) fn idempotency_by_time(slot: Slot, at: Timestamp, key: &IdempotencyKey) -> Vec<u8> {
    slot.key(&[&at.as_millis().to_be_bytes(), key.agent.as_bytes(), key.sender.as_bytes(), key.key.as_bytes()])
}

/// The last sixteen bytes of an index key, read as a task.
pub(super) fn task_at_end(key: &[u8]) -> Option<TaskId> {
    key.last_chunk::<16>().map(|bytes| TaskId::from_uuid(Uuid::from_bytes(*bytes)))
}

/// The agent in a key of [`agent`].
pub(super) fn agent_of(key: &[u8]) -> Option<AgentId> {
    let bytes = <[u8; 16]>::try_from(key.get(Slot::BYTES..)?).ok()?;
    Some(AgentId::from_uuid(Uuid::from_bytes(bytes)))
}

/// The moment in a key of [`by_end`] or [`idempotency_by_time`].
pub(super) fn moment(key: &[u8]) -> Option<Timestamp> {
    let millis = key.get(Slot::BYTES..)?.first_chunk::<8>()?;
    Some(Timestamp::from_millis(u64::from_be_bytes(*millis)))
}

/// The idempotency key in a key of [`idempotency_by_time`].
pub(super) fn idempotency_key(key: &[u8]) -> Option<IdempotencyKey> {
    let (agent, rest) = key.get(Slot::BYTES + 8..)?.split_first_chunk::<16>()?;
    let (sender, text) = rest.split_first_chunk::<16>()?;
    Some(IdempotencyKey {
        agent: AgentId::from_uuid(Uuid::from_bytes(*agent)),
        sender: PartyId::from_uuid(Uuid::from_bytes(*sender)),
        key: std::str::from_utf8(text).ok()?.into(),
    })
}
