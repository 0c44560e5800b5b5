//! The answering side of a lane.

use super::lane_priority;
use super::message::{self, REQUEST_HEAD};
use crate::handlers::Handlers;
use crate::limits::{LANE_SERVED, REPLY_BATCH, REPLY_BYTES};
use crate::metrics::Metrics;
use crate::wire::{FrameReader, OutBuffer};
use bytes::Bytes;
use futures::FutureExt;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, MAX_FRAME_BYTES};
use parking_lot::Mutex;
use quinn::SendStream;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

const TOO_MANY: &str = "too many requests are under way";
const TOO_LONG: &str = "the answer is too long";
const PANICKED: &str = "the handler failed";

/// What one handler answered.
type Outcome = Result<Bytes, Arc<str>>;

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
                self.reply(id, Err(Arc::from(reason)));
                return true;
            }
        };
        if self.replies.lock().under_way >= LANE_SERVED {
            self.reply(id, Err(Arc::from(TOO_MANY)));
            return true;
        }
        let from = self.lane.from;
        let begun = std::panic::catch_unwind(AssertUnwindSafe(|| handler.handle(from, request, within)));
        match begun {
            Ok(future) => self.carry_out(id, future),
            Err(_) => self.reply(id, Err(Arc::from(PANICKED))),
        }
        true
    }

    /// Most handlers answer at once: the future is tried here before a task is spent on it.
    fn carry_out(self: &Arc<Self>, id: u64, future: futures::future::BoxFuture<'static, Outcome>) {
        let mut future = AssertUnwindSafe(future).catch_unwind();
        // The future is polled again by its task at once, with a waker that wakes.
        match future.poll_unpin(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => self.reply(id, outcome.unwrap_or_else(|_| Err(Arc::from(PANICKED)))),
            Poll::Pending => {
                self.replies.lock().under_way += 1;
                let serving = self.clone();
                tokio::spawn(async move {
                    let outcome = future.await.unwrap_or_else(|_| Err(Arc::from(PANICKED)));
                    serving.replies.lock().under_way -= 1;
                    serving.reply(id, outcome);
                    serving.wake.notify_one();
                });
            }
        }
    }

    fn reply(&self, id: u64, outcome: Outcome) {
        let outcome = match outcome {
            Ok(answer) if answer.len() > MAX_FRAME_BYTES => Err(Arc::from(TOO_LONG)),
            other => other,
        };
        let metrics = self.lane.metrics.lane(self.lane.lane);
        let head = message::answer_head(id, outcome.is_ok());
        let body = match outcome {
            Ok(answer) => answer,
            Err(reason) => {
                metrics.refusals.add(1);
                Bytes::copy_from_slice(reason.as_bytes())
            }
        };
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
