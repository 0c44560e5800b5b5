//! A subscription at another node. All subscriptions at one node share a stream of the mesh, of which there are few.

use super::parts::Parts;
use super::wire::{Frame, Say, Tell, WATCH_CREDIT, encode};
use octopussy_core::codec;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Event, EventId, FrameSink, FrameSource, MeshPort, MeshStream, StreamKind, Topic};
use octopussy_core::problem::Problem;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long another node may take to take up a subscription.
const TAKEN_UP: Duration = Duration::from_secs(2);

/// How many requests of watchers may wait to be sent to one node: each watcher has at most one.
const SAYING: usize = 1_024;

/// How many frames may wait for a watcher: one for each event it has credit for, and what comes around the news.
const UNREAD: usize = WATCH_CREDIT + 4;

/// Why there is no subscription.
#[derive(Debug)]
pub(super) enum NoWatch {
    /// The node cannot be reached, or does not lead the shard: ask the leader there is by then.
    Elsewhere,
    /// It does not want to.
    Refused(Problem),
}

/// The streams to other nodes, one each.
#[derive(Default)]
pub(crate) struct Relays(Mutex<HashMap<NodeId, Arc<Relay>>>);

impl Relays {
    /// The stream to `node`: the present one, or a new one that is being opened.
    fn to(&self, mesh: &Arc<dyn MeshPort>, node: NodeId) -> Arc<Relay> {
        let mut relays = self.0.lock();
        relays.retain(|_, relay| !relay.saying.is_closed());
        let open = || {
            let (saying, said) = mpsc::channel(SAYING);
            let relay = Arc::new(Relay { saying, watches: Mutex::default(), next: AtomicU64::new(0) });
            tokio::spawn(carry(mesh.clone(), node, Arc::clone(&relay), said));
            relay
        };
        relays.entry(node).or_insert_with(open).clone()
    }
}

/// The stream to one node.
struct Relay {
    saying: mpsc::Sender<Say>,
    watches: Mutex<HashMap<u64, mpsc::Sender<Frame>>>,
    next: AtomicU64,
}

/// Opens the stream and carries both directions until one of them ends; then all its watches have ended.
async fn carry(mesh: Arc<dyn MeshPort>, node: NodeId, relay: Arc<Relay>, mut said: mpsc::Receiver<Say>) {
    let opened = tokio::time::timeout(TAKEN_UP, mesh.open(node, StreamKind::Events)).await;
    if let Ok(Ok(MeshStream { sink, source })) = opened {
        // Whole loops side by side: what reads a frame must not be dropped in the middle of one.
        tokio::select! {
            () = say(sink, &mut said) => {}
            () = hear(source, &relay) => {}
        }
    }
    said.close();
    relay.watches.lock().clear();
}

async fn say(mut sink: Box<dyn FrameSink>, said: &mut mpsc::Receiver<Say>) {
    while let Some(say) = said.recv().await {
        let Some(frame) = encode(&say) else { continue };
        if sink.send(frame).await.is_err() {
            return;
        }
    }
}

async fn hear(mut source: Box<dyn FrameSource>, relay: &Relay) {
    while let Ok(Some(frame)) = source.next().await {
        let Ok(Tell { watch, what }) = codec::decode(&frame) else { return };
        let told = relay.watches.lock().get(&watch).map(|news| news.try_send(what));
        match told {
            Some(Ok(())) => {}
            // Its watcher is gone, or gets more than it has credit for.
            Some(Err(_)) | None => {
                relay.watches.lock().remove(&watch);
                let _again_with_its_next_news = relay.saying.try_send(Say::Unwatch { watch });
            }
        }
    }
}

/// News from another node. What it has not been asked for waits there, bounded, and turns into a gap when it is too much.
pub(super) struct RemoteWatch {
    relay: Arc<Relay>,
    watch: u64,
    news: mpsc::Receiver<Frame>,
    received: VecDeque<Event>,
    /// How many events have been taken since credit was last given.
    taken: usize,
}

impl RemoteWatch {
    /// Subscribes at `node`; when this returns, nothing is missed from then on.
    pub(super) async fn open(
        parts: &Parts,
        node: NodeId,
        topic: Topic,
        after: Option<EventId>,
    ) -> Result<Self, NoWatch> {
        let relay = parts.relays.to(&parts.mesh, node);
        let watch = relay.next.fetch_add(1, Ordering::Relaxed);
        let (sender, news) = mpsc::channel(UNREAD);
        relay.watches.lock().insert(watch, sender);
        let mut this = Self { relay, watch, news, received: VecDeque::new(), taken: 0 };
        let opened = async {
            let asked = Say::Watch { watch, topic, after, credit: WATCH_CREDIT };
            this.relay.saying.send(asked).await.map_err(|_| NoWatch::Elsewhere)?;
            match this.news.recv().await {
                Some(Frame::Watching) => Ok(()),
                Some(Frame::Refused(problem)) => Err(NoWatch::Refused(problem)),
                Some(Frame::Moved | Frame::News(_)) | None => Err(NoWatch::Elsewhere),
            }
        };
        tokio::time::timeout(TAKEN_UP, opened).await.unwrap_or(Err(NoWatch::Elsewhere))?;
        Ok(this)
    }

    /// The next event; `None` when the node tells nothing more.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.received.pop_front() {
                self.taken += 1;
                return Some(event);
            }
            if self.taken >= WATCH_CREDIT / 2 {
                let more = Say::More { watch: self.watch, credit: self.taken };
                self.relay.saying.send(more).await.ok()?;
                self.taken = 0;
            }
            match self.news.recv().await? {
                Frame::News(events) => self.received.extend(events),
                Frame::Watching => {}
                Frame::Refused(_) | Frame::Moved => return None,
            }
        }
    }
}

impl Drop for RemoteWatch {
    fn drop(&mut self) {
        if self.relay.watches.lock().remove(&self.watch).is_some() {
            // Where this does not fit, the next news for nobody repeat it.
            let _later = self.relay.saying.try_send(Say::Unwatch { watch: self.watch });
        }
    }
}
