//! Short ways to make commands.

use super::support::{START, count};
use octopussy_core::agent::{AgentRecord, AgentSpec, Desired, Usage, UsageWindow};
use octopussy_core::ids::{AgentId, Epoch, MessageId, NodeId, PartyId, ShardId, TaskId, TraceId};
use octopussy_core::message::{
    DEFAULT_TTL, KeyId, Keyring, Message, MessageDraft, MessageType, Payload, Priority, SigningKey,
};
use octopussy_core::task::{Command, NewTask, StepKind, StepOutcome, StepRecord};
use octopussy_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(START)
}

pub(super) fn activate(shard: ShardId, node: NodeId) -> Command {
    Command::Activate { shard, node, now: now(), max_age: Duration::from_secs(86_400), boot: 1, gone: false }
}

pub(super) fn create(name: &str) -> Command {
    Command::CreateAgent { agent: Box::new(agent(name)) }
}

pub(super) fn agent(name: &str) -> AgentRecord {
    let spec = AgentSpec { name: name.to_owned(), persona: "You help.".to_owned(), ..AgentSpec::default() };
    AgentRecord {
        id: AgentId::from_name(name),
        spec: Arc::new(spec),
        documents: Arc::new([]),
        created_at: now(),
        desired: Desired::Active,
        usage: UsageWindow::default(),
        memory: None,
        tasks_ended: 0,
        versions: Arc::new([]),
    }
}

/// Names of agents of one shard.
pub(super) fn names_of(shard: ShardId) -> impl Iterator<Item = String> {
    let names = (0..).map(|number| format!("agent-{number}"));
    names.filter(move |name| count().shard_of(AgentId::from_name(name)) == shard)
}

pub(super) fn message(at: u64) -> Arc<Message> {
    let keyring = Keyring::new(SigningKey::new(KeyId(1), [3; 32]));
    Arc::new(keyring.sign(MessageDraft {
        message_id: MessageId::from_uuid(Uuid::now_v7()),
        sender_id: PartyId::from_uuid(Uuid::nil()),
        recipient_id: PartyId::from_uuid(Uuid::nil()),
        message_type: MessageType::Task,
        payload: Payload::from_value(&serde_json::json!({ "input": "What is the answer?" })).unwrap(),
        priority: Priority::Normal,
        trace_id: TraceId::from_uuid(Uuid::nil()),
        created_at: Timestamp::from_millis(at),
        ttl: DEFAULT_TTL,
    }))
}

pub(super) fn new_task(agent: AgentId) -> NewTask {
    NewTask {
        id: TaskId::for_agent(agent, Uuid::now_v7()),
        agent,
        sender: PartyId::from_uuid(Uuid::nil()),
        message: message(START),
        idempotency: None,
        max_attempts: 3,
    }
}

pub(super) fn step(index: u32, epoch: Epoch) -> StepRecord {
    StepRecord {
        index,
        kind: StepKind::Model,
        name: "answer".into(),
        by: "test/model".into(),
        attempt: 1,
        epoch,
        started_at: now(),
        ended_at: now(),
        outcome: StepOutcome::Done("42".into()),
        usage: Usage { prompt_tokens: 10, completion_tokens: 5, cost_micros: 7 },
    }
}
