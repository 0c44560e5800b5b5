//! Disks that have lost the log, the state, or a part of them.

use super::clusters::{MOVE, TestCluster};
use super::support::*;
use crate::raft::{GroupId, Replica, ReplicaIncarnation, TypeConfig};
use crate::{OpenError, ShardHost};
use octopussy_core::ids::ShardId;
use octopussy_core::time::Clock;
use octopussy_mesh::memory::Network;
use openraft::alias::{EntryOf, LeaderIdOf, LogIdOf, VoteOf};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::entry::RaftEntry;
use openraft::raft::AppendEntriesRequest;
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, LogId, Membership, Vote};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

const GROUPS: [GroupId; 2] = [GroupId::CONTROL, GroupId(1)];

fn lose(dir: &Path, what: &str) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with(what) {
            if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
        }
    }
}

/// A node by itself that is not waited for, on what lies there.
async fn alone(dir: &Path, boot: u64) -> Result<TestNode, OpenError> {
    unconnected(dir, 7, boot).await
}

async fn unconnected(dir: &Path, number: u8, boot: u64) -> Result<TestNode, OpenError> {
    let (id, clock) = (node_id(number), clock());
    let mesh = Network::new(1).node(id, boot);
    let reach = Arc::new(Connected(Arc::clone(&mesh)));
    let host = ShardHost::open(config(dir), clock.clone(), mesh, reach).await?;
    Ok(TestNode::of(host, clock, id))
}

/// Drops the log of every group up to what its state has.
async fn trim(node: &TestNode) {
    for group in node.host.core().registry.all() {
        let applied = group.raft().data_metrics().borrow_watched().last_applied.unwrap().index;
        group.raft().trigger().snapshot().await.unwrap();
        let raft = group.raft().clone();
        eventually("a snapshot", || {
            raft.data_metrics().borrow_watched().snapshot.is_some_and(|id| id.index >= applied)
        })
        .await;
        group.raft().trigger().purge_log(applied).await.unwrap();
        eventually("the purge", || raft.data_metrics().borrow_watched().purged.is_some_and(|id| id.index >= applied))
            .await;
    }
}

impl TestCluster {
    fn incarnation(&self, number: u8, group: GroupId) -> Option<ReplicaIncarnation> {
        Some(self.nodes.get(&number)?.host.core().registry.get(group)?.incarnation())
    }

    /// Whether the leader of the group counts the replica that the node has, with a vote beside two others, and it has everything.
    fn counts(&self, number: u8, id: GroupId) -> bool {
        let groups = self.nodes.values().filter_map(|node| node.host.core().registry.get(id));
        let Some(leader) = groups.into_iter().find(|group| group.speaks()) else { return false };
        let metrics = leader.raft().metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let named = membership.get_node(&node_id(number)).map(|replica| replica.incarnation);
        let matched = metrics.replication.iter().flatten().all(|(_, matched)| *matched >= metrics.last_applied);
        named == self.incarnation(number, id)
            && membership.get_joint_config().len() == 1
            && membership.voter_ids().count() == 3
            && matched
    }
}

/// What the disk of a node loses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    Log,
    State,
    /// The state is as it was before what the log begins with.
    NewerState,
}

fn copy_state(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("state") {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Lets the node that founded the cluster lose something, and sees it come back.
async fn comes_back(seed: u64, loss: Loss) {
    let mut cluster = TestCluster::of(seed, 1, 3).await;
    let agent = cluster.node(1).create("alice").await;
    cluster.crash(1).await;
    let old = tempfile::tempdir().unwrap();
    copy_state(cluster.dir(1), old.path());
    cluster.restart(1).await;
    let led = |cluster: &TestCluster| cluster.leader(ShardId(0)).is_some();
    cluster.until("a leader", LIMIT, || led(&cluster)).await;
    let task = cluster.node(1).accept_one(agent).await;
    let (token, digest) = join_token(b"later", node_id(1), cluster.node(1).clock.now());
    cluster.node(1).host.propose_control_for(admin(), token).await.unwrap();
    let has = |cluster: &TestCluster, number| {
        let host = &cluster.node(number).host;
        host.core().context.state.task(task).is_ok_and(|task| task.is_some())
            && host.control().tokens.contains_key(&octopussy_control::JoinToken::id_of(&digest))
    };
    cluster.until("all of it everywhere", LIMIT, || (1..=3).all(|number| has(&cluster, number))).await;
    if loss == Loss::NewerState {
        for number in 1..=3 {
            trim(cluster.node(number)).await;
        }
    }
    cluster.crash(1).await;
    let before = GROUPS.map(|group| cluster.incarnation(2, group).unwrap());
    lose(cluster.dir(1), if loss == Loss::Log { "log" } else { "state" });
    if loss == Loss::NewerState {
        copy_state(old.path(), cluster.dir(1));
    }
    cluster.restart(1).await;
    assert!(
        loss == Loss::State || cluster.node(1).host.is_member(),
        "what it knows of the cluster can be read meanwhile"
    );
    let whole = || GROUPS.iter().all(|group| cluster.counts(1, *group));
    cluster.until("its replicas to count", MOVE, whole).await;
    assert_eq!(before, GROUPS.map(|group| cluster.incarnation(2, group).unwrap()), "the others' are as they were");
    cluster.until("all of it", LIMIT, || has(&cluster, 1)).await;
    let node = cluster.node(1);
    assert_eq!(node.host.group_restarts(), 0, "a group ended by itself");
    let losses = node.host.own_losses();
    assert_eq!((losses.waiting.len(), losses.found), (0, if loss == Loss::State { 0 } else { 2 }));
    // It carries its part again.
    cluster.crash(2).await;
    cluster.until("a leader", LIMIT, || led(&cluster)).await;
    cluster.node(1).accept_one(agent).await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_lost_its_log_comes_back_with_other_replicas_of_all_groups() {
    comes_back(71, Loss::Log).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_lost_its_state_makes_it_anew_of_the_log() {
    comes_back(72, Loss::State).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_log_does_not_give_back_what_its_state_has_lost_gets_it_from_the_others() {
    comes_back(73, Loss::NewerState).await;
}

/// Two histories of one group: whoever was made to go on alone meets those who have gone on without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_has_committed_something_else_is_installed_anew() {
    let mut cluster = TestCluster::of(74, 1, 3).await;
    cluster.crash(2).await;
    cluster.crash(3).await;
    let node = cluster.node(1);
    let control = node.host.core().registry.get(GroupId::CONTROL).unwrap();
    cluster.until("the loss of the lease", LIMIT, || !control.speaks()).await;
    let applied = control.raft().data_metrics().borrow_watched().last_applied;
    drop(control);
    // What it is made to commit is of a later term than what the others go on with.
    let directory = cluster.dir(1).to_path_buf();
    cluster.crash(1).await;
    fork(&directory, applied).await;
    cluster.restart(2).await;
    cluster.restart(3).await;
    cluster.until("a leader of the others", LIMIT, || cluster.nodes.values().any(|node| node.leads_any())).await;
    let before = cluster.node(2).host.control().version;
    for number in 0_u8..8 {
        let (token, _) = join_token(&[b'n', number], node_id(2), cluster.node(2).clock.now());
        cluster.node(2).host.propose_control_for(admin(), token).await.unwrap();
    }
    cluster.restart(1).await;
    cluster.until("the new replica", MOVE, || cluster.counts(1, GroupId::CONTROL)).await;
    let there = || {
        let all: Vec<_> = cluster.nodes.values().map(|node| node.host.control()).collect();
        all.iter().all(|control| control.version > before && **control == *all[0])
    };
    cluster.until("the same everywhere", LIMIT, there).await;
    cluster.close().await;
}

/// Commits entries of another history in the control group of a node that is down.
async fn fork(dir: &Path, applied: Option<LogIdOf<TypeConfig>>) {
    let node = unconnected(dir, 1, 9).await.unwrap();
    let control = node.host.core().registry.get(GroupId::CONTROL).unwrap();
    let applied = applied.unwrap();
    let leader = node_id(9);
    let term = applied.committed_leader_id().term + 3;
    let id = |index| LogId::new(LeaderIdOf::<TypeConfig>::new(term, leader).to_committed(), index);
    let request = AppendEntriesRequest {
        vote: Vote::new_committed(term, leader),
        prev_log_id: Some(applied),
        leader_commit: Some(id(applied.index + 3)),
        entries: (1..=3)
            .map(|next| EntryOf::<TypeConfig>::new(id(applied.index + next), EntryPayload::Blank))
            .collect(),
    };
    assert!(control.raft().append_entries(request).await.unwrap().is_success());
    let committed = || control.raft().data_metrics().borrow_watched().last_applied == Some(id(applied.index + 3));
    eventually("the other history", committed).await;
    node.host.core().context.state.flush().await.unwrap();
    drop(control);
    node.close().await;
}

/// A log that is being filled again passes by the membership in which its node was alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_has_come_to_an_early_membership_does_not_lead_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let node = alone(dir.path(), 3).await.unwrap();
    let leader = node_id(9);
    let id = LogId::new(LeaderIdOf::<TypeConfig>::new(1, leader).to_committed(), 0);
    let nodes = BTreeMap::from([(node.id, Replica::default())]);
    let founder = Membership::new(vec![BTreeSet::from([node.id])], nodes).unwrap();
    let request = AppendEntriesRequest {
        vote: Vote::new_committed(5, leader),
        prev_log_id: None,
        leader_commit: None,
        entries: vec![EntryOf::<TypeConfig>::new(id, EntryPayload::Membership(founder))],
    };
    let control = |node: &TestNode| node.host.core().registry.get(GroupId::CONTROL).unwrap();
    assert!(control(&node).raft().append_entries(request).await.unwrap().is_success());
    node.close().await;
    let node = alone(dir.path(), 4).await.unwrap();
    let vote: Option<VoteOf<TypeConfig>> = control(&node).context().log.group(GroupId::CONTROL).vote();
    let end = std::time::Instant::now() + control(&node).context().config.timings.election_max * 4;
    while std::time::Instant::now() < end {
        assert!(!control(&node).leads(), "it goes on by itself, beside those it belongs to");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(control(&node).context().log.group(GroupId::CONTROL).vote(), vote, "it stood for election");
    node.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_voter_that_has_lost_its_log_goes_on_by_command_only() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::alone(config(dir.path()), clock()).await;
    let agent = node.create("alice").await;
    let task = node.accept_one(agent).await;
    node.close().await;
    lose(dir.path(), "log");
    let node = alone(dir.path(), 2).await.unwrap();
    assert!(node.host.is_member(), "what it knows of the cluster can still be read");
    let losses = node.host.own_losses();
    assert_eq!((losses.found, losses.alone.len(), losses.waiting.len()), (5, 5, 5));
    let end = std::time::Instant::now() + config(dir.path()).timings.election_max * 4;
    while std::time::Instant::now() < end {
        assert!(!node.leads_any(), "what it had acknowledged may be gone, and nobody has said so");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(node.host.recover(&admin()).await.unwrap().groups.len(), 5);
    eventually("the lead of all shards", || node.leads_all()).await;
    assert!(node.ledger.task(task).await.unwrap().is_some());
    node.run(agent).await;
    assert_eq!(node.host.own_losses().waiting, [] as [u16; 0]);
    node.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_voter_whose_state_is_gone_is_not_opened_and_says_what_helps() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::alone(config(dir.path()), clock()).await;
    trim(&node).await;
    node.close().await;
    lose(dir.path(), "state");
    for _ in 0..2 {
        let error = alone(dir.path(), 2).await.err().unwrap();
        assert!(matches!(error, OpenError::Lost { group: 0, .. }), "{error:?}");
        for part in ["group 0", dir.path().to_str().unwrap(), "backup", "--home"] {
            assert!(error.to_string().contains(part), "'{part}' is missing: {error}");
        }
    }
}
