//! What a node that starts again keeps to without remembering it.
//!
//! A follower that answers its leader promises to help nobody else into its place for as long as the leader's lease lasts, by
//! which the leader speaks. The promise is in memory only: whoever starts again keeps still for as long as any it can have made.

use super::group::{Group, GroupRaft};
use crate::raft::TypeConfig;
use octopussy_core::ids::NodeId;
use openraft::raft::VoteResponse;
use std::sync::Arc;
use tokio::time::Instant;

impl Group {
    /// Whether this node may have promised, before it started, not to vote yet.
    pub(crate) fn is_bound(&self) -> bool {
        self.bound_until.is_some_and(|until| Instant::now() < until)
    }

    /// What a candidate hears meanwhile.
    pub(crate) fn no_vote(&self) -> Option<VoteResponse<TypeConfig>> {
        let vote = self.context.log.group(self.id).vote().filter(|_| self.is_bound())?;
        Some(VoteResponse::new(vote, None, false))
    }

    /// Does not stand for election meanwhile.
    pub(super) fn keep_promise(self: &Arc<Self>) {
        let Some(until) = self.bound_until else { return };
        self.raft.runtime_config().elect(false);
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = this.stopping.cancelled() => {}
                () = tokio::time::sleep_until(until) => this.raft.runtime_config().elect(true),
            }
        });
    }
}

/// Whether the node is its own quorum: nobody else has to be asked for a vote, and to nobody was anything promised.
pub(super) async fn is_sole_voter(raft: &GroupRaft, me: NodeId) -> bool {
    let sole = raft.with_raft_state(move |state| state.membership_state.effective().voter_ids().eq([me]));
    // A Raft that has ended already votes for nobody.
    sole.await.unwrap_or(false)
}
