//! Doors for the fuzz targets: a snapshot as another node sends it, and records of the state.

use super::group_record::GroupRecord;
use super::records::{AgentHead, AgentStatus, TaskHead, TaskStatus};
use super::snapshot::{Head, ImageReader};
use crate::fuzz::round_trip;
use octopussy_control::ControlState;

/// A snapshot's file, read to its end or to what is wrong with it.
pub fn snapshot(bytes: &[u8]) {
    let Ok(mut image) = ImageReader::new(bytes) else { return };
    let _group = image.head().group;
    while let Ok(Some(_row)) = image.next() {}
}

/// A record; the first byte says of which kind.
///
/// # Panics
/// When one that was read cannot be written, or what was written is read as another.
pub fn state(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    match kind {
        0 => round_trip::<TaskHead>(bytes),
        1 => round_trip::<TaskStatus>(bytes),
        2 => round_trip::<AgentHead>(bytes),
        3 => round_trip::<AgentStatus>(bytes),
        4 => round_trip::<GroupRecord>(bytes),
        5 => round_trip::<Head>(bytes),
        6 => round_trip::<ControlState>(bytes),
        7..=u8::MAX => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::{agent_head, agent_status, task_head, task_status};
    use super::super::snapshot::write_image;
    use super::*;
    use crate::fuzz::seeds::{NOW, agent_id, control_command, log_id, task_id};
    use crate::raft::GroupId;
    use octopussy_core::agent::{AgentRecord, AgentSpec, Desired, UsageWindow};
    use octopussy_core::codec;
    use octopussy_core::ids::{Epoch, MessageId, PartyId, TraceId};
    use octopussy_core::message::{
        DEFAULT_TTL, KeyId, Keyring, Message, MessageDraft, MessageType, Payload, Priority, SigningKey,
    };
    use octopussy_core::task::{TaskRecord, TaskState};
    use octopussy_corpus::replay;
    use octopussy_store::Keyspace;
    use std::sync::Arc;
    use uuid::Uuid;

    fn message() -> Arc<Message> {
        Arc::new(Keyring::new(SigningKey::new(KeyId(1), [3; 32])).sign(MessageDraft {
            message_id: MessageId::from_uuid(Uuid::from_u128(1)),
            sender_id: PartyId::from_uuid(Uuid::nil()),
            recipient_id: PartyId::from_uuid(Uuid::nil()),
            message_type: MessageType::Task,
            payload: Payload::from_value(&serde_json::json!({ "input": "What is the answer?" })).unwrap(),
            priority: Priority::Normal,
            trace_id: TraceId::from_uuid(Uuid::nil()),
            created_at: NOW,
            ttl: DEFAULT_TTL,
        }))
    }

    fn task() -> TaskRecord {
        TaskRecord {
            id: task_id(),
            agent: agent_id(),
            sender: PartyId::from_uuid(Uuid::nil()),
            message: message(),
            priority: Priority::Normal,
            sequence: 4,
            state: TaskState::Running,
            accepted_at: NOW,
            updated_at: NOW,
            expires_at: NOW.plus(DEFAULT_TTL),
            attempts: 1,
            max_attempts: 3,
            epoch: Epoch(17),
            steps: Vec::new(),
            result: None,
            error: Some("the model did not answer".into()),
            dead_letter: None,
            idempotency_key: Some("key".into()),
            begun: 2,
            crashes: 1,
            agent_version: 0,
        }
    }

    fn agent() -> AgentRecord {
        AgentRecord {
            id: agent_id(),
            spec: Arc::new(AgentSpec { name: "clerk".to_owned(), ..AgentSpec::default() }),
            documents: Arc::new([]),
            created_at: NOW,
            desired: Desired::Active,
            usage: UsageWindow::default(),
            memory: None,
            tasks_ended: 2,
            versions: Arc::new([]),
        }
    }

    fn record() -> GroupRecord {
        GroupRecord { generation: 1, applied: Some(log_id(4, 16)), ..GroupRecord::default() }
    }

    fn head() -> Head {
        Head { group: GroupId(3), meta: record().meta(), shard: record().shard }
    }

    #[test]
    fn the_corpus_of_snapshots_passes() {
        let rows = [
            (Keyspace::Tasks, task_id().as_bytes().to_vec(), task_head(&task()).unwrap()),
            (Keyspace::TaskStates, task_id().as_bytes().to_vec(), task_status(&task(), None).unwrap()),
        ];
        let dir = tempfile::tempdir().unwrap();
        let image = |name: &str, rows: &[(Keyspace, Vec<u8>, Vec<u8>)]| {
            let path = dir.path().join(name);
            write_image(&path, &head(), rows).unwrap();
            std::fs::read(&path).unwrap()
        };
        replay("snapshot", snapshot, &[("empty", image("empty", &[])), ("two-rows", image("two-rows", &rows))]);
    }

    #[test]
    fn the_corpus_of_records_passes() {
        let mut control = ControlState::default();
        control.apply(control_command()).unwrap();
        let of_kind = |kind: u8, record: Vec<u8>| [vec![kind], record].concat();
        let seeds = [
            ("task", of_kind(0, task_head(&task()).unwrap())),
            ("task-state", of_kind(1, task_status(&task(), Some(&"enough".into())).unwrap())),
            ("agent", of_kind(2, agent_head(&agent()).unwrap())),
            ("agent-state", of_kind(3, agent_status(&agent()).unwrap())),
            ("group", of_kind(4, codec::encode(&record()).unwrap())),
            ("snapshot-head", of_kind(5, codec::encode(&head()).unwrap())),
            ("control", of_kind(6, codec::encode(&control).unwrap())),
        ];
        replay("state", state, &seeds);
    }
}
