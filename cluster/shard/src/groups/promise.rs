//! What a node that starts again keeps to without remembering it.
//!
//! A follower that answers its leader promises to help nobody else into its place for as long as the leader's lease lasts, by
//! which the leader speaks. The promise is in memory only: whoever starts again keeps still for as long as any it can have made.

use super::group::{Group, GroupRaft};
use crate::raft::{Replica, TypeConfig};
use octopussy_core::ids::NodeId;
use openraft::alias::VoteOf;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::VoteResponse;
use std::sync::Arc;
use tokio::time::Instant;

impl Group {
    /// Whether this node may have promised, before it started, not to vote yet, or may not vote at all.
    pub(crate) fn is_bound(&self) -> bool {
        self.bound_until.is_some_and(|until| Instant::now() < until) || !self.context.may_vote()
    }

    /// What a candidate hears meanwhile.
    pub(crate) fn no_vote(&self) -> Option<VoteResponse<TypeConfig>> {
        let vote = self.context.log.group(self.id).vote();
        let refused = if self.context.may_vote() {
            vote.filter(|_| self.is_bound())?
        } else {
            vote.unwrap_or_else(|| VoteOf::<TypeConfig>::new(0, self.context.me))
        };
        Some(VoteResponse::new(refused, None, false))
    }

    /// Whether this replica is the one that the group's latest membership names. One that came back with less than it had is not,
    /// until the leader has let it in again. That holds also where the membership names no other voter: it may be an early one of
    /// a log that is only being filled again.
    pub(crate) fn is_counted(&self) -> bool {
        let server = self.raft.server_metrics();
        let server = server.borrow_watched();
        let named = server.membership_config.membership().get_node(&self.context.me);
        named.is_none_or(|replica| *replica == self.replica())
    }

    /// Whether this replica may stand for election now.
    pub(crate) fn may_stand(&self) -> bool {
        !self.is_bound() && self.is_counted()
    }

    /// Lets its Raft stand for election while it may.
    pub(super) fn review_standing(&self) {
        self.raft.runtime_config().elect(self.may_stand());
    }

    /// Does not stand for election meanwhile. One that votes alone stands at once, since nothing has to be waited for.
    pub(super) async fn keep_promise(self: &Arc<Self>, alone: bool) {
        self.review_standing();
        if !self.is_bound() {
            return self.stand_alone(alone).await;
        }
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let bound = async {
                if let Some(until) = this.bound_until {
                    tokio::time::sleep_until(until).await;
                }
                this.context.voting().await;
            };
            tokio::select! {
                biased;
                () = this.stopping.cancelled() => {}
                () = bound => {
                    this.review_standing();
                    this.stand_alone(alone).await;
                }
            }
        });
    }

    async fn stand_alone(&self, alone: bool) {
        if alone {
            // A Raft that has ended already is seen to by who watches it.
            drop(self.raft.trigger().elect(false).await);
        }
    }
}

/// Whether this replica is its own quorum: nobody else has to be asked for a vote, and to nobody was anything promised.
pub(super) async fn is_sole_voter(raft: &GroupRaft, me: NodeId, replica: Replica) -> bool {
    let sole = raft.with_raft_state(move |state| {
        let membership = state.membership_state.effective().membership();
        membership.voter_ids().eq([me]) && membership.get_node(&me) == Some(&replica)
    });
    // A Raft that has ended already votes for nobody.
    sole.await.unwrap_or(false)
}
