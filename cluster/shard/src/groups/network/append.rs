//! Entries to one follower of one group, several requests in flight.

use super::failure::{Errand, network};
use super::wire::{self, AppendAnswer, AppendFrame};
use crate::raft::{GroupId, TypeConfig};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, Stream, StreamExt};
use octopussy_core::ports::{Lane, MAX_FRAME_BYTES, MeshPort};
use openraft::alias::LogIdOf;
use openraft::error::RPCError;
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use std::collections::VecDeque;
use std::sync::Arc;

/// How many requests to one follower may be unanswered: enough to cover the way there and back and the follower's fsync.
const WINDOW: usize = 16;

type Outcome = Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>;

/// A frame, the last entry in it, and whether that is the last asked for.
type Encoded = (Bytes, Option<LogIdOf<TypeConfig>>, bool);

/// A request on its way.
struct InFlight {
    /// Its answer. The request itself is in line on the mesh when this exists.
    answer: BoxFuture<'static, Outcome>,
    /// Whether it carries everything it was asked to; otherwise nothing may follow it.
    whole: bool,
}

/// Sends requests of one group to one follower.
#[derive(Clone)]
pub(super) struct Appender {
    pub(super) mesh: Arc<dyn MeshPort>,
    pub(super) group: GroupId,
    pub(super) errand: Errand,
}

impl Appender {
    /// Puts a request on the mesh.
    fn send(&self, request: AppendEntriesRequest<TypeConfig>) -> InFlight {
        let previous = request.prev_log_id;
        let (frame, last, whole) = match self.encode(request) {
            Ok(encoded) => encoded,
            Err(error) => return InFlight { answer: futures::future::ready(Err(error)).boxed(), whole: false },
        };
        let errand = self.errand;
        let call = self.mesh.call(errand.to, Lane::RaftAppend, frame, errand.within);
        let answer = async move {
            let answer = call.await.map_err(|error| errand.mesh(&error))?;
            let answer: AppendAnswer = wire::decode(&answer).map_err(network)?;
            let response = answer.map_err(|fault| errand.fault(&fault))?;
            if previous.is_none() && response.is_conflict() {
                return Err(network("a follower refused the beginning of the log"));
            }
            Ok(response.into_stream_result(previous, last))
        };
        InFlight { answer: answer.boxed(), whole }
    }

    /// Encodes as many of the entries as fit into a frame; says which is the last, and whether it is the last asked for.
    fn encode(&self, mut request: AppendEntriesRequest<TypeConfig>) -> Result<Encoded, RPCError<TypeConfig>> {
        let asked = request.entries.len();
        loop {
            let last = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
            let frame = AppendFrame { group: self.group, request };
            let encoded = wire::encode_request(&frame).map_err(network)?;
            request = frame.request;
            let whole = request.entries.len() == asked;
            if encoded.len() <= MAX_FRAME_BYTES || request.entries.len() <= 1 {
                return Ok((encoded, last, whole));
            }
            request.entries.truncate(request.entries.len() / 2);
        }
    }

    /// Sends what `input` has as it comes, up to the window, and answers in its order. Ends after the first answer that is
    /// not a full success.
    pub(super) fn stream<'s, S>(self, input: S) -> BoxStream<'s, Outcome>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        let state = State { appender: self, input, flying: VecDeque::new(), more: true };
        futures::stream::unfold(Some(state), |state| async move {
            let mut state = state?;
            let (outcome, whole) = state.next().await?;
            let go_on = whole && matches!(outcome, Ok(Ok(_)));
            Some((outcome, go_on.then_some(state)))
        })
        .boxed()
    }
}

struct State<S> {
    appender: Appender,
    input: S,
    flying: VecDeque<InFlight>,
    more: bool,
}

impl<S> State<S>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
{
    /// The next answer; meanwhile what comes in is sent on.
    async fn next(&mut self) -> Option<(Outcome, bool)> {
        loop {
            if self.more && self.flying.len() < WINDOW {
                let request = match self.flying.front_mut() {
                    None => self.input.next().await,
                    Some(first) => tokio::select! {
                        biased;
                        outcome = &mut first.answer => {
                            let whole = first.whole;
                            self.flying.pop_front();
                            return Some((outcome, whole));
                        }
                        request = self.input.next() => request,
                    },
                };
                match request {
                    Some(request) => {
                        let sent = self.appender.send(request);
                        self.more = sent.whole;
                        self.flying.push_back(sent);
                    }
                    None => self.more = false,
                }
            } else {
                let first = self.flying.pop_front()?;
                return Some((first.answer.await, first.whole));
            }
        }
    }
}
