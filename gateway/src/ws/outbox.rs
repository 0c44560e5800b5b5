//! What waits for a client to read it: a bounded queue in front of the socket, so that a slow client slows nobody else.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::stream::SplitSink;
use futures::{Sink, SinkExt};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a client gets to take the last frame.
const LAST_FRAME: Duration = Duration::from_secs(2);

/// The sending half of the queue.
pub(super) struct Outbox {
    queue: mpsc::Sender<Message>,
    close: Option<oneshot::Sender<CloseFrame>>,
}

/// The queue's other end: writes to the socket until it is closed.
pub(super) struct Writer {
    queue: mpsc::Receiver<Message>,
    close: oneshot::Receiver<CloseFrame>,
}

impl Outbox {
    /// A queue of at most `bound` messages.
    pub(super) fn new(bound: usize) -> (Self, Writer) {
        let (queue, receiver) = mpsc::channel(bound.max(1));
        let (close, closed) = oneshot::channel();
        (Self { queue, close: Some(close) }, Writer { queue: receiver, close: closed })
    }

    /// Whether there is room for a message.
    pub(super) fn has_room(&self) -> bool {
        self.queue.capacity() > 0
    }

    /// Puts a message in line, where there is room; to be asked with [`Self::has_room`] before.
    pub(super) fn offer(&self, text: Utf8Bytes) {
        // It fails only when the client is gone, which the reading half finds out as well.
        let _ = self.queue.try_send(Message::Text(text));
    }

    /// Puts a message in line as soon as there is room; false when there was none `within` the time.
    pub(super) async fn send(&self, message: Message, within: Duration) -> bool {
        self.queue.send_timeout(message, within).await.is_ok()
    }

    /// Waits until there is room for a message.
    pub(super) async fn room(&self) {
        // The permit is given back at once: only this task sends, so the room stays.
        drop(self.queue.reserve().await);
    }

    /// Ends the connection with a close frame, ahead of what still waits.
    pub(super) fn close(&mut self, code: u16, reason: &'static str) {
        if let Some(close) = self.close.take() {
            // The writer may have ended before, when the client went away.
            let _ = close.send(CloseFrame { code, reason: reason.into() });
        }
    }
}

impl Writer {
    /// Writes until the outbox is dropped, the connection is closed or the client is gone.
    pub(super) async fn run(mut self, mut sink: SplitSink<WebSocket, Message>) {
        let frame = loop {
            tokio::select! {
                biased;
                frame = &mut self.close => break frame.ok(),
                message = self.queue.recv() => {
                    let Some(message) = message else { break None };
                    tokio::select! {
                        biased;
                        // A client that does not read must not keep its close frame from being tried.
                        frame = &mut self.close => break frame.ok(),
                        sent = sink.send(message) => if sent.is_err() { return },
                    }
                }
            }
        };
        last_words(&mut sink, frame).await;
    }
}

async fn last_words<S: Sink<Message> + Unpin>(sink: &mut S, frame: Option<CloseFrame>) {
    // Nothing can be done for a client that does not take it.
    let _ = tokio::time::timeout(LAST_FRAME, async {
        let _ = sink.send(Message::Close(frame)).await;
        let _ = sink.close().await;
    })
    .await;
}
