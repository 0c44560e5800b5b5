//! Tells watchers at other nodes what happens on this one. The watchers of a node share one stream; each has a credit of its
//! own, so that none waits for another.

use super::parts::Parts;
use super::wire::{Frame, Say, Tell, WATCH_CREDIT, encode, frames};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::Fuse;
use futures::{FutureExt, StreamExt};
use octopussy_core::codec;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Event, EventId, FrameSink, FrameSource, MeshStream, StreamHandler, Subscription, Topic};
use octopussy_core::problem::{Code, Problem};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;
use tracing::debug;

/// How many watchers of other nodes are served at once: as many as a gateway admits streams, for several gateways.
const REMOTE_WATCHERS: usize = 8_192;

/// How many frames may wait to be sent on one stream; whoever has more to tell waits.
const TELLING: usize = 64;

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
        let (telling, told) = mpsc::channel(TELLING);
        let watchers =
            Watchers { parts: self.parts.clone(), places: self.places.clone(), telling, served: HashMap::new() };
        Box::pin(async move {
            // Whole loops side by side: what reads a frame must not be dropped in the middle of one.
            tokio::select! {
                () = hear(stream.source, watchers) => {}
                () = tell(stream.sink, told) => {}
            }
            debug!(node = %from, "the watchers at another node are gone");
        })
    }
}

async fn tell(mut sink: Box<dyn FrameSink>, mut told: mpsc::Receiver<Bytes>) {
    while let Some(frame) = told.recv().await {
        if sink.send(frame).await.is_err() {
            return;
        }
    }
}

async fn hear(mut source: Box<dyn FrameSource>, mut watchers: Watchers) {
    while let Ok(Some(frame)) = source.next().await {
        match codec::decode(&frame) {
            Ok(Say::Watch { watch, topic, after, credit }) => watchers.admit(watch, topic, after, credit).await,
            Ok(Say::Unwatch { watch }) => {
                if let Some((served, _)) = watchers.served.remove(&watch) {
                    served.abort();
                }
            }
            Ok(Say::More { watch, credit }) => {
                if let Some((_, credits)) = watchers.served.get(&watch) {
                    credits.add_permits(credit.min(WATCH_CREDIT.saturating_sub(credits.available_permits())));
                }
            }
            Err(_) => return,
        }
    }
}

/// The watchers of one stream; dropped, they are no more.
struct Watchers {
    parts: Weak<Parts>,
    places: Arc<Semaphore>,
    telling: mpsc::Sender<Bytes>,
    served: HashMap<u64, (AbortHandle, Arc<Semaphore>)>,
}

impl Watchers {
    async fn admit(&mut self, watch: u64, topic: Topic, after: Option<EventId>, credit: usize) {
        let admitted = match self.places.clone().try_acquire_owned() {
            Ok(place) if self.served.len() < REMOTE_WATCHERS => {
                subscribe(&self.parts, topic, after).map(|news| (place, news))
            }
            Ok(_) | Err(_) => Err(Frame::Refused(
                Problem::new(Code::Overloaded, "the leader has as many watchers as it may")
                    .retry_after(Duration::from_secs(5)),
            )),
        };
        let (place, news) = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => return send(&self.telling, watch, refusal).await,
        };
        send(&self.telling, watch, Frame::Watching).await;
        let credits = Arc::new(Semaphore::new(credit.min(WATCH_CREDIT)));
        let served = tokio::spawn(serve(place, watch, news, credits.clone(), self.telling.clone()));
        self.served.insert(watch, (served.abort_handle(), credits));
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        for (served, _) in self.served.values() {
            served.abort();
        }
    }
}

/// The subscription, or what to say instead.
fn subscribe(parts: &Weak<Parts>, topic: Topic, after: Option<EventId>) -> Result<Subscription, Frame> {
    let parts = parts.upgrade().ok_or(Frame::Moved)?;
    let news = parts.here(topic, after).map_err(Frame::Refused)?;
    // Looked at after subscribing: a leadership that is lost from now on ends the subscription.
    match parts.hub.shard_of(topic) {
        Some(shard) if !parts.leads(shard) => Err(Frame::Moved),
        Some(_) | None => Ok(news),
    }
}

/// Tells one watcher as much as it has credit for. What it has no credit for stays in the topic, which remembers a bounded
/// number of events.
async fn serve(
    _place: OwnedSemaphorePermit,
    watch: u64,
    news: Subscription,
    credits: Arc<Semaphore>,
    telling: mpsc::Sender<Bytes>,
) {
    let mut news = news.fuse();
    loop {
        let Ok(credit) = credits.acquire().await else { return };
        credit.forget();
        let Some(event) = news.next().await else { break };
        for frame in frames(watch, with_more(event, &mut news, &credits)) {
            if telling.send(frame).await.is_err() {
                return;
            }
        }
    }
    send(&telling, watch, Frame::Moved).await;
}

/// The event with those that are there already, as far as the credit goes.
fn with_more(event: Event, news: &mut Fuse<Subscription>, credits: &Semaphore) -> Vec<Event> {
    let mut events = vec![event];
    while let Ok(credit) = credits.try_acquire() {
        let Some(Some(event)) = news.next().now_or_never() else { break };
        credit.forget();
        events.push(event);
    }
    events
}

async fn send(telling: &mpsc::Sender<Bytes>, watch: u64, what: Frame) {
    if let Some(frame) = encode(&Tell { watch, what }) {
        let _gone = telling.send(frame).await;
    }
}
