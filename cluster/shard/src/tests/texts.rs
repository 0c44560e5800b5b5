//! Long texts of waiting tasks: on the disk, and there when they are wanted.

use super::support::*;
use crate::ShardHostConfig;
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::message::{DEFAULT_TTL, Priority};
use octopussy_core::ports::{ProposeError, Room, TaskFilter, TaskQuery};
use octopussy_core::task::{NewTask, Outcome, TaskRecord, TaskState};

/// Near what a message may have.
const LONG: usize = 200 * 1024;

fn long_task(agent: AgentId) -> NewTask {
    let payload = serde_json::json!({ "input": "x".repeat(LONG) });
    NewTask { message: message_that_says(&payload, agent, Priority::Normal, START, DEFAULT_TTL), ..new_task(agent) }
}

fn is_whole(task: &TaskRecord) -> bool {
    task.message.payload().as_str().len() > LONG
}

/// What waits is read by id, in a list and by whoever runs it.
async fn is_readable(node: &TestNode, agent: AgentId, waiting: &[TaskId]) {
    let next = node.led.next_tasks(agent, usize::MAX);
    assert_eq!(next.iter().map(|task| task.id).collect::<Vec<_>>(), waiting);
    assert!(next.iter().all(|task| is_whole(task)));
    for id in waiting {
        assert!(is_whole(&node.ledger.task(*id).await.unwrap().unwrap()));
    }
    // A page has so many bytes, and not only so many tasks.
    let mut query = TaskQuery { filter: TaskFilter::State(TaskState::Accepted), ..TaskQuery::default() };
    let mut listed = Vec::new();
    loop {
        let page = node.ledger.tasks(&query).await.unwrap();
        query.after = page.items.last().map(|task| task.id);
        listed.extend(page.items);
        if !page.more {
            break;
        }
    }
    assert_eq!(listed.iter().map(|task| task.id).rev().collect::<Vec<_>>(), waiting);
    assert!(listed.iter().all(|task| is_whole(task)));
}

#[tokio::test]
async fn long_texts_wait_on_the_disk_through_a_restart_and_memory_does_not_hold_them() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let agent = node.create("alice").await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let task = long_task(agent);
        waiting.push(task.id);
        node.accept(task).await.unwrap();
    }
    is_readable(&node, agent, &waiting).await;
    node.host.core().context.state.flush().await.unwrap();
    is_readable(&node, agent, &waiting).await;
    node.close().await;

    let node = open(dir.path()).await;
    let unended = node.host.unended();
    assert!(unended.memory.0 < 20 * 1_024 && unended.disk.0 > 20 * LONG as u64, "{unended:?}");
    is_readable(&node, agent, &waiting).await;
    let first = waiting.remove(0);
    node.begin(first).await.unwrap();
    node.step(first, 0).await.unwrap();
    assert!(node.host.unended().memory.0 > LONG as u64, "what runs is in memory");
    node.end(first, Outcome::HandedBack).await.unwrap();
    node.begin(first).await.unwrap();
    node.end(first, Outcome::Failed("no".into())).await.unwrap();
    let ended = node.ledger.task(first).await.unwrap().unwrap();
    assert!(is_whole(&ended) && ended.steps.len() == 1, "something of it has gone");
    is_readable(&node, agent, &waiting).await;
    node.close().await;
}

#[tokio::test]
async fn a_node_whose_disk_holds_as_much_waiting_text_as_it_may_takes_no_new_work() {
    let dir = tempfile::tempdir().unwrap();
    let config = ShardHostConfig { max_waiting_bytes: 2 * LONG as u64, ..config(dir.path()) };
    let node = TestNode::alone(config, clock()).await;
    let agent = node.create("alice").await;
    let first = long_task(agent);
    let id = first.id;
    node.accept(first).await.unwrap();
    node.accept(long_task(agent)).await.unwrap();
    let refused = node.accept(new_task(agent)).await;
    assert!(matches!(refused, Err(ProposeError::Full { of: Room::Disk, .. })), "{refused:?}");
    // What runs has its text in memory.
    node.begin(id).await.unwrap();
    node.accept(new_task(agent)).await.unwrap();
    node.close().await;
}
