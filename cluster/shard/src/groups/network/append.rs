//! Entries to one follower of one group, several requests in flight.

use super::failure::{Errand, network};
use super::parts;
use super::peer::Peer;
use super::wire::{self, AppendAnswer, AppendFrame, AppendMessage, AppendReply};
use crate::raft::TypeConfig;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, Stream, StreamExt};
use octopussy_core::ports::{Lane, MeshError, MeshPort};
use openraft::alias::LogIdOf;
use openraft::error::RPCError;
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many requests to one follower may be unanswered: enough to cover the way there and back and the follower's fsync.
const WINDOW: usize = 16;

type Outcome = Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>;

/// The longest request that goes in one piece. Above what the log's reader hands out at once, unless a single entry is longer; low
/// enough to pass within the time of a request on a line of a few megabits.
const REQUEST_BYTES: usize = 1024 * 1024 + 64 * 1024;

/// How long a part of a long entry may be on its way, or what it completes may take to be written.
const PART_PATIENCE: Duration = Duration::from_secs(10);

/// An encoded request.
enum Frame {
    /// It goes in one piece.
    One(Bytes),
    /// It goes in parts.
    Parts(Bytes),
}

/// An encoded request, the last entry in it, and whether that is the last asked for.
struct Encoded {
    frame: Frame,
    last: Option<LogIdOf<TypeConfig>>,
    whole: bool,
}

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
    pub(super) peer: Peer,
    pub(super) errand: Errand,
    /// Numbers the tries of what goes in parts.
    pub(super) tries: Arc<AtomicU64>,
}

/// What a follower says.
fn reply(answer: Result<Bytes, MeshError>, errand: &Errand, peer: &Peer) -> Result<AppendReply, RPCError<TypeConfig>> {
    let answer: AppendAnswer = wire::decode(&answer.map_err(|error| errand.mesh(&error))?).map_err(network)?;
    answer.map_err(|fault| peer.fault(errand, &fault))
}

impl Appender {
    /// Puts a request on the mesh.
    fn send(&self, request: AppendEntriesRequest<TypeConfig>) -> InFlight {
        let (previous, vote) = (request.prev_log_id, request.vote);
        let known = match self.peer.known(&vote) {
            Ok(known) => known,
            Err(error) => return InFlight { answer: futures::future::ready(Err(error)).boxed(), whole: false },
        };
        let Encoded { frame, last, whole } = match self.encode(request) {
            Ok(encoded) => encoded,
            Err(error) => return InFlight { answer: futures::future::ready(Err(error)).boxed(), whole: false },
        };
        // Nothing follows what goes in parts: its answer takes a while.
        let whole = whole && matches!(frame, Frame::One(_));
        let peer = self.peer.clone();
        let appended = match frame {
            Frame::One(frame) => {
                let (errand, peer) = (self.errand, self.peer.clone());
                let call = self.mesh.call(errand.to, Lane::RaftAppend, frame, errand.within);
                async move { reply(call.await, &errand, &peer) }.boxed()
            }
            Frame::Parts(frame) => self.clone().send_parts(frame).boxed(),
        };
        let answer = async move {
            let AppendReply::Raft(response) = appended.await? else {
                return Err(network("the answer does not fit the question"));
            };
            peer.outcome(response, vote, known, previous, last)
        };
        InFlight { answer: answer.boxed(), whole }
    }

    /// Sends a long request in parts, each once the one before it is answered. Each may take its time, since only a connection
    /// that stands still must end it: what was sent is sent anew after an error.
    async fn send_parts(self, frame: Bytes) -> Result<AppendReply, RPCError<TypeConfig>> {
        let errand = Errand { within: self.errand.within.max(PART_PATIENCE), ..self.errand };
        let number = self.tries.fetch_add(1, Ordering::Relaxed);
        let mut said = AppendReply::Kept;
        for part in parts::cut(self.peer.address.group, number, &frame) {
            if said != AppendReply::Kept {
                return Err(network("the answer does not fit a part"));
            }
            let part = wire::encode_request(&AppendMessage::Part(part)).map_err(network)?;
            let answer = self.mesh.call(errand.to, Lane::RaftAppend, part, errand.within).await;
            said = reply(answer, &errand, &self.peer)?;
        }
        Ok(said)
    }

    /// Encodes as many of the entries as go into a request; says which is the last, and whether it is the last asked for. A single
    /// entry that is too long goes in parts.
    fn encode(&self, mut request: AppendEntriesRequest<TypeConfig>) -> Result<Encoded, RPCError<TypeConfig>> {
        let asked = request.entries.len();
        loop {
            let last = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
            let message = AppendMessage::Whole(AppendFrame { address: self.peer.address, request });
            let encoded = wire::encode_request(&message).map_err(network)?;
            let AppendMessage::Whole(frame) = message else { return Err(network("a whole request became a part")) };
            let whole = frame.request.entries.len() == asked;
            if encoded.len() <= REQUEST_BYTES {
                return Ok(Encoded { frame: Frame::One(encoded), last, whole });
            }
            if frame.request.entries.len() <= 1 {
                let encoded = wire::encode(&frame).map_err(network)?;
                return Ok(Encoded { frame: Frame::Parts(encoded), last, whole });
            }
            request = frame.request;
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
