//! The way of a task through the node.

use super::support::*;
use crate::ShardHostConfig;
use octopussy_core::ports::{AgentQuery, TaskFilter, TaskQuery};
use octopussy_core::task::{Command, Outcome, TaskState};
use octopussy_core::time::Clock;
use std::time::Duration;

#[tokio::test]
async fn a_task_runs_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let agent = node.create("alice").await;
    let done = node.run(agent).await;
    let waiting = node.accept_one(agent).await;
    assert_eq!(node.led.next_task(agent).unwrap().id, waiting);
    assert_eq!(node.led.agents_with_work(), vec![agent]);
    let before = node.ledger.task(done).await.unwrap().unwrap();
    node.close().await;

    let node = open(dir.path()).await;
    assert_eq!(node.ledger.task(done).await.unwrap().unwrap(), before);
    assert_eq!(before.state, TaskState::Succeeded);
    assert_eq!(before.steps.len(), 1);
    assert_eq!(node.led.next_task(agent).unwrap().id, waiting);
    let record = node.ledger.agent(agent).await.unwrap().unwrap();
    assert_eq!((record.tasks_ended, record.memory.as_deref()), (1, Some("noted")));
}

#[tokio::test]
async fn listings_page_newest_first_from_memory_and_store() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let (alice, bob) = (node.create("alice").await, node.create("bob").await);
    let mut all = Vec::new();
    for turn in 0..30 {
        let agent = if turn % 3 == 0 { bob } else { alice };
        all.push(node.run(agent).await);
        if turn == 15 {
            node.host.core().context.state.flush().await.unwrap();
        }
    }
    let waiting = node.accept_one(alice).await;
    let dead = node.accept_one(bob).await;
    node.begin(dead).await.unwrap();
    let reason = octopussy_core::task::DeadLetterReason::Quarantined;
    node.end(dead, Outcome::DeadLetter(reason, "suspicious".into())).await.unwrap();
    all.extend([waiting, dead]);
    all.sort_unstable_by(|a, b| b.cmp(a));

    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = node.ledger.tasks(&TaskQuery { after, limit: 7, ..TaskQuery::default() }).await.unwrap();
        listed.extend(page.items.iter().map(|task| task.id));
        after = listed.last().copied();
        if !page.more {
            break;
        }
        assert_eq!(page.items.len(), 7);
    }
    assert_eq!(listed, all);

    let ids = async |agent, state| -> Vec<_> {
        let query = TaskQuery { agent, filter: TaskFilter::State(state), after: None, limit: 0 };
        node.ledger.tasks(&query).await.unwrap().items.iter().map(|task| task.id).collect()
    };
    assert_eq!(ids(None, TaskState::DeadLettered).await, vec![dead]);
    assert_eq!(ids(None, TaskState::Accepted).await, vec![waiting]);
    assert_eq!(ids(Some(bob), TaskState::Succeeded).await.len(), 10);
    assert_eq!(ids(Some(alice), TaskState::Succeeded).await.len(), 20);
    assert_eq!(node.ledger.dead_letters().await.unwrap(), 1);

    let first = node.ledger.agents(&AgentQuery { after: None, limit: 1 }).await.unwrap();
    assert!(first.more && first.items.len() == 1);
    let rest = node.ledger.agents(&AgentQuery { after: Some(first.items[0].id), limit: 5 }).await.unwrap();
    assert!(!rest.more && rest.items.len() == 1);
}

#[tokio::test]
async fn commands_keep_their_order_whoever_applies_them() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let agent = node.create("alice").await;
    let shard = node.ledger.shards().shard_of(agent);
    let mut proposed = Vec::new();
    // Entries of one command beside entries of many.
    for size in [1, 200, 2, 150, 16, 17, 1] {
        let mut answers = Vec::new();
        for _ in 0..size {
            let task = Box::new(new_task(agent));
            let id = task.id;
            answers.push((id, node.ledger.propose(shard, Command::Accept { task, now: node.clock.now() })));
            proposed.push(id);
        }
        // Only some are waited for, so that the next come while these are applied.
        let (id, last) = answers.pop().unwrap();
        assert_eq!(task_of(last.await.unwrap()).id, id);
    }
    let next = node.led.next_tasks(agent, usize::MAX);
    assert!(next.is_sorted_by(|a, b| a.sequence < b.sequence));
    assert_eq!(next.iter().map(|task| task.id).collect::<Vec<_>>(), proposed);
    assert_eq!(node.led.next_tasks(agent, 3), next[..3]);
    assert!(node.led.next_tasks(agent, 0).is_empty());
}

#[tokio::test]
async fn a_task_that_was_stored_while_hot_is_not_hot_after_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let agent = node.create("alice").await;
    let (brief, long) = (node.run(agent).await, node.accept_one(agent).await);
    node.close().await;
    // Buried, revived and ended again within one flush.
    let config = ShardHostConfig { flush_interval: Duration::from_secs(3_600), ..config(dir.path()) };
    let node = TestNode::alone(config, clock()).await;
    node.begin(long).await.unwrap();
    let reason = octopussy_core::task::DeadLetterReason::Quarantined;
    node.end(long, Outcome::DeadLetter(reason, "suspicious".into())).await.unwrap();
    let message =
        message(agent, octopussy_core::message::Priority::Normal, START, octopussy_core::message::DEFAULT_TTL);
    let replay = Command::Replay { task: long, message: std::sync::Arc::clone(&message), now: node.clock.now() };
    node.on_task(long, replay).await.unwrap();
    node.begin(long).await.unwrap();
    node.end(long, Outcome::Succeeded(message)).await.unwrap();
    node.close().await;
    let node = open(dir.path()).await;
    assert_eq!((node.led.agents_with_work(), node.led.waiting(agent)), (Vec::new(), 0));
    for id in [brief, long] {
        assert_eq!(node.ledger.task(id).await.unwrap().unwrap().state, TaskState::Succeeded);
    }
}
