//! Snapshots: what one replica sends another takes over, whatever came before.

use super::support::*;
use crate::raft::GroupId;
use crate::raft::machine::snapshot::SnapshotError;
use crate::raft::machine::{ShardMachine, StateHost};
use bytes::Bytes;
use octopussy_core::agent::Desired;
use octopussy_core::ids::{AgentId, ShardId, TaskId};
use octopussy_core::task::{Command, DeadLetterReason, NewTask, Outcome};
use octopussy_core::time::Timestamp;
use openraft::storage::{RaftSnapshotBuilder, RaftStateMachine};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const HOUR: u64 = 3_600_000;

/// What happens to the shard, in outline.
#[derive(Debug, Clone)]
enum Act {
    /// Commands that become one entry.
    Commands(Vec<Change>),
    /// What is applied is stored.
    Flush,
    /// A snapshot is sent to the follower, which applies the rest of the log.
    Send,
}

#[derive(Debug, Clone)]
enum Change {
    Accept { agent: usize, task: u128, key: Option<u8> },
    Begin { task: usize },
    Step { task: usize },
    End { task: usize, outcome: u8 },
    Cancel { task: usize },
    Replay { task: usize },
    Discard { task: usize },
    Desire { agent: usize, active: bool },
    Activate,
    Tick { hours: u64 },
    Forget,
}

fn change() -> impl Strategy<Value = Change> {
    let task = 0..8_usize;
    prop_oneof![
        6 => (0..2_usize, 1..12_u128, proptest::option::of(0..3_u8))
            .prop_map(|(agent, task, key)| Change::Accept { agent, task, key }),
        6 => task.clone().prop_map(|task| Change::Begin { task }),
        4 => task.clone().prop_map(|task| Change::Step { task }),
        5 => (task.clone(), 0..6_u8).prop_map(|(task, outcome)| Change::End { task, outcome }),
        2 => task.clone().prop_map(|task| Change::Cancel { task }),
        2 => task.clone().prop_map(|task| Change::Replay { task }),
        2 => task.prop_map(|task| Change::Discard { task }),
        1 => (0..2_usize, any::<bool>()).prop_map(|(agent, active)| Change::Desire { agent, active }),
        1 => Just(Change::Activate),
        1 => (0..30_u64).prop_map(|hours| Change::Tick { hours }),
        1 => Just(Change::Forget),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => proptest::collection::vec(change(), 1..5).prop_map(Act::Commands),
        2 => Just(Act::Flush),
        1 => Just(Act::Send),
    ]
}

struct Model {
    group: Group,
    follower: Arc<StateHost>,
    agents: [AgentId; 2],
    known: Vec<TaskId>,
    now: u64,
}

impl Model {
    async fn new(leader: &Path, follower: &Path) -> Self {
        let host = open(seldom(leader)).await;
        let names: Vec<_> = names_of(ShardId(1)).take(2).collect();
        let mut group = Group::led(&host, &names[0]).await;
        group.propose(vec![create(&names[1])]).await;
        let agents = [&names[0], &names[1]].map(|name| AgentId::from_name(name));
        Self { group, follower: open(seldom(follower)).await, agents, known: Vec::new(), now: START }
    }

    fn pick(&self, task: usize) -> TaskId {
        let nothing = TaskId::for_agent(self.agents[0], Uuid::nil());
        if self.known.is_empty() { nothing } else { self.known[task % self.known.len()] }
    }

    fn command(&mut self, change: &Change) -> Command {
        let (epoch, now) = (self.group.epoch(), Timestamp::from_millis(self.now));
        let shard = self.group.shard;
        match change {
            Change::Accept { agent, task, key } => {
                let agent = self.agents[*agent];
                let id = TaskId::for_agent(agent, Uuid::from_u128(task << 32));
                self.known.push(id);
                let idempotency = key.map(|key| (key.to_string().into(), u64::from(key)));
                let new = NewTask { id, message: message(self.now), idempotency, ..new_task(agent) };
                Command::Accept { task: Box::new(new), now }
            }
            Change::Begin { task } => Command::Begin { task: self.pick(*task), epoch, version: 1, now },
            Change::Step { task } => {
                let task = self.pick(*task);
                let done = self.group.host.task(task).unwrap().map_or(0, |task| task.steps.len());
                Command::Step { task, step: Arc::new(step(u32::try_from(done).unwrap(), epoch)), now }
            }
            Change::End { task, outcome } => {
                let outcome = match outcome {
                    0 => Outcome::Succeeded(message(self.now)),
                    1 => Outcome::Failed("failed".into()),
                    2 => Outcome::Retry("retry".into()),
                    3 => Outcome::Cancelled("cancelled".into()),
                    4 => Outcome::DeadLetter(DeadLetterReason::Quarantined, "odd".into()),
                    _ => Outcome::HandedBack,
                };
                Command::End { task: self.pick(*task), epoch, outcome, memory: Some("noted".into()), now }
            }
            Change::Cancel { task } => Command::Cancel { task: self.pick(*task), reason: "enough".into(), now },
            Change::Replay { task } => Command::Replay { task: self.pick(*task), message: message(self.now), now },
            Change::Discard { task } => Command::Discard { task: self.pick(*task) },
            Change::Desire { agent, active } => {
                let desired = if *active { Desired::Active } else { Desired::Paused };
                Command::SetDesired { agent: self.agents[*agent], desired, now }
            }
            Change::Activate => activate(shard, ME),
            Change::Tick { hours } => {
                self.now += hours * HOUR;
                Command::Tick { shard, now: Timestamp::from_millis(self.now) }
            }
            Change::Forget => Command::Forget { shard, before: now },
        }
    }

    async fn perform(&mut self, act: &Act) {
        match act {
            Act::Commands(changes) => {
                let commands = changes.iter().map(|change| self.command(change)).collect();
                self.group.propose(commands).await;
            }
            Act::Flush => self.group.host.flush().await.unwrap(),
            Act::Send => {
                self.send().await;
                let follower = self.group.catch_up(&self.follower).await;
                self.compare(&follower).await;
            }
        }
    }

    /// Sends the leader's snapshot, unless the follower is further already.
    async fn send(&mut self) {
        let group = GroupId::of(self.group.shard);
        let (meta, file) = transfer(&mut self.group.machine, &self.follower, group).await;
        let mut machine = self.follower.shard(self.group.shard);
        if meta.last_log_id > machine.applied_state().await.unwrap().0 {
            machine.install_snapshot(&meta, file).await.unwrap();
            let state = machine.applied_state().await.unwrap();
            assert_eq!(state, (meta.last_log_id, meta.last_membership));
        }
    }

    async fn compare(&self, follower: &ShardMachine) {
        assert_same((&self.group.host, &self.group.machine), (&self.follower, follower)).await;
    }
}

async fn run(acts: &[Act]) {
    let (leader, follower, copy) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut model = Model::new(leader.path(), follower.path()).await;
    for act in acts {
        model.perform(act).await;
    }
    // What is stored is what a crash would leave.
    std::fs::copy(leader.path().join("state.redb"), copy.path().join("state.redb")).unwrap();
    let restarted = open(seldom(copy.path())).await;
    let machine = model.group.catch_up(&restarted).await;
    assert_same((&model.group.host, &model.group.machine), (&restarted, &machine)).await;
    model.perform(&Act::Send).await;
    // And the follower remembers it.
    assert!(model.follower.close(Duration::from_secs(10)).await);
    let shard = model.group.shard;
    let before = model.follower.shard(shard).cell.state.read().machine.clone();
    let reopened = Model { follower: open(seldom(copy_of(follower.path()).path())).await, ..model };
    let machine = reopened.follower.shard(shard);
    assert_eq!(machine.cell.state.read().machine, before);
    reopened.compare(&machine).await;
}

fn copy_of(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(dir.join("state.redb"), copy.path().join("state.redb")).unwrap();
    copy
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_replica_that_takes_a_snapshot_or_starts_anew_is_the_same(acts in proptest::collection::vec(act(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(&acts));
    }
}

#[tokio::test]
async fn a_built_snapshot_is_of_what_is_applied_and_old_ones_are_refused() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (host, to) = (open(seldom(here.path())).await, open(seldom(there.path())).await);
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&host, "alice").await;
    let id = GroupId::of(group.shard);
    assert!(host.shard(ShardId(3)).get_current_snapshot().await.unwrap().is_none());
    group.run(alice).await;
    assert_eq!(host.durable(id), None);
    let mut built = group.machine.get_snapshot_builder().await.build_snapshot().await.unwrap();
    assert_eq!(built.meta.last_log_id, group.machine.applied_state().await.unwrap().0);
    assert_eq!(host.durable(id), built.meta.last_log_id);
    // What is applied later, and not stored, changes nothing about it.
    group.run(alice).await;
    let received = send(&mut built.snapshot, &to, id).await;
    to.shard(group.shard).install_snapshot(&built.meta, received).await.unwrap();
    assert_eq!(to.tasks(&[group.shard], &octopussy_core::ports::TaskQuery::default()).unwrap().items.len(), 1);
    let (mut older, mut newer) = (
        group.machine.get_current_snapshot().await.unwrap().unwrap(),
        group.machine.get_current_snapshot().await.unwrap().unwrap(),
    );
    assert_eq!(older.meta, built.meta);
    newer.snapshot.read().await.unwrap();
    host.flush().await.unwrap();
    assert!(matches!(older.snapshot.read().await, Err(SnapshotError::Stale)));
    assert!(newer.snapshot.read().await.is_ok(), "a file that was made stays");
    drop((built, older, newer));
    assert_eq!(std::fs::read_dir(here.path().join("snapshots")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused_before_it_touches_anything() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let mut group = Group::led(&host, "alice").await;
    group.run(AgentId::from_name("alice")).await;
    let id = GroupId::of(group.shard);
    let mut built = group.machine.build_snapshot().await.unwrap();
    let mut reader = built.snapshot.read().await.unwrap();
    let whole = reader.next(usize::try_from(reader.len()).unwrap()).await.unwrap().unwrap();
    let receive = async |group, bytes: Vec<u8>| {
        let mut writer = host.receive_snapshot(group).await.unwrap();
        writer.write(Bytes::from(bytes)).await.unwrap();
        writer.finish().await
    };
    let damaged = |result| matches!(result, Err(SnapshotError::Damaged(_)));
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1;
        assert!(damaged(receive(id, bytes).await), "a wrong bit at {at} was not noticed");
        assert!(damaged(receive(id, whole[..at].to_vec()).await), "cut off at {at}, and not noticed");
    }
    assert!(damaged(receive(id, [&whole[..], b"x"].concat()).await));
    let other = GroupId::of(ShardId((group.shard.0 + 1) % SHARDS));
    assert!(damaged(receive(other, whole.to_vec()).await));
    let file = receive(id, whole.to_vec()).await.unwrap();
    // Its place in the log must be what the group says it is.
    let mut meta = built.meta.clone();
    meta.last_log_id = Some(super::support::id(TERM, 99));
    assert!(group.machine.install_snapshot(&meta, file).await.is_err());
    assert_eq!(group.machine.applied_state().await.unwrap().0, built.meta.last_log_id);
}
