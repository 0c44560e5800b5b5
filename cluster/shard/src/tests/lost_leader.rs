//! Leaders of the control group that are lost while they have a command in hand.

use super::clusters::{TestCluster, number};
use super::support::*;
use crate::error::ControlError;
use crate::raft::GroupId;
use octopussy_control::{ControlApplied, ControlCommand};
use octopussy_core::time::Clock;
use openraft::async_runtime::watch::WatchReceiver;
use std::sync::atomic::Ordering;

/// Kills the leader of the control group when it has the command, which another node has brought it, and nobody has
/// written it.
async fn lost_with(
    cluster: &mut TestCluster,
    command: impl Fn(&TestCluster, u8) -> ControlCommand,
) -> (u8, Result<ControlApplied, ControlError>) {
    let leader = number(cluster.node(1).host.core().registry.get(GroupId::CONTROL).unwrap().leader().unwrap());
    let asker = if leader == 3 { 2 } else { 3 };
    let stall = |cluster: &TestCluster, stalled| {
        for number in [1, 2, 3] {
            cluster.disks(number).log.stalled.store(stalled, Ordering::SeqCst);
        }
    };
    let group = cluster.node(leader).host.core().registry.get(GroupId::CONTROL).unwrap();
    let last = || group.raft().data_metrics().borrow_watched().last_log.map(|id| id.index);
    let before = last();
    stall(cluster, true);
    let host = std::sync::Arc::clone(&cluster.node(asker).host);
    let command = command(cluster, asker);
    let proposal = tokio::spawn(async move { host.propose_control_for(admin(), command).await });
    cluster.until("the command to arrive", LIMIT, || last() > before).await;
    drop(group);
    cluster.crash_unwritten(leader).await;
    stall(cluster, false);
    (asker, proposal.await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_may_be_given_again_is_when_its_leader_is_lost() {
    let mut cluster = TestCluster::of(41, 1, 3).await;
    let token =
        |cluster: &TestCluster, asker: u8| join_token(b"secret", node_id(asker), cluster.node(asker).clock.now()).0;
    let (asker, answer) = lost_with(&mut cluster, token).await;
    assert_eq!(answer, Ok(ControlApplied::Done));
    assert_eq!(cluster.node(asker).host.control().tokens.values().filter(|token| token.used_by.is_empty()).count(), 1);
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_command_that_may_not_be_given_again_is_left_open() {
    let mut cluster = TestCluster::of(42, 1, 3).await;
    let recovery = |cluster: &TestCluster, asker: u8| {
        let now = cluster.node(asker).clock.now();
        ControlCommand::Recover {
            node: node_id(asker),
            shards: Vec::new(),
            now,
            by: octopussy_control::AskedBy::UNTOLD,
        }
    };
    let (_, answer) = lost_with(&mut cluster, recovery).await;
    assert_eq!(answer, Err(ControlError::Uncertain));
    cluster.close().await;
}
