//! The answering side of a lane.

use super::lane_priority;
use super::message::{self, Kind, REQUEST_HEAD};
use crate::handlers::Handlers;
use crate::limits::{LANE_SERVED, REPLY_BATCH, REPLY_BYTES, TOO_LONG};
use crate::metrics::Metrics;
use crate::wire::{FrameReader, OutBuffer};
use bytes::Bytes;
use futures::FutureExt;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, MAX_ANSWER_BYTES, MAX_FRAME_BYTES};
use parking_lot::Mutex;
use quinn::SendStream;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

const TOO_MANY: &str = "too many requests are under way";
const PANICKED: &str = "the handler failed";

/// What one handler answered.
type Answered = Result<Bytes, Arc<str>>;

/// What comes of a request.
enum Outcome {
    Answer(Bytes),
    /// It was not carried out.
    Refusal(Arc<str>),
    /// It may have been carried out, and there is no answer that could travel.
    Silence(&'static str),
}

impl From<Answered> for Outcome {
    fn from(answered: Answered) -> Self {
        match answered {
            Ok(answer) if answer.len() > MAX_ANSWER_BYTES => Self::Silence(TOO_LONG),
            Ok(answer) => Self::Answer(answer),
            Err(reason) => Self::Refusal(reason),
        }
    }
}

/// The outcome of a handler that may have panicked, which says nothing of what it had done by then.
fn outcome(answered: std::thread::Result<Answered>) -> Outcome {
    answered.map_or(Outcome::Silence(PANICKED), Outcome::from)
}

/// One peer's requests on one lane.
pub(crate) struct ServedLane {
    pub(crate) from: NodeId,
    pub(crate) lane: Lane,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) metrics: Arc<Metrics>,
}

struct Serving {
    lane: ServedLane,
    replies: Mutex<Replies>,
    /// There is something to write.
    wake: Notify,
    /// Something was written.
    written: Notify,
}

#[derive(Default)]
struct Replies {
    out: OutBuffer,
    under_way: usize,
    closed: bool,
}

/// Serves a stream until it ends.
pub(crate) async fn serve(lane: ServedLane, send: SendStream, reader: FrameReader) {
    let serving = Arc::new(Serving { lane, replies: Mutex::default(), wake: Notify::new(), written: Notify::new() });
    tokio::select! {
        biased;
        () = read(&serving, reader) => {}
        () = write(&serving, send) => {}
    }
    let mut replies = serving.replies.lock();
    replies.closed = true;
    let _unheard = replies.out.take();
}

async fn read(serving: &Arc<Serving>, mut reader: FrameReader) {
    loop {
        loop {
            match reader.ready() {
                Ok(Some(frame)) => {
                    if !serving.request(frame) {
                        reader.malformed();
                        return;
                    }
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        // Once for all that arrived together, so that their answers leave together.
        serving.wake.notify_one();
        while serving.replies.lock().out.bytes() > REPLY_BYTES {
            serving.written.notified().await;
        }
        // A peer that never pauses must neither keep the answers from leaving nor the thread from others.
        if serving.replies.lock().out.bytes() > REPLY_BATCH {
            tokio::task::yield_now().await;
        }
        tokio::task::consume_budget().await;
        if !reader.fill().await.unwrap_or(false) {
            return;
        }
    }
}

async fn write(serving: &Serving, mut stream: SendStream) {
    let _closed = stream.set_priority(lane_priority(serving.lane.lane));
    loop {
        let mut pieces = serving.replies.lock().out.take();
        if pieces.is_empty() {
            serving.wake.notified().await;
        } else {
            serving.written.notify_one();
            if stream.write_all_chunks(&mut pieces).await.is_err() {
                return;
            }
        }
    }
}

impl Serving {
    /// Carries out a request; `false` when it is none.
    fn request(self: &Arc<Self>, frame: Bytes) -> bool {
        let metrics = self.lane.metrics.lane(self.lane.lane);
        metrics.served.add(1);
        metrics.received_frames.add(1);
        metrics.received_bytes.add((frame.len() + 4) as u64);
        let Some((id, within, request)) = message::request(frame) else { return false };
        let handler = match self.lane.handlers.lane(self.lane.lane, self.lane.from, &request) {
            Ok(handler) => handler,
            Err(reason) => {
                self.reply(id, Outcome::Refusal(Arc::from(reason)));
                return true;
            }
        };
        if self.replies.lock().under_way >= LANE_SERVED {
            self.reply(id, Outcome::Refusal(Arc::from(TOO_MANY)));
            return true;
        }
        let from = self.lane.from;
        let begun = std::panic::catch_unwind(AssertUnwindSafe(|| handler.handle(from, request, within)));
        match begun {
            Ok(future) => self.carry_out(id, future),
            Err(_) => self.reply(id, Outcome::Silence(PANICKED)),
        }
        true
    }

    /// Most handlers answer at once: the future is tried here before a task is spent on it.
    fn carry_out(self: &Arc<Self>, id: u64, future: futures::future::BoxFuture<'static, Answered>) {
        let mut future = AssertUnwindSafe(future).catch_unwind();
        // The future is polled again by its task at once, with a waker that wakes.
        match future.poll_unpin(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answered) => self.reply(id, outcome(answered)),
            Poll::Pending => {
                self.replies.lock().under_way += 1;
                let serving = self.clone();
                tokio::spawn(async move {
                    let outcome = outcome(future.await);
                    serving.replies.lock().under_way -= 1;
                    serving.reply(id, outcome);
                    serving.wake.notify_one();
                });
            }
        }
    }

    fn reply(&self, id: u64, outcome: Outcome) {
        match outcome {
            Outcome::Answer(mut answer) => {
                while answer.len() > MAX_FRAME_BYTES {
                    self.push(id, Kind::Piece, answer.split_to(MAX_FRAME_BYTES));
                }
                self.push(id, Kind::Answer, answer);
            }
            Outcome::Refusal(reason) => self.say(id, Kind::Refusal, &reason),
            Outcome::Silence(reason) => self.say(id, Kind::Silence, reason),
        }
    }

    fn say(&self, id: u64, kind: Kind, reason: &str) {
        self.lane.metrics.lane(self.lane.lane).refusals.add(1);
        self.push(id, kind, Bytes::copy_from_slice(reason.as_bytes()));
    }

    fn push(&self, id: u64, kind: Kind, body: Bytes) {
        let metrics = self.lane.metrics.lane(self.lane.lane);
        let head = message::answer_head(id, kind);
        metrics.sent_frames.add(1);
        metrics.sent_bytes.add((head.len() + body.len() + 4) as u64);
        let mut replies = self.replies.lock();
        if !replies.closed {
            replies.out.push(&head, body);
        }
    }
}

/// The longest frame on a lane.
pub(crate) const LANE_FRAME: usize = MAX_FRAME_BYTES + REQUEST_HEAD;
