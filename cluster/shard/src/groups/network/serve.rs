//! Answers the Raft messages of other nodes.

use super::wire::{self, AppendAnswer, AppendFrame, FromGroup, GroupFault, VoteAnswer, VoteFrame};
use crate::groups::group::Group;
use crate::groups::registry::Registry;
use crate::raft::{GroupId, TypeConfig};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all, ready};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::LaneHandler;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use serde::Serialize;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::unconstrained;

type Answer = BoxFuture<'static, Result<Bytes, Arc<str>>>;

/// Of the time a caller waits, what is kept for the answer's way back.
const RESERVE: Duration = Duration::from_millis(20);

/// Votes, pre-votes, heartbeats, transfers.
pub(crate) struct VoteLane(pub(crate) Arc<Registry>);

impl LaneHandler for VoteLane {
    fn handle(&self, _: NodeId, request: Bytes, within: Duration) -> Answer {
        let frame = match wire::decode(&request) {
            Ok(frame) => frame,
            Err(reason) => return ready(Err(reason)).boxed(),
        };
        let registry = Arc::clone(&self.0);
        let within = within.saturating_sub(RESERVE);
        async move { encode(&answer(&registry, frame, within).await) }.boxed()
    }
}

async fn answer(registry: &Registry, frame: VoteFrame, within: Duration) -> VoteAnswer {
    match frame {
        VoteFrame::Heartbeats(beats) => {
            // One group that does not answer must not silence the others.
            let answers = beats.into_iter().map(|(id, request)| {
                let group = registry.get(id);
                async move {
                    let group = group.ok_or(GroupFault::Absent(id))?;
                    in_time(id, within, group.raft().append_entries(request)).await
                }
            });
            VoteAnswer::Heartbeats(join_all(answers).await)
        }
        VoteFrame::Vote(id, request) => VoteAnswer::Vote(match registry.get(id) {
            // A leader that hands over has fallen silent.
            Some(group)
                if (!request.leadership_transfer || !group.context().may_vote())
                    && let Some(refused) = group.no_vote() =>
            {
                Ok(refused)
            }
            Some(group) => in_time(id, within, group.raft().vote(request)).await,
            None => Err(GroupFault::Absent(id)),
        }),
        VoteFrame::PreVote(id, request) => VoteAnswer::Vote(match registry.get(id) {
            Some(group) if let Some(refused) = group.no_vote() => Ok(refused),
            Some(group) => in_time(id, within, group.raft().pre_vote(request)).await,
            None => Err(GroupFault::Absent(id)),
        }),
        VoteFrame::Transfer(id, request) => VoteAnswer::Transfer(match registry.get(id) {
            Some(group) => in_time(id, within, group.raft().handle_transfer_leader(request)).await,
            None => Err(GroupFault::Absent(id)),
        }),
    }
}

async fn in_time<T, E: Display>(
    id: GroupId,
    within: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> FromGroup<T> {
    match tokio::time::timeout(within, answer).await {
        Ok(answer) => answer.map_err(|error| GroupFault::Stopped(id, error.to_string().into())),
        Err(_) => Err(GroupFault::Late(id)),
    }
}

/// Log entries. Requests of one peer are handed to their group in the order in which this is called.
pub(crate) struct AppendLane(pub(crate) Arc<Registry>);

impl LaneHandler for AppendLane {
    fn handle(&self, _: NodeId, request: Bytes, within: Duration) -> Answer {
        let bytes = request.len();
        let AppendFrame { group: id, request: appending } = match wire::decode(&request) {
            Ok(frame) => frame,
            Err(reason) => return ready(Err(reason)).boxed(),
        };
        let Some(group) = self.0.get(id) else {
            return ready(encode(&AppendAnswer::Err(GroupFault::Absent(id)))).boxed();
        };
        if !appending.entries.is_empty() {
            group.note_appended(bytes);
        }
        // Polled once here, which puts the request in line before the group, so that whoever polls the answers in whatever
        // order does not change the order of the requests. Unconstrained, since the first poll must not yield before that.
        let mut appended = unconstrained(append(group, appending)).boxed();
        if let Some(answer) = (&mut appended).now_or_never() {
            return ready(encode(&answer.map_err(|error| GroupFault::Stopped(id, error)))).boxed();
        }
        let within = within.saturating_sub(RESERVE);
        async move { encode(&in_time(id, within, appended).await) }.boxed()
    }
}

async fn append(
    group: Arc<Group>,
    request: AppendEntriesRequest<TypeConfig>,
) -> Result<AppendEntriesResponse<TypeConfig>, Arc<str>> {
    group.raft().append_entries(request).await.map_err(|error| Arc::from(error.to_string()))
}

fn encode<T: Serialize>(answer: &T) -> Result<Bytes, Arc<str>> {
    wire::encode(answer).map_err(|error| Arc::from(error.to_string()))
}
