//! Answers the Raft messages of other nodes.

use super::wire::{self, AppendAnswer, AppendFrame, FromGroup, GroupFault, VoteAnswer, VoteFrame};
use crate::groups::authority::Authority;
use crate::groups::group::Group;
use crate::raft::{GroupId, TypeConfig};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all, ready};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::LaneHandler;
use openraft::alias::VoteOf;
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

/// The group, when it runs here and hears `from`: a node of the group, which speaks for itself.
pub(super) fn heard(
    authority: &Authority,
    id: GroupId,
    from: NodeId,
    vote: &VoteOf<TypeConfig>,
) -> FromGroup<Arc<Group>> {
    let group = authority.registry().get(id).ok_or(GroupFault::Absent(id))?;
    let speaks = wire::speaker(vote) == from && authority.is_of(id, from);
    if speaks { Ok(group) } else { Err(GroupFault::Unheard(id)) }
}

/// Votes, pre-votes, heartbeats, transfers.
pub(crate) struct VoteLane(pub(crate) Arc<Authority>);

impl LaneHandler for VoteLane {
    fn handle(&self, from: NodeId, request: Bytes, within: Duration) -> Answer {
        let frame = match wire::decode_request(&request) {
            Ok(frame) => frame,
            Err(reason) => return ready(Err(reason)).boxed(),
        };
        let authority = Arc::clone(&self.0);
        let within = within.saturating_sub(RESERVE);
        async move { encode(&answer(&authority, from, frame, within).await) }.boxed()
    }
}

async fn answer(authority: &Authority, from: NodeId, frame: VoteFrame, within: Duration) -> VoteAnswer {
    match frame {
        VoteFrame::Heartbeats(beats) => {
            // One group that does not answer must not silence the others.
            let answers = beats.into_iter().map(|(id, request)| {
                let group = heard(authority, id, from, &request.vote);
                async move { in_time(id, within, group?.raft().append_entries(request)).await }
            });
            VoteAnswer::Heartbeats(join_all(answers).await)
        }
        VoteFrame::Vote(id, request) => VoteAnswer::Vote(match heard(authority, id, from, &request.vote) {
            // A leader that hands over has fallen silent.
            Ok(group)
                if !request.leadership_transfer
                    && let Some(refused) = group.no_vote() =>
            {
                Ok(refused)
            }
            Ok(group) => in_time(id, within, group.raft().vote(request)).await,
            Err(fault) => Err(fault),
        }),
        VoteFrame::PreVote(id, request) => VoteAnswer::Vote(match heard(authority, id, from, &request.vote) {
            Ok(group) if let Some(refused) = group.no_vote() => Ok(refused),
            Ok(group) => in_time(id, within, group.raft().pre_vote(request)).await,
            Err(fault) => Err(fault),
        }),
        VoteFrame::Transfer(id, request) => {
            VoteAnswer::Transfer(match heard(authority, id, from, request.from_leader()) {
                Ok(group) => in_time(id, within, group.raft().handle_transfer_leader(request)).await,
                Err(fault) => Err(fault),
            })
        }
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
pub(crate) struct AppendLane(pub(crate) Arc<Authority>);

impl LaneHandler for AppendLane {
    fn handle(&self, from: NodeId, request: Bytes, within: Duration) -> Answer {
        let bytes = request.len();
        let AppendFrame { group: id, request: appending } = match wire::decode_request(&request) {
            Ok(frame) => frame,
            Err(reason) => return ready(Err(reason)).boxed(),
        };
        let group = match heard(&self.0, id, from, &appending.vote) {
            Ok(group) => group,
            Err(fault) => return ready(encode(&AppendAnswer::Err(fault))).boxed(),
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
