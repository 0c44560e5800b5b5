//! Doors for the fuzz targets: messages, and the records that travel between nodes and lie in logs and stores.

use crate::agent::AgentRecord;
use crate::codec;
use crate::message::{KeyId, Keyring, Message, ReplayWindow, SigningKey};
use crate::ports::{ChatRequest, Completion, Event, NodeFactsView, TaskQuery};
use crate::problem::Problem;
use crate::task::{Applied, Command, Refusal, StepRecord, TaskRecord};
use crate::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

/// A record; the first byte says of which type.
///
/// # Panics
/// When one that was read cannot be written, or what was written is read as another.
pub fn records(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    match kind {
        0 => round_trip::<Command>(bytes),
        1 => round_trip::<TaskRecord>(bytes),
        2 => round_trip::<AgentRecord>(bytes),
        3 => round_trip::<StepRecord>(bytes),
        4 => round_trip::<Result<Applied, Refusal>>(bytes),
        5 => round_trip::<Event>(bytes),
        6 => round_trip::<NodeFactsView>(bytes),
        7 => round_trip::<TaskQuery>(bytes),
        8 => round_trip::<ChatRequest>(bytes),
        9 => round_trip::<Completion>(bytes),
        10 => round_trip::<Problem>(bytes),
        11..=u8::MAX => {}
    }
}

fn round_trip<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(value) = codec::decode::<T>(bytes) else { return };
    let written = codec::encode(&value).expect("what was read can be written");
    let again: T = codec::decode(&written).expect("what was written can be read");
    assert!(codec::encode(&again).is_ok_and(|rewritten| rewritten == written), "it is read as something else");
}

/// A signed message from elsewhere: read, verified, and shown to the replay window.
///
/// # Panics
/// When a message with a good signature is taken twice, or its signature is good for another message too.
pub fn message(bytes: &[u8]) {
    round_trip::<Message>(bytes);
    let Ok(message) = codec::decode::<Message>(bytes) else { return };
    let keyring = keyring();
    let good = keyring.verify(&message).is_ok();
    let (mut window, now) = (ReplayWindow::new(4), Timestamp::from_millis(1));
    if !message.is_expired(now) && window.admit(&message, now).is_ok() {
        assert!(window.admit(&message, now).is_err(), "it is taken twice");
    }
    let _parsed = message.payload().parse::<serde_json::Value>();
    if good {
        assert_eq!(
            keyring.sign(message.draft()),
            message,
            "a signature is good for a message that it was not made for"
        );
    }
}

/// The key is the same everywhere, so that mutations of the seeds have good signatures now and then.
fn keyring() -> Keyring {
    Keyring::new(SigningKey::new(KeyId(7), [0x5a; 32]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{AgentSpec, AgentVersion, Desired, UsageWindow};
    use crate::ids::{AgentId, BlobId, Epoch, MessageId, NodeId, PartyId, ShardId, TaskId, TraceId};
    use crate::message::{MessageDraft, MessageType, Payload, Priority};
    use crate::problem::Code;
    use crate::task::{NewTask, Outcome, StepKind, StepOutcome, TaskState};
    use octopussy_corpus::replay;
    use std::sync::Arc;
    use std::time::Duration;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn signed(message_type: MessageType) -> Message {
        keyring().sign(MessageDraft {
            message_id: MessageId::from_uuid(Uuid::from_u128(1)),
            sender_id: PartyId::from_uuid(Uuid::from_u128(2)),
            recipient_id: PartyId::from_uuid(Uuid::from_u128(3)),
            message_type,
            payload: Payload::from_value(&serde_json::json!({ "input": "What is the answer?" })).unwrap(),
            priority: Priority::High,
            trace_id: TraceId::from_uuid(Uuid::from_u128(4)),
            created_at: NOW,
            ttl: Duration::from_secs(300),
        })
    }

    fn agent() -> AgentRecord {
        let spec = AgentSpec { name: "clerk".to_owned(), persona: "You help.".to_owned(), ..AgentSpec::default() };
        AgentRecord {
            id: AgentId::from_name("clerk"),
            spec: Arc::new(spec),
            documents: Arc::new([]),
            created_at: NOW,
            desired: Desired::Active,
            usage: UsageWindow::default(),
            memory: Some("[]".into()),
            tasks_ended: 3,
            versions: Arc::new([AgentVersion {
                number: 1,
                at: NOW,
                by: "owner".into(),
                content: BlobId([9; 32]),
                documents: Arc::new([]),
            }]),
        }
    }

    fn task_id() -> TaskId {
        TaskId::for_agent(AgentId::from_name("clerk"), Uuid::from_u128(5))
    }

    fn task() -> TaskRecord {
        TaskRecord {
            id: task_id(),
            agent: AgentId::from_name("clerk"),
            sender: PartyId::from_uuid(Uuid::from_u128(2)),
            message: Arc::new(signed(MessageType::Task)),
            priority: Priority::High,
            sequence: 9,
            state: TaskState::Succeeded,
            accepted_at: NOW,
            updated_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(300)),
            attempts: 1,
            max_attempts: 3,
            epoch: Epoch(17),
            steps: vec![Arc::new(step())],
            result: Some(Arc::new(signed(MessageType::Result))),
            error: None,
            dead_letter: None,
            idempotency_key: Some("key".into()),
            begun: 2,
            crashes: 1,
            agent_version: 0,
        }
    }

    fn step() -> StepRecord {
        StepRecord {
            index: 0,
            kind: StepKind::Model,
            name: "answer".into(),
            by: "test/model".into(),
            attempt: 1,
            epoch: Epoch(17),
            started_at: NOW,
            ended_at: NOW,
            outcome: StepOutcome::Done("42".into()),
            usage: crate::agent::Usage { prompt_tokens: 10, completion_tokens: 5, cost_micros: 7 },
        }
    }

    fn commands() -> Vec<(&'static str, Command)> {
        let (task, shard, epoch) = (task_id(), ShardId(3), Epoch(17));
        let new = NewTask {
            id: task,
            agent: AgentId::from_name("clerk"),
            sender: PartyId::from_uuid(Uuid::from_u128(2)),
            message: Arc::new(signed(MessageType::Task)),
            idempotency: Some(("key".into(), 99)),
            max_attempts: 3,
        };
        let outcome = Outcome::Succeeded(Arc::new(signed(MessageType::Result)));
        let day = Duration::from_secs(86_400);
        let version = agent().versions[0].clone();
        let update = Command::UpdateAgent {
            agent: agent().id,
            from: 1,
            spec: agent().spec,
            version: Box::new(AgentVersion { number: 2, ..version }),
        };
        vec![
            (
                "activate",
                Command::Activate { shard, node: NodeId([7; 16]), now: NOW, max_age: day, boot: 3, gone: true },
            ),
            ("create", Command::CreateAgent { agent: Box::new(agent()) }),
            ("accept", Command::Accept { task: Box::new(new), now: NOW }),
            ("begin", Command::Begin { task, epoch, version: 1, now: NOW }),
            ("step", Command::Step { task, step: Arc::new(step()), now: NOW }),
            ("end", Command::End { task, epoch, outcome, memory: Some("[]".into()), now: NOW }),
            ("cancel", Command::Cancel { task, reason: "no longer wanted".into(), now: NOW }),
            ("tick", Command::Tick { shard, now: NOW }),
            ("update", update),
            ("delete", Command::DeleteAgent { agent: agent().id, force: true, reason: "deleted".into(), now: NOW }),
        ]
    }

    fn of_kind<T: Serialize>(kind: u8, value: &T) -> Vec<u8> {
        [vec![kind], codec::encode(value).unwrap()].concat()
    }

    #[test]
    fn the_corpus_of_records_passes() {
        let applied: Result<Applied, Refusal> = Ok(Applied::Task(Arc::new(task())));
        let refused: Result<Applied, Refusal> = Err(Refusal::StaleEpoch { given: Epoch(1), current: Epoch(2) });
        let problem = Problem::new(Code::BadRequest, "it is wrong").hint("make it right");
        let commands = commands();
        let mut seeds: Vec<_> = commands.iter().map(|(name, command)| (*name, of_kind(0, command))).collect();
        seeds.extend([
            ("task", of_kind(1, &task())),
            ("agent", of_kind(2, &agent())),
            ("step-record", of_kind(3, &step())),
            ("applied", of_kind(4, &applied)),
            ("refused", of_kind(4, &refused)),
            ("problem", of_kind(10, &problem)),
        ]);
        replay("records", records, &seeds);
    }

    #[test]
    fn the_corpus_of_messages_passes() {
        let encoded = |message_type| codec::encode(&signed(message_type)).unwrap();
        let seeds = [("task", encoded(MessageType::Task)), ("control", encoded(MessageType::Control))];
        replay("message", message, &seeds);
    }
}
