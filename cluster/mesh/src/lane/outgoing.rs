//! The asking side of a lane.

use super::lane_priority;
use super::message::{self, Kind, REQUEST_HEAD};
use super::slots::{Call, Slots};
use crate::limits::{LANE_BYTES, LANE_QUEUE, LANE_WINDOW, STREAM_LIMIT, TOO_LONG};
use crate::metrics::Metrics;
use crate::wire::{FrameReader, OutBuffer, ReadFailure};
use bytes::{Bytes, BytesMut};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, MAX_ANSWER_BYTES, MAX_FRAME_BYTES, MeshError};
use parking_lot::Mutex;
use quinn::{Connection, SendStream};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// The requests of this node to one peer on one lane. Its stream is opened with the first request, and again after a
/// failure.
pub(crate) struct LaneOut {
    peer: NodeId,
    lane: Lane,
    state: Mutex<State>,
    /// There is something to write.
    wake: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct State {
    slots: Slots,
    /// Calls in front of the window, oldest first.
    waiting: VecDeque<u64>,
    waiting_bytes: usize,
    /// How many calls are in the window.
    under_way: usize,
    out: OutBuffer,
    running: bool,
    closed: bool,
}

impl State {
    fn write(&mut self, id: u64, request: Bytes, within: Duration) {
        self.under_way += 1;
        self.out.push(&message::request_head(id, within), request);
    }

    /// Moves calls from the queue into the window while it has room; `true` when there is something to write.
    fn promote(&mut self, now: Instant) -> bool {
        let mut promoted = false;
        while self.under_way < LANE_WINDOW
            && let Some(id) = self.waiting.pop_front()
        {
            let Some((request, deadline)) = self.slots.get_mut(id).and_then(|call| call.unsent.take()) else {
                continue;
            };
            self.waiting_bytes -= request.len();
            self.write(id, request, deadline.saturating_duration_since(now));
            promoted = true;
        }
        promoted
    }

    /// Takes a call out and gives its place in the window to the next.
    fn remove(&mut self, id: u64) -> (Option<Call>, bool) {
        let Some(call) = self.slots.remove(id) else { return (None, false) };
        match &call.unsent {
            // Its number stays in the queue and is passed over there.
            Some((request, _)) => self.waiting_bytes -= request.len(),
            None => self.under_way -= 1,
        }
        let promoted = !self.waiting.is_empty() && self.promote(Instant::now());
        (Some(call), promoted)
    }

    /// Keeps a piece of a long answer; `false` when the answer is longer than its bound.
    fn keep(&mut self, id: u64, piece: &[u8]) -> bool {
        // Whoever does not wait any longer does not need it either.
        let Some(call) = self.slots.get_mut(id) else { return true };
        if call.pieces.len() + piece.len() > MAX_ANSWER_BYTES {
            return false;
        }
        call.pieces.extend_from_slice(piece);
        true
    }
}

/// A call under way; dropping it forgets the call.
pub(crate) struct Ticket {
    lane: Arc<LaneOut>,
    id: u64,
    answer: oneshot::Receiver<Result<Bytes, MeshError>>,
}

impl Ticket {
    /// Waits for the answer until `deadline`.
    pub(crate) async fn wait(mut self, deadline: Instant) -> Result<Bytes, MeshError> {
        let outcome = match tokio::time::timeout_at(deadline, &mut self.answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(MeshError::Lost(self.lane.peer)),
            Err(_) => Err(MeshError::Timeout(self.lane.peer)),
        };
        outcome.inspect_err(|error| self.lane.metrics.outcome(self.lane.lane, error))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.lane.forget(self.id);
    }
}

impl LaneOut {
    pub(crate) fn new(peer: NodeId, lane: Lane, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { peer, lane, state: Mutex::default(), wake: Notify::new(), metrics })
    }

    /// Puts a request in line.
    pub(crate) fn begin(
        self: &Arc<Self>,
        connection: &Connection,
        request: Bytes,
        deadline: Instant,
        within: Duration,
    ) -> Result<Ticket, MeshError> {
        let (sender, answer) = oneshot::channel();
        let length = request.len();
        let mut state = self.state.lock();
        if state.closed {
            return Err(MeshError::NotConnected(self.peer));
        }
        let bytes = state.out.bytes() + state.waiting_bytes;
        if state.slots.len() >= LANE_WINDOW + LANE_QUEUE
            || state.waiting.len() >= LANE_QUEUE
            || bytes + length > LANE_BYTES
        {
            return Err(MeshError::Congested(self.peer));
        }
        let id = if state.under_way < LANE_WINDOW {
            let id = state.slots.insert(Call { answer: sender, unsent: None, pieces: BytesMut::new() });
            state.write(id, request, within);
            id
        } else {
            let id =
                state.slots.insert(Call { answer: sender, unsent: Some((request, deadline)), pieces: BytesMut::new() });
            state.waiting.push_back(id);
            state.waiting_bytes += length;
            id
        };
        let start = !std::mem::replace(&mut state.running, true);
        drop(state);
        if start {
            tokio::spawn(run(self.clone(), connection.clone()));
        }
        self.wake.notify_one();
        let metrics = self.metrics.lane(self.lane);
        metrics.sent_frames.add(1);
        metrics.sent_bytes.add((length + REQUEST_HEAD + 4) as u64);
        Ok(Ticket { lane: self.clone(), id, answer })
    }

    /// How many calls wait for their answers.
    pub(crate) fn in_flight(&self) -> usize {
        self.state.lock().slots.len()
    }

    /// Ends the lane with its connection: nothing is accepted any more.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.fail();
    }

    /// Ends all calls: those that were sent are lost, the others never left.
    fn fail(&self) {
        let calls = {
            let mut state = self.state.lock();
            state.waiting.clear();
            state.waiting_bytes = 0;
            state.under_way = 0;
            state.running = false;
            let _unsent = state.out.take();
            state.slots.drain()
        };
        for call in calls {
            let error =
                if call.unsent.is_some() { MeshError::NotConnected(self.peer) } else { MeshError::Lost(self.peer) };
            let _gone = call.answer.send(Err(error));
        }
    }

    /// Sends what is no request, as a faulty peer would.
    #[cfg(test)]
    pub(crate) fn corrupt(&self) {
        self.state.lock().out.push(&[], Bytes::from_static(b"bad"));
        self.wake.notify_one();
    }

    fn forget(&self, id: u64) {
        let (_, promoted) = self.state.lock().remove(id);
        if promoted {
            self.wake.notify_one();
        }
    }

    fn answered(&self, frame: Bytes) -> Result<(), ReadFailure> {
        let metrics = self.metrics.lane(self.lane);
        metrics.received_frames.add(1);
        metrics.received_bytes.add((frame.len() + 4) as u64);
        let (id, kind, content) = message::answer(frame).ok_or(ReadFailure::Truncated)?;
        let (call, promoted) = {
            let mut state = self.state.lock();
            if kind == Kind::Piece && state.keep(id, &content) {
                return Ok(());
            }
            state.remove(id)
        };
        if promoted {
            self.wake.notify_one();
        }
        if let Some(call) = call {
            let _gone = call.answer.send(self.outcome(kind, call.pieces, content));
        }
        Ok(())
    }

    /// What the last frame of an answer says, behind the pieces that came before it.
    fn outcome(&self, kind: Kind, mut pieces: BytesMut, content: Bytes) -> Result<Bytes, MeshError> {
        let node = self.peer;
        let reason = || Arc::from(String::from_utf8_lossy(&content));
        match kind {
            Kind::Answer if pieces.is_empty() => Ok(content),
            Kind::Answer if pieces.len() + content.len() <= MAX_ANSWER_BYTES => {
                pieces.extend_from_slice(&content);
                Ok(pieces.freeze())
            }
            Kind::Answer | Kind::Piece => Err(MeshError::Unanswered { node, reason: Arc::from(TOO_LONG) }),
            Kind::Refusal => Err(MeshError::Refused { node, reason: reason() }),
            Kind::Silence => Err(MeshError::Unanswered { node, reason: reason() }),
        }
    }
}

/// Carries the lane until its stream fails.
async fn run(lane: Arc<LaneOut>, connection: Connection) {
    if let Ok(Ok((send, receive))) = tokio::time::timeout(STREAM_LIMIT, connection.open_bi()).await {
        let reader = FrameReader::new(receive, MAX_FRAME_BYTES + REQUEST_HEAD);
        tokio::select! {
            biased;
            () = read(&lane, reader) => {}
            () = write(&lane, send) => {}
        }
    }
    lane.fail();
}

async fn write(lane: &LaneOut, mut stream: SendStream) {
    let _closed = stream.set_priority(lane_priority(lane.lane));
    if stream.write_all(&[lane.lane.tag()]).await.is_err() {
        return;
    }
    loop {
        let mut pieces = lane.state.lock().out.take();
        if pieces.is_empty() {
            lane.wake.notified().await;
        } else if stream.write_all_chunks(&mut pieces).await.is_err() {
            return;
        }
    }
}

async fn read(lane: &LaneOut, mut reader: FrameReader) {
    loop {
        match reader.ready() {
            Ok(Some(frame)) => {
                if lane.answered(frame).is_err() {
                    reader.malformed();
                    return;
                }
            }
            Ok(None) => {
                tokio::task::consume_budget().await;
                if !reader.fill().await.unwrap_or(false) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}
