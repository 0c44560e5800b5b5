//! What a page of tasks costs, and what whoever waits for a task leaves behind.

use super::support::*;
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::ports::{TaskFilter, TaskQuery};
use octopussy_core::task::{Command, TaskState};

/// How many tasks of each kind there are: many times what is looked at for a page.
const MANY: usize = 2_000;

/// How many rows a page has.
const PAGE: usize = 10;

/// The most rows that may be looked at for a page of one shard: each place where tasks are listed (memory, and an index for
/// each of four states) is read as far as a page goes, and one further.
const BOUND: usize = 6 * (PAGE + 2);

async fn accept(group: &mut Group, agent: AgentId, count: usize) -> Vec<TaskId> {
    let tasks: Vec<_> = (0..count).map(|_| new_task(agent)).collect();
    let ids = tasks.iter().map(|task| task.id).collect();
    for tasks in tasks.chunks(500) {
        let accept =
            |task: &octopussy_core::task::NewTask| Command::Accept { task: Box::new(task.clone()), now: now() };
        group.propose(tasks.iter().map(accept).collect()).await;
    }
    ids
}

#[tokio::test]
async fn a_page_costs_what_it_shows_and_not_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&host, "alice").await;
    let mut all = Vec::new();
    for _ in 0..MANY / 500 {
        let ended = accept(&mut group, alice, 500).await;
        let work = ended.iter().flat_map(|task| group.work(*task)).collect();
        group.propose(work).await;
        all.extend(ended);
    }
    for _ in 0..2 {
        // A mailbox holds a thousand, and leaves a page of them to be looked at.
        all.extend(accept(&mut group, alice, 500).await);
    }
    host.flush().await.unwrap();
    all.sort_unstable_by(|a, b| b.cmp(a));
    let middle = Some(all[all.len() / 2]);
    let page = |agent: Option<AgentId>, filter, after| {
        let query = TaskQuery { agent, filter, after, limit: PAGE };
        let (page, looked_at) = host.tasks_counted(&[group.shard], &query);
        assert!(looked_at <= BOUND, "{looked_at} rows were looked at for {query:?}");
        page.items.iter().map(|task| task.id).collect::<Vec<_>>()
    };
    for agent in [None, Some(alice)] {
        for after in [None, middle] {
            let rest: Vec<_> = all.iter().copied().filter(|id| after.is_none_or(|after| *id < after)).collect();
            assert_eq!(page(agent, TaskFilter::All, after), rest[..PAGE]);
            let succeeded = page(agent, TaskFilter::State(TaskState::Succeeded), after);
            assert_eq!(succeeded.len(), PAGE);
            assert!(succeeded.iter().all(|id| rest.contains(id)));
        }
        assert_eq!(page(agent, TaskFilter::State(TaskState::Accepted), None), all[..PAGE]);
        for none in [TaskState::Running, TaskState::Failed, TaskState::DeadLettered] {
            if agent.is_none() || none != TaskState::Running {
                assert_eq!(page(agent, TaskFilter::State(none), None), []);
            }
        }
    }
    assert_eq!(page(Some(AgentId::from_name("nobody")), TaskFilter::All, None), []);
}

#[tokio::test]
async fn whoever_stops_waiting_for_a_task_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let mut group = Group::led(&host, "alice").await;
    let task = group.accept(AgentId::from_name("alice")).await;
    let waiting = || host.shared.cell(group.shard).unwrap().leading.waiters.tasks();
    {
        let gone = host.await_end(task, std::time::Duration::from_secs(600));
        tokio::pin!(gone);
        assert!(futures::poll!(&mut gone).is_pending());
        assert_eq!(waiting(), 1);
    }
    assert_eq!(waiting(), 0, "a client that has hung up is still waited for");
    host.await_end(task, std::time::Duration::ZERO).await.unwrap();
    assert_eq!(waiting(), 0);
}
