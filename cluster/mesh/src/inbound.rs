//! What a peer begins on a connection: lanes, streams, one-way messages and datagrams.

use crate::handlers::{Handlers, NoStream, guarded};
use crate::lane::{self, LANE_FRAME, ServedLane};
use crate::limits::{GOSSIP_STREAMS, STREAM_LIMIT};
use crate::link::{GOSSIP_TAG, Link};
use crate::metrics::Metrics;
use crate::refusal::{STREAM_BUSY, STREAM_FORBIDDEN, STREAM_UNSERVED};
use crate::stream;
use crate::wire::FrameReader;
use bytes::Bytes;
use octopussy_core::ports::{Lane, MAX_FRAME_BYTES, StreamKind};
use quinn::{RecvStream, SendStream, VarInt};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Serves everything that comes on a link.
#[derive(Clone)]
pub(crate) struct Inbound {
    pub(crate) link: Arc<Link>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Inbound {
    /// Serves until the connection ends.
    pub(crate) fn start(self) {
        tokio::spawn(self.clone().streams());
        tokio::spawn(self.clone().gossip());
        tokio::spawn(self.datagrams());
    }

    async fn streams(self) {
        while let Ok((send, receive)) = self.link.connection.accept_bi().await {
            if self.link.allows_stream() {
                tokio::spawn(self.clone().stream(send, receive));
            } else {
                self.refuse(send, receive, STREAM_BUSY);
            }
        }
    }

    fn refuse(&self, mut send: SendStream, mut receive: RecvStream, code: VarInt) {
        self.metrics.other.streams_refused.add(1);
        let _closed = send.reset(code);
        let _closed = receive.stop(code);
    }

    async fn stream(self, send: SendStream, mut receive: RecvStream) {
        let mut tag = [0];
        let read = tokio::time::timeout(STREAM_LIMIT, receive.read_exact(&mut tag)).await;
        if !matches!(read, Ok(Ok(()))) {
            return self.refuse(send, receive, STREAM_UNSERVED);
        }
        let [tag] = tag;
        let from = self.link.peer.node;
        if let Some(lane) = Lane::from_tag(tag) {
            let served = ServedLane { from, lane, handlers: self.handlers, metrics: self.metrics };
            return lane::serve(served, send, FrameReader::new(receive, LANE_FRAME)).await;
        }
        let Some(kind) = StreamKind::from_tag(tag) else {
            return self.refuse(send, receive, STREAM_UNSERVED);
        };
        let handler = match self.handlers.stream(kind, from) {
            Ok(handler) => handler,
            Err(NoStream::Unserved) => return self.refuse(send, receive, STREAM_UNSERVED),
            Err(NoStream::Forbidden) => return self.refuse(send, receive, STREAM_FORBIDDEN),
        };
        self.metrics.other.streams_accepted.add(1);
        let _closed = send.set_priority(lane::stream_priority(kind));
        let stream = stream::wrap(from, send, FrameReader::new(receive, MAX_FRAME_BYTES), None);
        handler.handle(from, stream).await;
    }

    async fn gossip(self) {
        let reading = Arc::new(Semaphore::new(GOSSIP_STREAMS as usize));
        while let Ok(mut receive) = self.link.connection.accept_uni().await {
            let permit = reading.clone().try_acquire_owned().ok().filter(|_| self.link.allows_stream());
            let Some(permit) = permit else {
                self.metrics.other.gossip_dropped.add(1);
                let _closed = receive.stop(STREAM_BUSY);
                continue;
            };
            let this = self.clone();
            tokio::spawn(async move {
                let _permit = permit;
                let read = tokio::time::timeout(STREAM_LIMIT, receive.read_to_end(MAX_FRAME_BYTES + 1)).await;
                this.one_way(read.ok().and_then(Result::ok));
            });
        }
    }

    fn one_way(&self, message: Option<Vec<u8>>) {
        let counters = &self.metrics.other;
        let frame = message.map(Bytes::from).filter(|frame| frame.first() == Some(&GOSSIP_TAG));
        match (frame, self.handlers.gossip(self.link.peer.node)) {
            (Some(frame), Some(handler)) => {
                counters.gossip_received.add(1);
                handler.handle(self.link.peer.node, frame.slice(1..));
            }
            (None, _) | (_, None) => counters.gossip_dropped.add(1),
        }
    }

    async fn datagrams(self) {
        let counters = &self.metrics.other;
        while let Ok(frame) = self.link.connection.read_datagram().await {
            match self.handlers.datagram(self.link.peer.node).filter(|_| self.link.allows_datagram()) {
                Some(handler) => {
                    counters.datagrams_received.add(1);
                    guarded("datagram handler", || handler.handle(self.link.peer.node, frame));
                }
                None => counters.datagrams_dropped.add(1),
            }
        }
    }
}
