//! What the parts of a node's groups share.

use super::authority::Authority;
use super::context::Context;
use super::group::Group;
use super::registry::Registry;
use crate::forward::Hints;
use crate::raft::GroupId;
use octopussy_control::ControlState;
use octopussy_core::ids::{NodeId, ShardCount, ShardId};
use octopussy_core::ports::{MeshPort, Reach, ReachabilityPort};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the parts of a node's groups share.
pub(crate) struct Core {
    pub(crate) context: Arc<Context>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) mesh: Arc<dyn MeshPort>,
    pub(crate) reach: Arc<dyn ReachabilityPort>,
    pub(crate) control: watch::Receiver<Arc<ControlState>>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) hints: Hints,
    /// Wakes the reconciler after an action.
    pub(crate) acted: Notify,
    /// Cancelled when the node stops: nothing new is begun.
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// How many times a group that had ended by itself was started again.
    pub(crate) revivals: AtomicU64,
    /// How many dead letters were forgotten for the sake of their bounds.
    pub(crate) dead_dropped: AtomicU64,
}

impl Core {
    pub(crate) fn me(&self) -> NodeId {
        self.context.me
    }

    pub(crate) fn control(&self) -> Arc<ControlState> {
        Arc::clone(&self.control.borrow())
    }

    /// How many shards the cluster has; the default before it is known here.
    pub(crate) fn shards(&self) -> ShardCount {
        let state = self.control.borrow();
        state.cluster.as_ref().map_or(ShardCount::DEFAULT, |cluster| cluster.shards)
    }

    /// Lets a group that was started be found.
    pub(crate) fn admit(&self, group: Arc<Group>) {
        self.registry.insert(group);
        // It may have ended before it could be found.
        self.context.fallen.notify_one();
    }

    pub(crate) fn group(&self, shard: ShardId) -> Option<Arc<Group>> {
        self.registry.get(GroupId::of(shard))
    }

    /// Whether this node leads the shard, may speak for it, and has applied everything up to its own activation.
    pub(crate) fn leads(&self, shard: ShardId) -> bool {
        self.group(shard).is_some_and(|group| group.speaks()) && self.context.state.epoch(shard).is_some()
    }

    /// The shards this node leads.
    pub(crate) fn led(&self) -> Vec<ShardId> {
        let shards = self.registry.ids().into_iter().filter_map(GroupId::shard);
        shards.filter(|shard| self.leads(*shard)).collect()
    }

    /// Who leads the group, as far as this node knows.
    pub(crate) fn leader(&self, group: GroupId) -> Option<NodeId> {
        match self.registry.get(group) {
            Some(group) => group.leader(),
            None => self.hints.get(group),
        }
    }

    /// Who leads a group that has a replica here, as that replica knows.
    pub(crate) fn leader_here(&self, group: GroupId) -> Option<NodeId> {
        self.registry.get(group).and_then(|group| group.leader())
    }

    /// Whether no majority of those who vote in the group answers this node, which then hears of no leader. A node of which
    /// nothing is known yet may answer.
    pub(crate) fn is_cut_off(&self, group: GroupId) -> bool {
        let voters = match (self.registry.get(group), group.shard()) {
            (Some(group), _) => group.voters(),
            (None, Some(shard)) => {
                self.control.borrow().place(shard).map(|place| place.current.voters.clone()).unwrap_or_default()
            }
            (None, None) => Vec::new(),
        };
        let silent = |node: &&NodeId| match self.reach.reach(**node) {
            Reach::Suspect | Reach::Down => **node != self.context.me,
            Reach::Alive | Reach::Unknown => false,
        };
        !voters.is_empty() && voters.iter().filter(silent).count() * 2 >= voters.len()
    }

    /// The nodes that may know or be the leader of a group: the likeliest first, without this one.
    pub(crate) fn candidates(&self, group: GroupId) -> Vec<NodeId> {
        let state = self.control.borrow();
        let mut nodes: Vec<NodeId> = Vec::new();
        nodes.extend(self.leader(group));
        nodes.extend(self.hints.get(group));
        match group.shard().and_then(|shard| state.place(shard)) {
            Some(place) => {
                for set in std::iter::once(&place.current).chain(&place.target) {
                    nodes.extend(&set.voters);
                    nodes.extend(&set.learners);
                }
                nodes.extend(&place.former);
            }
            // Every member has a copy of the control group.
            None => nodes.extend(state.members.keys()),
        }
        let mut seen = std::collections::HashSet::new();
        nodes.retain(|node| *node != self.context.me && seen.insert(*node));
        nodes
    }
}
