//! The way of a task through a shard's machine and back out of the store.

use super::support::*;
use octopussy_core::ids::AgentId;
use octopussy_core::ports::{AgentQuery, ProposeError, TaskFilter, TaskQuery};
use octopussy_core::task::{Command, DeadLetterReason, Outcome, TaskState};
use openraft::storage::RaftStateMachine;
use std::time::Duration;

#[tokio::test]
async fn a_task_runs_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(config(dir.path())).await;
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&host, "alice").await;
    group.commit(membership(1, &[ME, OTHER])).await;
    let done = group.run(alice).await;
    let waiting = group.accept(alice).await;
    assert_eq!(host.next_tasks(alice, 5)[0].id, waiting);
    assert_eq!(host.agents_with_work(&[group.shard]), vec![alice]);
    assert_eq!((host.waiting(alice), host.hot_count(group.shard)), (1, 1));
    let before = host.task(done).unwrap().unwrap();
    let state = group.machine.applied_state().await.unwrap();
    assert!(host.close(Duration::from_secs(10)).await);
    drop(host);

    let host = open(config(dir.path())).await;
    assert_eq!(host.shards(), Some(count()));
    let mut machine = host.shard(group.shard);
    assert_eq!(machine.applied_state().await.unwrap(), state);
    assert_eq!(state.1.membership().voter_ids().count(), 2);
    assert_eq!(host.task(done).unwrap().unwrap(), before);
    assert_eq!((before.state, before.steps.len()), (TaskState::Succeeded, 1));
    assert_eq!(host.next_tasks(alice, 5)[0].id, waiting);
    let record = host.agent(alice).unwrap().unwrap();
    assert_eq!((record.tasks_ended, record.memory.as_deref()), (1, Some("noted")));
    assert_eq!(host.epoch(group.shard), None, "nothing is led before it is activated");
}

#[tokio::test]
async fn what_is_not_here_is_said_not_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(config(dir.path())).await;
    let group = Group::led(&host, "alice").await;
    let elsewhere = count().all().find(|shard| *shard != group.shard).unwrap();
    let name = names_of(elsewhere).next().unwrap();
    let stranger = AgentId::from_name(&name);
    assert!(matches!(host.agent(stranger), Err(ProposeError::NotLeader(shard)) if shard == elsewhere));
    let task = new_task(stranger).id;
    assert!(matches!(host.task(task), Err(ProposeError::NotLeader(shard)) if shard == elsewhere));
    assert!(host.task(new_task(AgentId::from_name("alice")).id).unwrap().is_none());
    assert_eq!(host.waiting(stranger), 0);
}

#[tokio::test]
async fn listings_page_newest_first_from_memory_and_store_and_from_the_shards_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let [one, two, three] = [0, 1, 2].map(octopussy_core::ids::ShardId);
    let mut groups = Vec::new();
    for shard in [one, two, three] {
        groups.push((Group::led(&host, &names_of(shard).next().unwrap()).await, names_of(shard).next().unwrap()));
    }
    let mut all = Vec::new();
    for turn in 0..30 {
        let (group, name) = &mut groups[usize::from(turn % 3 == 0)];
        all.push(group.run(AgentId::from_name(name)).await);
        if turn % 11 == 5 {
            host.flush().await.unwrap();
        }
    }
    // Of a shard that is only followed.
    let (followed, name) = &mut groups[2];
    let hidden = followed.run(AgentId::from_name(name)).await;
    let (alice, bob) = (AgentId::from_name(&groups[0].1), AgentId::from_name(&groups[1].1));
    let waiting = groups[0].0.accept(alice).await;
    let group = &mut groups[1].0;
    let dead = group.accept(bob).await;
    let epoch = group.epoch();
    let outcome = Outcome::DeadLetter(DeadLetterReason::Quarantined, "suspicious".into());
    let end = Command::End { task: dead, epoch, outcome, memory: None, now: now() };
    group.propose(vec![Command::Begin { task: dead, epoch, version: 1, now: now() }, end]).await;
    all.extend([waiting, dead]);
    all.sort_unstable_by(|a, b| b.cmp(a));

    let led = [one, two];
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = host.tasks(&led, &TaskQuery { after, limit: 7, ..TaskQuery::default() }).unwrap();
        listed.extend(page.items.iter().map(|task| task.id));
        after = listed.last().copied();
        if !page.more {
            break;
        }
        assert_eq!(page.items.len(), 7);
    }
    assert_eq!(listed, all);
    assert!(host.tasks(&[one, two, three], &TaskQuery::default()).unwrap().items.iter().any(|task| task.id == hidden));

    for _ in 0..2 {
        let ids = |agent, state| -> Vec<_> {
            let query = TaskQuery { agent, filter: TaskFilter::State(state), after: None, limit: 0 };
            host.tasks(&led, &query).unwrap().items.iter().map(|task| task.id).collect()
        };
        assert_eq!(ids(None, TaskState::DeadLettered), vec![dead]);
        assert_eq!(ids(None, TaskState::Accepted), vec![waiting]);
        assert_eq!(ids(Some(bob), TaskState::Succeeded).len(), 10);
        assert_eq!(ids(Some(alice), TaskState::Succeeded).len(), 20);
        assert_eq!(host.dead_letters(&led), 1);
        host.flush().await.unwrap();
    }

    let first = host.agents(&led, &AgentQuery { after: None, limit: 1 }).unwrap();
    assert!(first.more && first.items.len() == 1);
    let rest = host.agents(&led, &AgentQuery { after: Some(first.items[0].id), limit: 5 }).unwrap();
    assert!(!rest.more && rest.items.len() == 1);
}

#[tokio::test]
async fn a_task_that_was_stored_while_hot_is_not_hot_after_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&host, "alice").await;
    let (brief, long) = (group.run(alice).await, group.accept(alice).await);
    host.flush().await.unwrap();
    // Buried, revived and ended again within one flush.
    let epoch = group.epoch();
    let outcome = Outcome::DeadLetter(DeadLetterReason::Quarantined, "suspicious".into());
    let end = Command::End { task: long, epoch, outcome, memory: None, now: now() };
    let replay = Command::Replay { task: long, message: message(START), now: now() };
    group.propose(vec![Command::Begin { task: long, epoch, version: 1, now: now() }, end, replay]).await;
    let work = group.work(long);
    group.propose(vec![work[0].clone(), work[2].clone()]).await;
    assert!(host.close(Duration::from_secs(10)).await);
    drop(host);
    let host = open(config(dir.path())).await;
    assert_eq!(host.hot_count(group.shard), 0);
    for id in [brief, long] {
        assert_eq!(host.task(id).unwrap().unwrap().state, TaskState::Succeeded);
    }
}

#[tokio::test]
async fn retention_finds_what_is_old_and_what_is_too_much() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&host, "alice").await;
    for _ in 0..6 {
        group.run(alice).await;
    }
    host.flush().await.unwrap();
    let at = octopussy_core::time::Timestamp::from_millis;
    // Within the window of idempotency keys nothing is forgotten.
    assert_eq!(host.sweep(group.shard, now(), at(START), 3), (Vec::new(), false));
    let later = now().plus(octopussy_ledger::IDEMPOTENCY_WINDOW + std::time::Duration::from_secs(1));
    let sweep = |before: u64, kept| host.sweep(group.shard, later, at(before), kept);
    assert_eq!(sweep(START, 10), (Vec::new(), false));
    let (commands, more) = sweep(START, 3);
    assert!(!more && matches!(commands[..], [Command::Forget { before, .. }] if before.as_millis() == START + 1));
    let (commands, _) = sweep(START + 5, 10);
    assert!(matches!(commands[..], [Command::Forget { before, .. }] if before.as_millis() == START + 5));
    group.propose(vec![Command::Tick { shard: group.shard, now: later }]).await;
    group.propose(commands).await;
    assert_eq!(host.tasks(&[group.shard], &TaskQuery::default()).unwrap().items, []);
    host.flush().await.unwrap();
    let left = dump(&host, group.shard).await;
    assert!(left.iter().all(|(keyspace, ..)| keyspace.name().starts_with("agent")), "rows are left over: {left:?}");
    let waiting = group.accept(alice).await;
    assert_eq!(host.next_expiry(group.shard), Some(host.task(waiting).unwrap().unwrap().expires_at));
}
