//! Which replica of a group another node has, for a leader that lets it in.

use super::client::Wires;
use super::wire::{self, Address, VoteAnswer, VoteFrame};
use crate::raft::{GroupId, ReplicaIncarnation};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::Lane;
use std::time::Duration;

/// How long the node may take to answer.
const LIMIT: Duration = Duration::from_secs(1);

impl Wires {
    /// Asks a node which replica of a group it has.
    ///
    /// # Errors
    /// Why that is not known, in words: it does not answer, or has none yet.
    pub(crate) async fn introduce(&self, node: NodeId, group: GroupId) -> Result<ReplicaIncarnation, String> {
        self.ask_which(node, &VoteFrame::Introduce(group)).await
    }

    /// Asks a node to begin another replica in the place of this one. It does so once it has the leader's word.
    ///
    /// # Errors
    /// As for [`Self::introduce`].
    pub(crate) async fn renew(
        &self,
        node: NodeId,
        group: GroupId,
        replica: ReplicaIncarnation,
    ) -> Result<ReplicaIncarnation, String> {
        self.ask_which(node, &VoteFrame::Renew(Address { group, replica })).await
    }

    async fn ask_which(&self, node: NodeId, frame: &VoteFrame) -> Result<ReplicaIncarnation, String> {
        let frame = wire::encode_request(frame).map_err(|error| error.to_string())?;
        let answer = self.mesh.call(node, Lane::RaftVote, frame, LIMIT).await.map_err(|error| error.to_string())?;
        match wire::decode(&answer).map_err(|reason| reason.to_string())? {
            VoteAnswer::Introduced(answer) => answer.map_err(|fault| fault.to_string()),
            VoteAnswer::Heartbeats(_) | VoteAnswer::Vote(_) | VoteAnswer::Transfer(_) | VoteAnswer::Clock(_) => {
                Err("the answer does not fit the question".to_owned())
            }
        }
    }
}
