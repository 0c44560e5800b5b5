//! What the tests share: a log without a group, and ways to compare replicas.

pub(super) use super::commands::*;

use super::super::{ShardMachine, SnapshotFile, StateConfig, StateHost};
use crate::raft::machine::group_record::LogId;
use crate::raft::{Entries, GroupId, TypeConfig};
use crate::stores::Opener;
use octopussy_control::{ClusterRecord, ControlCommand, MemberRecord, VersionRange};
use octopussy_core::ids::{AgentId, Epoch, NodeId, ShardCount, ShardId, TaskId};
use octopussy_core::ports::{MemberDesired, MemberRole};
use octopussy_core::task::{Command, Outcome};
use octopussy_core::time::Timestamp;
use openraft::storage::RaftStateMachine;
use openraft::type_config::alias::{EntryOf, SnapshotMetaOf};
use openraft::{EntryPayload, Membership};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ME: NodeId = NodeId([7; 16]);
pub(super) const OTHER: NodeId = NodeId([8; 16]);
pub(super) const START: u64 = 1_800_000_000_000;
pub(super) const TERM: u64 = 3;
pub(super) const SHARDS: u16 = 4;

pub(super) type Entry = EntryOf<TypeConfig>;

pub(super) fn config(dir: &Path) -> StateConfig {
    StateConfig {
        dir: dir.to_path_buf(),
        engine: octopussy_store::Engine::Redb,
        cache_bytes: 4 * 1024 * 1024,
        flush_interval: Duration::from_millis(20),
        node: ME,
    }
}

/// A config under which nothing is stored unless somebody asks for it.
pub(super) fn seldom(dir: &Path) -> StateConfig {
    StateConfig { flush_interval: Duration::from_secs(3_600), ..config(dir) }
}

/// Opens the state; a cluster is founded when there is none.
pub(super) async fn open(config: StateConfig) -> Arc<StateHost> {
    open_with(config, Arc::new(octopussy_store::open)).await
}

pub(super) async fn open_with(config: StateConfig, opener: Opener) -> Arc<StateHost> {
    let host = StateHost::open_with(config, opener).unwrap();
    if host.shards().is_none() {
        apply_all(&mut host.control(), [found(0)]).await;
    }
    host
}

pub(super) const fn id(term: u64, index: u64) -> LogId {
    LogId { leader_id: openraft::vote::leader_id_std::CommittedLeaderId { term }, index }
}

pub(super) fn count() -> ShardCount {
    ShardCount::new(SHARDS).unwrap()
}

/// The entry that founds a cluster.
pub(super) fn found(index: u64) -> Entry {
    let cluster = ClusterRecord {
        id: "00".to_owned(),
        shards: count(),
        replication: 3,
        founded_at: Timestamp::from_millis(START),
    };
    let founder = member(ME, "one");
    control_entry(index, vec![ControlCommand::Found { cluster, founder }])
}

pub(super) fn member(id: NodeId, name: &str) -> MemberRecord {
    MemberRecord {
        id,
        name: name.to_owned(),
        addresses: Vec::new(),
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: 1,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: Timestamp::from_millis(START),
    }
}

pub(super) fn control_entry(index: u64, commands: Vec<ControlCommand>) -> Entry {
    Entry { log_id: id(TERM, index), payload: EntryPayload::Normal(Entries::Control(commands)) }
}

pub(super) fn blank(index: u64) -> Entry {
    Entry { log_id: id(TERM, index), payload: EntryPayload::Blank }
}

pub(super) fn membership(index: u64, nodes: &[NodeId]) -> Entry {
    let voters: BTreeSet<_> = nodes.iter().copied().collect();
    let membership = Membership::new_with_defaults(vec![voters], []);
    Entry { log_id: id(TERM, index), payload: EntryPayload::Membership(membership) }
}

/// Applies entries the way openraft does.
pub(super) async fn apply_all<M: RaftStateMachine<TypeConfig>>(
    machine: &mut M,
    entries: impl IntoIterator<Item = Entry, IntoIter: Send>,
) {
    let entries: Vec<_> = entries.into_iter().map(|entry| Ok((entry, None))).collect();
    machine.apply(futures::stream::iter(entries)).await.unwrap();
}

/// A shard with its log: what a group of one would have.
pub(super) struct Group {
    pub(super) host: Arc<StateHost>,
    pub(super) shard: ShardId,
    pub(super) machine: ShardMachine,
    pub(super) log: Vec<Entry>,
}

impl Group {
    pub(super) fn new(host: &Arc<StateHost>, shard: ShardId) -> Self {
        Self { host: Arc::clone(host), shard, machine: host.shard(shard), log: Vec::new() }
    }

    /// A shard that is led, with the agent, which is its own.
    pub(super) async fn led(host: &Arc<StateHost>, name: &str) -> Self {
        let mut group = Self::new(host, count().shard_of(AgentId::from_name(name)));
        host.set_leading(group.shard, Some(TERM));
        group.propose(vec![activate(group.shard, ME), create(name)]).await;
        group
    }

    /// Commits and applies commands as one entry.
    pub(super) async fn propose(&mut self, commands: Vec<Command>) {
        let payload = EntryPayload::Normal(Entries::Shard(commands));
        let entry = Entry { log_id: id(TERM, self.log.len() as u64), payload };
        self.log.push(entry.clone());
        apply_all(&mut self.machine, [entry]).await;
    }

    pub(super) async fn commit(&mut self, entry: Entry) {
        self.log.push(entry.clone());
        apply_all(&mut self.machine, [entry]).await;
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.machine.cell.state.read().machine.epoch()
    }

    /// Accepts, begins, steps and ends a task, each in an entry of its own.
    pub(super) async fn run(&mut self, agent: AgentId) -> TaskId {
        let task = self.accept(agent).await;
        for command in self.work(task) {
            self.propose(vec![command]).await;
        }
        task
    }

    /// What runs a waiting task to its end.
    pub(super) fn work(&self, task: TaskId) -> Vec<Command> {
        let epoch = self.epoch();
        let outcome = Outcome::Succeeded(message(START));
        vec![
            Command::Begin { task, epoch, version: 1, now: now() },
            Command::Step { task, step: Arc::new(step(0, epoch)), now: now() },
            Command::End { task, epoch, outcome, memory: Some("noted".into()), now: now() },
        ]
    }

    pub(super) async fn accept(&mut self, agent: AgentId) -> TaskId {
        let task = new_task(agent);
        let id = task.id;
        self.propose(vec![Command::Accept { task: Box::new(task), now: now() }]).await;
        id
    }

    /// The rest of the log, on a host that was opened anew.
    pub(super) async fn catch_up(&self, host: &Arc<StateHost>) -> ShardMachine {
        let mut machine = host.shard(self.shard);
        let (applied, _) = machine.applied_state().await.unwrap();
        let next = applied.map_or(0, |applied| applied.index + 1);
        apply_all(&mut machine, self.log[usize::try_from(next).unwrap()..].to_vec()).await;
        machine
    }
}

/// All that a shard has stored, without where it lies.
pub(super) async fn dump(host: &StateHost, shard: ShardId) -> Vec<(octopussy_store::Keyspace, Vec<u8>, Vec<u8>)> {
    use super::super::flusher::SHARD_KEYSPACES;
    use octopussy_store::{Direction, KeyRange};
    host.flush().await.unwrap();
    let slot = host.shared.cell(shard).unwrap().state.read().slot;
    let mut all = Vec::new();
    for keyspace in SHARD_KEYSPACES {
        let range = KeyRange::prefix(&slot.prefix());
        let read = |store: &dyn octopussy_store::Store| {
            store.snapshot()?.page(keyspace, &range, Direction::Forward, usize::MAX)
        };
        let rows = host.shared.store.with(read).unwrap();
        all.extend(rows.into_iter().map(|(key, value)| (keyspace, key[3..].to_vec(), value)));
    }
    all
}

/// Asserts that two replicas of a shard have the same state, in memory and stored.
pub(super) async fn assert_same(left: (&StateHost, &ShardMachine), right: (&StateHost, &ShardMachine)) {
    {
        let (a, b) = (left.1.cell.state.read(), right.1.cell.state.read());
        assert_eq!(a.applied, b.applied);
        assert_eq!(a.membership, b.membership);
        assert_eq!(a.machine, b.machine);
    }
    let shard = left.1.cell.shard;
    assert_eq!(dump(left.0, shard).await, dump(right.0, shard).await);
}

/// Sends a snapshot the way the mesh does.
pub(super) async fn send(snapshot: &mut SnapshotFile, to: &StateHost, group: GroupId) -> SnapshotFile {
    let mut reader = snapshot.read().await.unwrap();
    let mut writer = to.receive_snapshot(group).await.unwrap();
    let mut sent = 0;
    while let Some(bytes) = reader.next(1_000).await.unwrap() {
        sent += bytes.len() as u64;
        writer.write(bytes).await.unwrap();
    }
    assert_eq!(sent, reader.len());
    writer.finish().await.unwrap()
}

/// The present snapshot of `from`, sent to `to`.
pub(super) async fn transfer<M>(
    from: &mut M,
    to: &StateHost,
    group: GroupId,
) -> (SnapshotMetaOf<TypeConfig>, SnapshotFile)
where
    M: RaftStateMachine<TypeConfig, SnapshotData = SnapshotFile>,
{
    let mut snapshot = from.get_current_snapshot().await.unwrap().unwrap();
    let received = send(&mut snapshot.snapshot, to, group).await;
    (snapshot.meta, received)
}

/// Waits until `condition` holds, at most ten seconds.
pub(super) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "{what} did not happen in time");
        tokio::task::yield_now().await;
    }
}
