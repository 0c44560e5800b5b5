//! One node made the only voter of a group, with a real Raft.

use super::super::LogHost;
use super::machine::{Machine, Nobody};
use super::support::*;
use crate::raft::types::{Entries, GroupId, TypeConfig};
use octopussy_core::ids::NodeId;
use openraft::entry::RaftEntry;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use openraft::{Config, EntryPayload, Membership, Raft, ServerState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const GROUP: GroupId = GroupId(5);

type TestRaft = Raft<TypeConfig, Machine<TypeConfig>>;

async fn start(host: &LogHost, machine: &Machine<TypeConfig>) -> TestRaft {
    let config = Config {
        heartbeat_interval: 50,
        election_timeout_min: 100,
        election_timeout_max: 200,
        enable_pre_vote: Some(true),
        ..Config::default()
    };
    let config = Arc::new(config.validate().unwrap());
    Raft::new(ME, config, Nobody, host.group(GROUP), machine.clone()).await.unwrap()
}

fn limit() -> Option<Duration> {
    Some(Duration::from_secs(10))
}

/// Three voters, of which the other two are gone, with two entries that are not known to be committed.
async fn leave_behind(host: &LogHost) {
    let voters = BTreeSet::from([ME, NodeId([2; 16]), NodeId([3; 16])]);
    let mut log = host.group(GROUP);
    log.save_vote(&super::super::Vote::new_committed(4, NodeId([2; 16]))).await.unwrap();
    let membership = super::super::Entry::new_membership(id(1, 0), Membership::new_with_defaults(vec![voters], []));
    append(&mut log, vec![membership, entry(3, 1), entry(4, 2), entry(4, 3)]).await;
    log.save_committed(Some(id(3, 1))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_its_majority_can_go_on_alone() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    leave_behind(&host).await;
    let machine = Machine::new();
    let raft = start(&host, &machine).await;
    let waited = raft.wait(Some(Duration::from_millis(800))).current_leader(ME, "alone").await;
    assert!(waited.is_err(), "without a majority nobody leads");
    raft.shutdown().await.unwrap();
    assert_eq!(machine.0.lock().applied.len(), 2, "nothing more is applied than is known to be committed");
    let term = host.group(GROUP).vote().unwrap().leader_id.term;

    let applied = machine.0.lock().last;
    let forced = host.force_sole_voter(GROUP, ME, applied).await.unwrap();
    assert_eq!(forced.index, 4);
    assert!(forced.leader_id.term > term, "its term is new");
    drop(raft);
    drop(host);

    let host = open(dir.path());
    let raft = start(&host, &machine).await;
    raft.wait(limit()).state(ServerState::Leader, "leads alone").await.unwrap();
    raft.client_write(Entries::Shard(vec![command(7, 64)])).await.unwrap();
    {
        let content = machine.0.lock();
        let voters: Vec<NodeId> = content.membership.membership().voter_ids().collect();
        assert_eq!(voters, [ME]);
        let numbers: Vec<u64> = content.applied.iter().map(|entry| entry.log_id.index).collect();
        assert_eq!(numbers, (0..7).collect::<Vec<_>>(), "each is applied once: the old, the forced, a blank, the new");
        let last = &content.applied.last().unwrap().payload;
        assert!(matches!(last, EntryPayload::Normal(Entries::Shard(commands)) if *commands == [command(7, 64)]));
    }
    raft.shutdown().await.unwrap();
    close(host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner_without_a_log_and_a_state_ahead_of_its_log_can_be_forced_too() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    // Nothing there at all.
    let machine = Machine::new();
    host.force_sole_voter(GROUP, ME, None).await.unwrap();
    let raft = start(&host, &machine).await;
    raft.wait(limit()).state(ServerState::Leader, "leads alone").await.unwrap();
    raft.shutdown().await.unwrap();
    host.bury(GROUP).await.unwrap();
    assert_eq!(host.groups_with_data(), []);

    // A crash took the end of the log, which had been applied.
    leave_behind(&host).await;
    let machine = Machine::new();
    machine.0.lock().last = Some(id(4, 9));
    let forced = host.force_sole_voter(GROUP, ME, Some(id(4, 9))).await.unwrap();
    assert_eq!(forced.index, 10);
    let raft = start(&host, &machine).await;
    raft.wait(limit()).state(ServerState::Leader, "leads alone").await.unwrap();
    raft.client_write(Entries::Shard(vec![command(7, 64)])).await.unwrap();
    raft.shutdown().await.unwrap();
    let mut log = host.group(GROUP);
    assert_eq!(log.purged(), Some(id(4, 9)));
    assert_eq!(log.try_get_log_entries(..).await.unwrap()[0].log_id, forced);
    close(host).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raft_goes_on_after_its_disk_was_full() {
    use std::sync::atomic::Ordering;
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    let machine = Machine::new();
    let raft = start(&host, &machine).await;
    raft.initialize(BTreeMap::from([(ME, crate::raft::Replica::default())])).await.unwrap();
    raft.wait(limit()).state(ServerState::Leader, "leads").await.unwrap();
    raft.client_write(Entries::Shard(vec![command(1, 64)])).await.unwrap();
    disk.full.store(true, Ordering::SeqCst);
    let writer = raft.clone();
    let write = tokio::spawn(async move { writer.client_write(Entries::Shard(vec![command(2, 64)])).await });
    eventually("the failure", || host.health().is_err()).await;
    assert!(!write.is_finished());
    disk.full.store(false, Ordering::SeqCst);
    within(write).await.unwrap().unwrap();
    raft.client_write(Entries::Shard(vec![command(3, 64)])).await.unwrap();
    raft.shutdown().await.unwrap();
    let count = machine.0.lock().applied.len();
    close(host).await;
    let host = open(dir.path());
    let applied: Vec<_> = machine.0.lock().applied.iter().map(|entry| entry.log_id).collect();
    assert_eq!(ids(&host.group(GROUP)).await, applied, "{count} entries were applied");
}
