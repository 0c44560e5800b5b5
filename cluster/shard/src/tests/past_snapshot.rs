//! A snapshot that is behind what its sender has sent before, in the same term.

use super::support::*;
use crate::ShardHost;
use crate::raft::{GroupId, Replica, TypeConfig};
use octopussy_core::ids::NodeId;
use octopussy_mesh::memory::Network;
use openraft::alias::{EntryOf, LeaderIdOf, LogIdOf, VoteOf};
use openraft::entry::RaftEntry;
use openraft::raft::AppendEntriesRequest;
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, LogId, Membership, Vote};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tempfile::TempDir;

const LEADER: NodeId = node_id(9);
const TERM: u64 = 5;

fn id(index: u64) -> LogIdOf<TypeConfig> {
    LogId::new(LeaderIdOf::<TypeConfig>::new(TERM, LEADER).to_committed(), index)
}

/// The leader's entries: who votes, and nothing after it.
fn entries(indexes: std::ops::Range<u64>) -> Vec<EntryOf<TypeConfig>> {
    let nodes = [LEADER, node_id(1), node_id(2)];
    let voters = BTreeSet::from(nodes);
    let members = Membership::new(
        vec![voters],
        nodes.map(|node| (node, Replica::default())).into_iter().collect::<BTreeMap<_, _>>(),
    );
    let membership = EntryPayload::Membership(members.unwrap());
    let payload = |index| if index == 0 { membership.clone() } else { EntryPayload::Blank };
    indexes.map(|index| EntryOf::<TypeConfig>::new(id(index), payload(index))).collect()
}

/// A node that hears of nobody but this test, which speaks as the leader of the control group.
struct Lone {
    node: TestNode,
    _dir: TempDir,
}

impl Lone {
    async fn new(number: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mesh = Network::new(1).node(node_id(number), 1);
        let reach = Arc::new(Connected(Arc::clone(&mesh)));
        let host = ShardHost::open(config(dir.path()), clock(), mesh, reach).await.unwrap();
        Self { node: TestNode::of(host, clock(), node_id(number)), _dir: dir }
    }

    fn vote() -> VoteOf<TypeConfig> {
        Vote::new_committed(TERM, LEADER)
    }

    /// Whether the leader's entries were taken, with word of how far they are committed.
    async fn append(&self, indexes: std::ops::Range<u64>, committed: u64) -> bool {
        let request = AppendEntriesRequest {
            vote: Self::vote(),
            prev_log_id: indexes.start.checked_sub(1).map(id),
            leader_commit: Some(id(committed)),
            entries: entries(indexes),
        };
        let group = self.node.host.core().registry.get(GroupId::CONTROL).unwrap();
        group.raft().append_entries(request).await.is_ok_and(|answer| answer.is_success())
    }

    fn applied(&self) -> Option<u64> {
        use openraft::async_runtime::watch::WatchReceiver;
        let group = self.node.host.core().registry.get(GroupId::CONTROL).unwrap();
        group.raft().data_metrics().borrow_watched().last_applied.map(|id| id.index)
    }
}

/// openraft asserts in debug builds that what it submits to its log never goes back, which a snapshot does here. A leader sends
/// one when its log is shortened beyond what the follower has acknowledged, while what it had sent is still on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_the_past_leaves_a_group_that_goes_on() {
    let (ahead, behind) = (Lone::new(1).await, Lone::new(2).await);
    assert!(ahead.append(0..6, 3).await);
    assert!(behind.append(0..6, 1).await);
    eventually("what is committed", || ahead.applied() == Some(3)).await;
    ahead.node.host.core().context.state.flush().await.unwrap();
    let source = ahead.node.host.core().registry.get(GroupId::CONTROL).unwrap();
    let snapshot = source.raft().get_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.meta.last_log_id, Some(id(3)));
    let group = behind.node.host.core().registry.get(GroupId::CONTROL).unwrap();
    let installed = group.raft().install_full_snapshot(Lone::vote(), snapshot).await;
    if installed.is_err() {
        eventually("its restart", || behind.node.host.group_restarts() == 1).await;
    }
    // The leader goes on, with what the follower has.
    assert!(behind.append(4..8, 7).await);
    eventually("all of it", || behind.applied() == Some(7)).await;
    ahead.node.close().await;
    behind.node.close().await;
}
