//! Commands, entries and answers of every size.

use super::clusters::{MOVE, TestCluster};
use super::support::*;
use crate::raft::{Entries, GroupId};
use octopussy_control::{ControlCommand, SealedSecret};
use octopussy_core::agent::{AgentRecord, AgentSpec, Usage};
use octopussy_core::ids::{AgentId, ShardId, TaskId};
use octopussy_core::ports::{MAX_COMMAND_BYTES, MAX_FRAME_BYTES, ProposeError, TaskQuery};
use octopussy_core::task::{Command, StepKind, StepOutcome, StepRecord, TaskState};
use octopussy_core::time::{Clock, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// An agent whose persona has so many bytes.
fn agent_of(name: &str, bytes: usize) -> AgentRecord {
    let spec = AgentSpec { persona: "x".repeat(bytes), ..spec(name) };
    AgentRecord { spec: Arc::new(spec), ..agent(name) }
}

/// What came of a task's acceptance, which must come soon.
async fn accepted(node: &TestNode, agent: AgentId) -> TaskId {
    let accepted = tokio::time::timeout(LIMIT, node.accept_one(agent));
    accepted.await.expect("a later command of the shard is carried out")
}

/// The longest command there may be goes through; one that is longer is refused from every node, and what follows works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_too_long_is_refused_and_holds_nobody_up() {
    let cluster = TestCluster::of(51, 1, 3).await;
    let shard = ShardId(0);
    for (number, node) in &cluster.nodes {
        for bytes in [MAX_COMMAND_BYTES, MAX_FRAME_BYTES, 5_000_000] {
            let record = agent_of("big", bytes);
            let proposed = node.ledger.propose(shard, Command::CreateAgent { agent: Box::new(record) });
            let refused = tokio::time::timeout(LIMIT, proposed).await.expect("an answer");
            let Err(ProposeError::TooLarge { bytes: found, limit }) = refused else { panic!("{refused:?}") };
            assert!(found > bytes as u64 && limit == MAX_COMMAND_BYTES as u64, "{found} of {limit}");
        }
        let sealed = SealedSecret { sealed: vec![0; 5_000_000], set_at: node.clock.now() };
        let secret = ControlCommand::PutSecret { name: "big".to_owned(), secret: sealed };
        let refused = node.host.propose_control(secret).await;
        assert!(matches!(refused, Err(crate::ControlError::TooLarge { .. })), "{refused:?}");
        let fits = agent_of(&format!("fits-{number}"), MAX_COMMAND_BYTES - 4_096);
        let agent = node.create_agent(fits).await;
        accepted(node, agent).await;
    }
    cluster.close().await;
}

/// Whatever is in a log can be replicated, however long it is: an earlier build may have taken more than this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_longer_than_a_frame_reaches_every_replica_and_those_that_join() {
    let mut cluster = TestCluster::of(52, 1, 3).await;
    let shard = ShardId(0);
    let write = async |cluster: &TestCluster, name: &str, bytes: usize| {
        let record = agent_of(name, bytes);
        let id = record.id;
        let entry = Entries::Shard(vec![Command::CreateAgent { agent: Box::new(record) }]);
        // A leadership that ends on a busy machine takes the entry with it: the next one gets it anew.
        let written = async {
            loop {
                let leader = cluster.leader(shard);
                if let Some(group) = leader.and_then(|leader| cluster.node(leader).host.core().group(shard))
                    && group.raft().client_write(entry.clone()).await.is_ok()
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(MOVE, written).await.expect("it is committed");
        accepted(cluster.node(cluster.leader(shard).unwrap_or(1)), id).await
    };
    write(&cluster, "big", 5_000_000).await;
    let task = write(&cluster, "huge", 10 * 1024 * 1024).await;
    let applied = |number: u8| {
        let state = &cluster.node(number).host.core().context.state;
        state.task(task).is_ok_and(|task| task.is_some())
    };
    cluster.until("every replica has it", MOVE, || (1..=3).all(applied)).await;
    cluster.crash(3).await;
    let task = write(&cluster, "while-away", 9_000_000).await;
    cluster.restart(3).await;
    let applied = || {
        let state = &cluster.node(3).host.core().context.state;
        state.task(task).is_ok_and(|task| task.is_some())
    };
    cluster.until("the one that was away has it", MOVE, applied).await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_joins_gets_the_long_entries_of_a_single_node() {
    let mut cluster = TestCluster::found(53, 1).await;
    let node = cluster.node(1);
    let group = node.host.core().registry.get(GroupId::of(ShardId(0))).unwrap();
    let record = agent_of("big", 6_000_000);
    let id = record.id;
    group.raft().client_write(Entries::Shard(vec![Command::CreateAgent { agent: Box::new(record) }])).await.unwrap();
    accepted(node, id).await;
    for number in [2, 3] {
        cluster.join(number).await;
    }
    cluster.settled().await;
    for node in cluster.nodes.values() {
        accepted(node, id).await;
    }
    cluster.close().await;
}

/// The steps of a task may be longer together than what travels at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_with_many_long_steps_is_read_listed_awaited_and_cancelled_from_every_node() {
    let cluster = TestCluster::of(54, 1, 3).await;
    let leader = cluster.node(cluster.leader(ShardId(0)).unwrap());
    let agent = leader.create("writer").await;
    for node in cluster.nodes.values() {
        let task = leader.accept_one(agent).await;
        leader.begin(task).await.unwrap();
        for index in 0..64 {
            let step = StepRecord {
                index,
                kind: StepKind::Model,
                name: "part".into(),
                by: "test/model".into(),
                attempt: 1,
                epoch: leader.epoch_of(task),
                started_at: Timestamp::from_millis(START),
                ended_at: Timestamp::from_millis(START),
                outcome: StepOutcome::Done("x".repeat(100 * 1024).into()),
                usage: Usage::default(),
            };
            leader
                .on_task(task, Command::Step { task, step: Arc::new(step), now: Timestamp::from_millis(START) })
                .await
                .unwrap();
        }
        let read = node.ledger.task(task).await.unwrap().unwrap();
        assert_eq!((read.steps.len(), read.state), (64, TaskState::Running));
        let waited = node.ledger.await_end(task, Duration::from_millis(20)).await.unwrap().unwrap();
        assert_eq!(waited.steps.len(), 64);
        let listed = node.ledger.tasks(&TaskQuery { limit: 1, ..TaskQuery::default() }).await.unwrap();
        assert_eq!(listed.items[0].id, task);
        // A run that is under way is ended by its agent; to ask for it is what travels.
        let cancel = Command::Cancel { task, reason: "enough".into(), now: node.clock.now() };
        let cancelled = task_of(node.on_task(task, cancel).await.unwrap());
        assert_eq!((cancelled.id, cancelled.steps.len()), (task, 64));
        leader.end(task, octopussy_core::task::Outcome::Cancelled("enough".into())).await.unwrap();
        let ended = node.ledger.await_end(task, LIMIT).await.unwrap().unwrap();
        assert_eq!((ended.state, ended.steps.len()), (TaskState::Cancelled, 64));
    }
    cluster.close().await;
}
