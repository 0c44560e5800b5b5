//! The heartbeats of all groups to one peer, in as few frames as possible.

use super::failure::{Errand, network};
use super::peer::Peer;
use super::wire::{self, Address, FromGroup, VoteAnswer, VoteFrame};
use crate::raft::TypeConfig;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, MeshPort};
use openraft::RPCTypes;
use openraft::error::RPCError;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// For how long the first heartbeat waits for those of other groups. All of a node's groups beat together, so that this
/// only has to outlast the scheduler.
const WINDOW: Duration = Duration::from_millis(2);

/// How many heartbeats one frame carries; a hundred bytes each. A node holds at most 1 025 groups.
const MAX_IN_FRAME: usize = 2_048;

type Answer = Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>>;

struct Waiting {
    peer: Peer,
    request: AppendEntriesRequest<TypeConfig>,
    answer: oneshot::Sender<Answer>,
}

/// Gathers the heartbeats to one peer.
pub(super) struct Heartbeats {
    mesh: Arc<dyn MeshPort>,
    peer: NodeId,
    waiting: Mutex<Vec<Waiting>>,
}

impl Heartbeats {
    pub(super) fn new(mesh: Arc<dyn MeshPort>, peer: NodeId) -> Arc<Self> {
        Arc::new(Self { mesh, peer, waiting: Mutex::default() })
    }

    /// Sends a heartbeat together with those of other groups, and waits for its answer at most for `within`.
    pub(super) async fn beat(
        self: &Arc<Self>,
        peer: Peer,
        request: AppendEntriesRequest<TypeConfig>,
        within: Duration,
    ) -> Answer {
        let (answer, answered) = oneshot::channel();
        let position = {
            let mut waiting = self.waiting.lock();
            // A heartbeat of the same group that is still here is outdated by this one.
            waiting.retain(|other| other.peer.address.group != peer.address.group);
            if waiting.len() >= MAX_IN_FRAME {
                return Err(network("too many heartbeats are waiting"));
            }
            waiting.push(Waiting { peer, request, answer });
            waiting.len()
        };
        if position == 1 {
            let this = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(WINDOW).await;
                this.send(within).await;
            });
        }
        answered.await.unwrap_or_else(|_| Err(network("a newer heartbeat has taken its place")))
    }

    async fn send(&self, within: Duration) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        if waiting.is_empty() {
            return;
        }
        let errand =
            Errand { action: RPCTypes::AppendEntries, from: self.mesh.incarnation().node, to: self.peer, within };
        let (requests, callers): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|one| ((one.peer.address, one.request), (one.peer, one.answer))).unzip();
        let answers = self.exchange(requests, callers.len(), &errand).await;
        match answers {
            Ok(answers) => {
                for ((peer, caller), answer) in callers.into_iter().zip(answers) {
                    drop(caller.send(answer.map_err(|fault| peer.fault(&errand, &fault))));
                }
            }
            Err(error) => {
                for (_, caller) in callers {
                    drop(caller.send(Err(error.clone())));
                }
            }
        }
    }

    async fn exchange(
        &self,
        requests: Vec<(Address, AppendEntriesRequest<TypeConfig>)>,
        expected: usize,
        errand: &Errand,
    ) -> Result<Vec<FromGroup<AppendEntriesResponse<TypeConfig>>>, RPCError<TypeConfig>> {
        let frame = wire::encode_request(&VoteFrame::Heartbeats(requests)).map_err(network)?;
        let answer = self.mesh.call(self.peer, Lane::RaftVote, frame, errand.within).await;
        match wire::decode(&answer.map_err(|error| errand.mesh(&error))?).map_err(network)? {
            VoteAnswer::Heartbeats(answers) if answers.len() == expected => Ok(answers),
            VoteAnswer::Heartbeats(_)
            | VoteAnswer::Vote(_)
            | VoteAnswer::Transfer(_)
            | VoteAnswer::Introduced(_)
            | VoteAnswer::Clock(_) => Err(network("the answer does not fit the heartbeats")),
        }
    }
}
