//! The replica that a group sends to: what is known of it, and what its answers say of it.

use super::failure::{Errand, network};
use super::wire::{Address, GroupFault};
use crate::groups::followers::Followers;
use crate::raft::TypeConfig;
use octopussy_core::ids::NodeId;
use openraft::alias::{LogIdOf, VoteOf};
use openraft::error::{RPCError, Unreachable};
use openraft::raft::{AppendEntriesResponse, StreamAppendResult};
use std::sync::Arc;

type LogId = LogIdOf<TypeConfig>;

/// Why nothing is sent to a replica, nor taken from it.
#[derive(Debug, thiserror::Error)]
#[error("the replica has lost what it had; it is let in again as a new one")]
struct Lost;

fn lost() -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::new(&Lost))
}

/// The replica that a group sends to.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) node: NodeId,
    pub(super) address: Address,
    pub(super) followers: Arc<Followers>,
}

impl Peer {
    /// What it has acknowledged so far to the leadership that has this vote. Nothing is sent to one that has lost it: it would
    /// refuse for ever what the leader believes it to have, and must not be counted until it is let in again.
    pub(super) fn known(&self, vote: &VoteOf<TypeConfig>) -> Result<Option<LogId>, RPCError<TypeConfig>> {
        if self.followers.is_lost(self.node, self.address.replica, vote) {
            return Err(lost());
        }
        Ok(self.followers.acknowledgement(self.node, self.address.replica, vote))
    }

    /// What an answer means to openraft. `known` is what the replica had acknowledged before it was asked.
    ///
    /// openraft takes for granted that a follower keeps what it has acknowledged, and would send the same entries for ever to
    /// one that does not.
    pub(super) fn outcome(
        &self,
        response: AppendEntriesResponse<TypeConfig>,
        vote: VoteOf<TypeConfig>,
        known: Option<LogId>,
        previous: Option<LogId>,
        last: Option<LogId>,
    ) -> Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>> {
        if response.is_conflict() {
            let Some(previous) = previous else {
                return Err(network("a follower refused the beginning of the log"));
            };
            if known.is_some_and(|known| previous.index <= known.index) {
                self.followers.reverted(self.node, self.address.replica, vote);
                return Err(lost());
            }
        }
        let result = response.into_stream_result(previous, last);
        if let Ok(Some(acknowledged)) = &result {
            self.followers.acknowledged(self.node, self.address.replica, vote, *acknowledged);
        }
        Ok(result)
    }

    /// What a fault means to openraft.
    pub(super) fn fault(&self, errand: &Errand, fault: &GroupFault) -> RPCError<TypeConfig> {
        match fault {
            GroupFault::Renewed(_, present) => self.followers.replaced(self.node, self.address.replica, *present),
            GroupFault::Astray(_) => self.followers.astray(self.node, self.address.replica),
            GroupFault::Absent(_)
            | GroupFault::Late(_)
            | GroupFault::Stopped(..)
            | GroupFault::Part(..)
            | GroupFault::Unheard(_) => {}
        }
        errand.fault(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::seeds::{ME, log_id};
    use crate::raft::{GroupId, ReplicaIncarnation};
    use openraft::vote::Vote;

    fn peer() -> Peer {
        let (group, replica) = (GroupId(3), ReplicaIncarnation(7));
        let followers = Arc::new(Followers::new(group, Arc::default()));
        Peer { node: NodeId([2; 16]), address: Address { group, replica }, followers }
    }

    #[test]
    fn a_follower_that_looks_for_where_the_logs_agree_is_told_to_raft() {
        let (peer, vote) = (peer(), Vote::new_committed(4, ME));
        let asked = Some(log_id(3, 20));
        let outcome = peer.outcome(AppendEntriesResponse::Conflict, vote, None, asked, asked);
        assert!(matches!(outcome, Ok(Err(_))), "it is a conflict");
        let outcome = peer.outcome(AppendEntriesResponse::Success, vote, None, Some(log_id(3, 9)), Some(log_id(4, 12)));
        assert!(matches!(outcome, Ok(Ok(_))));
        // Sent before that answer came.
        let outcome = peer.outcome(AppendEntriesResponse::Conflict, vote, None, Some(log_id(4, 11)), None);
        assert!(matches!(outcome, Ok(Err(_))));
        let known = peer.known(&vote).unwrap();
        assert_eq!(known, Some(log_id(4, 12)));
        let outcome = peer.outcome(AppendEntriesResponse::Conflict, vote, known, Some(log_id(4, 13)), None);
        assert!(matches!(outcome, Ok(Err(_))), "it never had that");
        assert!(peer.known(&vote).is_ok());
    }

    #[test]
    fn a_follower_that_refuses_what_it_had_acknowledged_is_asked_no_more() {
        let (peer, vote) = (peer(), Vote::new_committed(4, ME));
        peer.followers.acknowledged(peer.node, peer.address.replica, vote, log_id(4, 12));
        let known = peer.known(&vote).unwrap();
        let refused = peer.outcome(AppendEntriesResponse::Conflict, vote, known, Some(log_id(4, 12)), None);
        assert!(matches!(refused, Err(RPCError::Unreachable(_))), "openraft would ask again at once, for ever");
        assert!(matches!(peer.known(&vote), Err(RPCError::Unreachable(_))));
        assert!(peer.known(&Vote::new_committed(5, ME)).is_ok(), "another leadership finds out by itself");
    }
}
