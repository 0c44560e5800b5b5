//! Answers the Raft messages of other nodes.

use super::parts::Assemblies;
use super::wire::{
    self, Address, AppendAnswer, AppendFrame, AppendMessage, AppendReply, FromGroup, GroupFault, VoteAnswer, VoteFrame,
};
use crate::groups::authority::Authority;
use crate::groups::core::Core;
use crate::groups::group::Group;
use crate::raft::{GroupId, TypeConfig};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all, ready};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::LaneHandler;
use openraft::alias::VoteOf;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use parking_lot::Mutex;
use serde::Serialize;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::unconstrained;
use tokio::time::Instant;

type Answer = BoxFuture<'static, Result<Bytes, Arc<str>>>;

/// Of the time a caller waits, what is kept for the answer's way back.
const RESERVE: Duration = Duration::from_millis(20);

/// Votes, pre-votes, heartbeats, transfers, clocks.
pub(crate) struct VoteLane(Arc<Core>);

impl VoteLane {
    pub(crate) const fn new(core: Arc<Core>) -> Self {
        Self(core)
    }
}

impl LaneHandler for VoteLane {
    fn handle(&self, from: NodeId, request: Bytes, within: Duration) -> Answer {
        let frame = match wire::decode_request(&request) {
            Ok(frame) => frame,
            Err(reason) => return ready(Err(reason)).boxed(),
        };
        let core = Arc::clone(&self.0);
        let within = within.saturating_sub(RESERVE);
        async move { encode(&answer(&core, from, frame, within).await) }.boxed()
    }
}

async fn answer(core: &Core, from: NodeId, frame: VoteFrame, within: Duration) -> VoteAnswer {
    let authority = &core.authority;
    match frame {
        VoteFrame::Heartbeats(beats) => {
            // One group that does not answer must not silence the others.
            let answers = beats.into_iter().map(|(address, request)| {
                let group = heard(authority, address, from, &request.vote);
                async move {
                    let group = group?;
                    group.agrees_with(&request)?;
                    in_time(address.group, within, group.raft().append_entries(request)).await
                }
            });
            VoteAnswer::Heartbeats(join_all(answers).await)
        }
        VoteFrame::Vote(address, request) => VoteAnswer::Vote(match heard(authority, address, from, &request.vote) {
            // A leader that hands over has fallen silent.
            Ok(group)
                if (!request.leadership_transfer || !group.context().may_vote())
                    && let Some(refused) = group.no_vote() =>
            {
                Ok(refused)
            }
            Ok(group) => in_time(address.group, within, group.raft().vote(request)).await,
            Err(fault) => Err(fault),
        }),
        VoteFrame::PreVote(address, request) => {
            VoteAnswer::Vote(match heard(authority, address, from, &request.vote) {
                Ok(group) if let Some(refused) = group.no_vote() => Ok(refused),
                Ok(group) => in_time(address.group, within, group.raft().pre_vote(request)).await,
                Err(fault) => Err(fault),
            })
        }
        VoteFrame::Transfer(address, request) => {
            VoteAnswer::Transfer(match heard(authority, address, from, request.from_leader()) {
                Ok(group) => in_time(address.group, within, group.raft().handle_transfer_leader(request)).await,
                Err(fault) => Err(fault),
            })
        }
        VoteFrame::Introduce(id) => {
            VoteAnswer::Introduced(of_the_group(authority, id, from).map(|group| group.incarnation()))
        }
        VoteFrame::Clock => VoteAnswer::Clock(core.context.clocks.own()),
        VoteFrame::Renew(address) => VoteAnswer::Introduced(meant(authority, address, from).map(|group| {
            // Nothing is deleted on this word alone: its leader is asked.
            authority.registry().want_anew(address.group);
            group.incarnation()
        })),
    }
}

/// The group, when it runs here and `from` is one of its nodes.
fn of_the_group(authority: &Authority, id: GroupId, from: NodeId) -> FromGroup<Arc<Group>> {
    let group = authority.registry().get(id).ok_or(GroupFault::Absent(id))?;
    if authority.is_of(id, from) { Ok(group) } else { Err(GroupFault::Unheard(id)) }
}

/// The replica that is meant, and not another of the same group, when `from` is one of the group's nodes.
fn meant(authority: &Authority, address: Address, from: NodeId) -> FromGroup<Arc<Group>> {
    let group = of_the_group(authority, address.group, from)?;
    let present = group.incarnation();
    if present == address.replica { Ok(group) } else { Err(GroupFault::Renewed(address.group, present)) }
}

/// The replica that is meant, when it hears `from`: a node of the group, which speaks for itself.
pub(super) fn heard(
    authority: &Authority,
    address: Address,
    from: NodeId,
    vote: &VoteOf<TypeConfig>,
) -> FromGroup<Arc<Group>> {
    if wire::speaker(vote) != from {
        return Err(GroupFault::Unheard(address.group));
    }
    meant(authority, address, from)
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
pub(crate) struct AppendLane {
    authority: Arc<Authority>,
    /// Long entries that come in parts.
    parts: Mutex<Assemblies>,
}

impl AppendLane {
    pub(crate) fn new(authority: Arc<Authority>) -> Self {
        Self { authority, parts: Mutex::default() }
    }

    /// The request that a message is or completes; otherwise the answer to it.
    fn whole(&self, from: NodeId, message: AppendMessage) -> Result<AppendFrame, AppendAnswer> {
        let part = match message {
            AppendMessage::Whole(frame) => return Ok(frame),
            AppendMessage::Part(part) => part,
        };
        let id = part.group;
        // Before anything is kept for it. Who speaks in the whole is seen once it is there.
        of_the_group(&self.authority, id, from).map_err(Err)?;
        let taken = self.parts.lock().take(from, part, Instant::now());
        let refused = |reason: Arc<str>| Err(GroupFault::Part(id, reason));
        match taken {
            Ok(None) => Err(Ok(AppendReply::Kept)),
            // The message that is completed names the group that its parts were for, or another one.
            Ok(Some(whole)) => match wire::decode::<AppendFrame>(&whole) {
                Ok(frame) if frame.address.group == id => Ok(frame),
                Ok(_) => Err(refused("its parts name another group".into())),
                Err(reason) => Err(refused(reason)),
            },
            Err(why) => Err(refused(why.reason().into())),
        }
    }
}

impl LaneHandler for AppendLane {
    fn handle(&self, from: NodeId, request: Bytes, within: Duration) -> Answer {
        let bytes = request.len();
        let message = match wire::decode_request(&request) {
            Ok(message) => message,
            Err(reason) => return ready(Err(reason)).boxed(),
        };
        let AppendFrame { address, request: appending } = match self.whole(from, message) {
            Ok(frame) => frame,
            Err(answer) => return ready(encode(&answer)).boxed(),
        };
        let id = address.group;
        let found = heard(&self.authority, address, from, &appending.vote)
            .and_then(|group| group.agrees_with(&appending).map(|()| group));
        let group = match found {
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
            let answer: AppendAnswer = answer.map(AppendReply::Raft).map_err(|error| GroupFault::Stopped(id, error));
            return ready(encode(&answer)).boxed();
        }
        let within = within.saturating_sub(RESERVE);
        async move { encode(&in_time(id, within, appended).await.map(AppendReply::Raft)) }.boxed()
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
