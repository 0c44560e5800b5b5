//! Who is told of what, and when.

use super::support::*;
use octopussy_core::ids::{AgentId, ShardId};
use octopussy_core::ports::{LedgerObserver, ProposeError};
use octopussy_core::task::{Command, LedgerEvent, TaskState};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Writes down the names of what it is told.
#[derive(Default)]
struct Scribe(Mutex<Vec<String>>);

impl LedgerObserver for Scribe {
    fn on_event(&self, event: &LedgerEvent) {
        self.0.lock().push(match event {
            LedgerEvent::LeaderGained { shard, epoch } => format!("gained {shard} {epoch}"),
            LedgerEvent::LeaderLost { shard } => format!("lost {shard}"),
            LedgerEvent::TaskReady { .. } => "ready".to_owned(),
            LedgerEvent::TaskBegun { .. } => "begun".to_owned(),
            LedgerEvent::StepDone { .. } => "step".to_owned(),
            LedgerEvent::CancelRequested { .. } => "cancel".to_owned(),
            LedgerEvent::TaskEnded { .. } => "ended".to_owned(),
            LedgerEvent::AgentChanged { .. } => "agent".to_owned(),
        });
    }
}

impl Scribe {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

#[tokio::test]
async fn observers_hear_of_a_shard_only_while_it_is_led_and_activated_here() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let scribe = Arc::new(Scribe::default());
    host.observe(Arc::clone(&scribe) as Arc<dyn LedgerObserver>);
    let alice = AgentId::from_name("alice");
    let shard = count().shard_of(alice);
    let mut group = Group::new(&host, shard);
    // Followed: another node leads.
    group.propose(vec![activate(shard, OTHER), create("alice")]).await;
    let task = group.accept(alice).await;
    assert_eq!((scribe.take(), host.epoch(shard)), (Vec::new(), None));
    // Led, but not activated; and an activation of another node is not ours.
    host.set_leading(shard, Some(TERM));
    group.propose(vec![activate(shard, OTHER), Command::Cancel { task, reason: "no".into(), now: now() }]).await;
    assert_eq!((scribe.take(), host.epoch(shard)), (Vec::new(), None));
    let waiting = group.accept(alice).await;
    assert_eq!(scribe.take(), Vec::<String>::new());
    group.propose(vec![activate(shard, ME)]).await;
    let epoch = group.epoch();
    assert_eq!(host.epoch(shard), Some(epoch));
    assert_eq!(scribe.take(), [format!("gained {shard} {epoch}")]);
    for command in group.work(waiting) {
        group.propose(vec![command]).await;
    }
    assert_eq!(scribe.take(), ["begun", "step", "ended"]);
    host.lose(shard);
    host.lose(shard);
    assert_eq!((scribe.take(), host.epoch(shard)), (vec![format!("lost {shard}")], None));
    group.accept(alice).await;
    group.propose(vec![activate(shard, ME)]).await;
    assert_eq!((scribe.take(), host.epoch(shard)), (Vec::new(), None), "a loss is final for its term's activations");
    host.set_leading(shard, Some(TERM));
    group.propose(vec![activate(shard, ME)]).await;
    assert_eq!(scribe.take(), [format!("gained {shard} {}", group.epoch())]);
    // A new term: the old leadership is over, and entries of the old term count no more.
    host.set_leading(shard, Some(TERM + 1));
    group.propose(vec![activate(shard, ME)]).await;
    assert_eq!(scribe.take(), [format!("lost {shard}")]);
}

#[tokio::test]
async fn a_late_observer_hears_of_what_is_led_already() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let group = Group::led(&host, "alice").await;
    let scribe = Arc::new(Scribe::default());
    host.observe(Arc::clone(&scribe) as Arc<dyn LedgerObserver>);
    assert_eq!(scribe.take(), [format!("gained {} {}", group.shard, group.epoch())]);
}

#[tokio::test]
async fn those_who_wait_for_a_task_hear_of_its_end_or_of_the_loss() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&host, "alice").await;
    let (first, second) = (group.accept(alice).await, group.accept(alice).await);
    let wait = |task, limit| {
        let host = Arc::clone(&host);
        tokio::spawn(async move { host.await_end(task, Duration::from_secs(limit)).await })
    };
    let (ended, lost) = (wait(first, 30), wait(second, 30));
    let early = host.await_end(first, Duration::ZERO).await.unwrap().unwrap();
    assert_eq!(early.state, TaskState::Accepted);
    tokio::task::yield_now().await;
    for command in group.work(first) {
        group.propose(vec![command]).await;
    }
    assert_eq!(ended.await.unwrap().unwrap().unwrap().state, TaskState::Succeeded);
    assert_eq!(host.await_end(first, Duration::from_secs(30)).await.unwrap().unwrap().id, first);
    host.lose(group.shard);
    let refused = |result| matches!(result, Err(ProposeError::NotLeader(ShardId(of))) if of == group.shard.0);
    assert!(refused(lost.await.unwrap()));
    assert!(refused(host.await_end(second, Duration::from_secs(30)).await));
}
