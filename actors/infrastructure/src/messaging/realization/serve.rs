//! Tells watchers at other nodes what happens on this one.

use super::parts::Parts;
use super::wire::{Frame, Watch, encode, frames};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use octopussy_core::codec;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{FrameSink, MeshError, MeshStream, StreamHandler, Subscription};
use octopussy_core::problem::{Code, Problem};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;
use tracing::debug;

/// How many watchers of other nodes are served at once: as many as a gateway admits streams, for several gateways.
const REMOTE_WATCHERS: usize = 8_192;

/// How long a watcher may take to say what it wants.
const GREETING: Duration = Duration::from_secs(5);

/// The most events of one frame.
const BATCH: usize = 64;

/// Serves the streams of watchers at other nodes. Holds messaging weakly: the mesh outlives it.
pub(crate) struct EventStreams {
    parts: Weak<Parts>,
    places: Arc<Semaphore>,
}

impl EventStreams {
    pub(crate) fn new(parts: &Arc<Parts>) -> Self {
        Self { parts: Arc::downgrade(parts), places: Arc::new(Semaphore::new(REMOTE_WATCHERS)) }
    }
}

impl StreamHandler for EventStreams {
    fn handle(&self, from: NodeId, stream: MeshStream) -> BoxFuture<'static, ()> {
        let (parts, places) = (self.parts.clone(), self.places.clone());
        Box::pin(async move {
            let mut stream = stream;
            let Ok(_place) = places.try_acquire_owned() else {
                let problem = Problem::new(Code::Overloaded, "the leader has as many watchers as it may")
                    .retry_after(Duration::from_secs(5));
                let _gone = last(&mut *stream.sink, &Frame::Refused(problem)).await;
                return;
            };
            if let Err(error) = serve(&parts, stream).await {
                debug!(node = %from, %error, "a watcher at another node is gone");
            }
        })
    }
}

async fn serve(parts: &Weak<Parts>, mut stream: MeshStream) -> Result<(), MeshError> {
    let Ok(greeting) = tokio::time::timeout(GREETING, stream.source.next()).await else { return Ok(()) };
    let Some(watch) = greeting?.and_then(|frame| codec::decode::<Watch>(&frame).ok()) else { return Ok(()) };
    let mut news = match subscribe(parts, &watch) {
        Ok(news) => news.ready_chunks(BATCH),
        Err(refusal) => return last(&mut *stream.sink, &refusal).await,
    };
    stream.sink.send(frame(&Frame::Watching)).await?;
    let MeshStream { mut sink, mut source } = stream;
    // Nothing more is expected from the watcher but its end.
    let gone = source.next();
    tokio::pin!(gone);
    loop {
        tokio::select! {
            biased;
            _ = &mut gone => return Ok(()),
            events = news.next() => match events {
                Some(events) => {
                    for frame in frames(events) {
                        sink.send(frame).await?;
                    }
                }
                None => return last(&mut *sink, &Frame::Moved).await,
            },
        }
    }
}

/// The subscription, or what to say instead.
fn subscribe(parts: &Weak<Parts>, watch: &Watch) -> Result<Subscription, Frame> {
    let parts = parts.upgrade().ok_or(Frame::Moved)?;
    let news = parts.here(watch.topic, watch.after).map_err(Frame::Refused)?;
    // Looked at after subscribing: a leadership that is lost from now on ends the subscription.
    match parts.hub.shard_of(watch.topic) {
        Some(shard) if !parts.leads(shard) => Err(Frame::Moved),
        Some(_) | None => Ok(news),
    }
}

fn frame(frame: &Frame) -> Bytes {
    encode(frame).unwrap_or_default()
}

async fn last(sink: &mut dyn FrameSink, what: &Frame) -> Result<(), MeshError> {
    sink.send(frame(what)).await?;
    sink.finish().await
}
