use super::*;
use bytes::Bytes;
use futures::future::BoxFuture;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{
    FrameHandler, Incarnation, Lane, LaneHandler, MeshError, MeshPort, MeshStream, PeerEvent, PeerObserver,
    StreamHandler, StreamKind,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const A: NodeId = NodeId([1; 16]);
const B: NodeId = NodeId([2; 16]);
const MS: Duration = Duration::from_millis(1);

/// Answers with the request after as many milliseconds as its first byte says; 255 refuses.
struct Echo;

impl LaneHandler for Echo {
    fn handle(&self, _: NodeId, request: Bytes, _: Duration) -> BoxFuture<'static, Result<Bytes, Arc<str>>> {
        Box::pin(async move {
            if request[0] == 255 {
                return Err(Arc::from("no"));
            }
            tokio::time::sleep(MS * u32::from(request[0])).await;
            Ok(request)
        })
    }
}

#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<PeerEvent>>,
    frames: Mutex<Vec<Bytes>>,
}

impl PeerObserver for Recorder {
    fn on_peer(&self, event: PeerEvent) {
        self.events.lock().push(event);
    }
}

impl FrameHandler for Recorder {
    fn handle(&self, _: NodeId, frame: Bytes) {
        self.frames.lock().push(frame);
    }
}

struct Mirror;

impl StreamHandler for Mirror {
    fn handle(&self, _: NodeId, mut stream: MeshStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            while let Ok(Some(frame)) = stream.source.next().await {
                if stream.sink.send(frame).await.is_err() {
                    return;
                }
            }
            let _ended = stream.sink.finish().await;
        })
    }
}

fn two() -> (Network, Arc<MemoryMesh>, Arc<MemoryMesh>) {
    let network = Network::new(7);
    let (a, b) = (network.node(A, 1), network.node(B, 1));
    b.serve(Lane::Forward, Arc::new(Echo));
    b.serve_streams(StreamKind::Snapshot, Arc::new(Mirror));
    (network, a, b)
}

fn body(first: u8) -> Bytes {
    Bytes::copy_from_slice(&[first])
}

#[tokio::test(start_paused = true)]
async fn calls_are_answered_out_of_order_and_within_their_time() {
    let (network, a, _b) = two();
    network.set_latency(10 * MS..=10 * MS);
    let start = Instant::now();
    let slow = a.call(B, Lane::Forward, body(100), 1_000 * MS);
    let quick = a.call(B, Lane::Forward, body(1), 1_000 * MS);
    assert_eq!(quick.await, Ok(body(1)));
    assert!(start.elapsed() >= 21 * MS && start.elapsed() < 60 * MS, "{:?}", start.elapsed());
    assert_eq!(slow.await, Ok(body(100)));
    assert_eq!(a.call(B, Lane::Forward, body(200), 50 * MS).await, Err(MeshError::Timeout(B)));
    assert!(matches!(a.call(B, Lane::Forward, body(255), 50 * MS).await, Err(MeshError::Refused { .. })));
    assert!(matches!(a.call(B, Lane::Blob, body(0), 50 * MS).await, Err(MeshError::Refused { .. })));
    assert_eq!(a.call(A, Lane::Forward, body(0), 50 * MS).await, Err(MeshError::NotConnected(A)));
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_detected_and_healed() {
    let (network, a, _b) = two();
    let events = Arc::new(Recorder::default());
    a.observe(events.clone());
    assert_eq!(a.call(B, Lane::Forward, body(0), 10 * MS).await, Ok(body(0)));
    network.partition(A, B);
    assert_eq!(a.call(B, Lane::Forward, body(0), 100 * MS).await, Err(MeshError::Timeout(B)));
    let start = Instant::now();
    assert_eq!(a.call(B, Lane::Forward, body(0), 60_000 * MS).await, Err(MeshError::Lost(B)));
    assert!(start.elapsed() < crate::IDLE_TIMEOUT);
    assert_eq!(a.call(B, Lane::Forward, body(0), 100 * MS).await, Err(MeshError::NotConnected(B)));
    assert!(!a.is_connected(B) && a.peers().is_empty());
    network.heal(A, B);
    assert_eq!(a.call(B, Lane::Forward, body(0), 10 * MS).await, Ok(body(0)));
    let b = Incarnation { node: B, boot: 1 };
    let expected = [PeerEvent::Connected(b), PeerEvent::Closed(b), PeerEvent::Connected(b)];
    assert_eq!(*events.events.lock(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_waits_on_a_short_break_arrives_once_it_is_healed() {
    let (network, a, _b) = two();
    network.partition_one_way(B, A);
    let call = a.call(B, Lane::Forward, body(0), 60_000 * MS);
    tokio::time::sleep(500 * MS).await;
    network.heal_all();
    assert_eq!(call.await, Ok(body(0)));
}

#[tokio::test(start_paused = true)]
async fn a_crashed_node_is_lost_and_returns_as_a_new_incarnation() {
    let (network, a, b) = two();
    let events = Arc::new(Recorder::default());
    a.observe(events.clone());
    let in_hand = a.call(B, Lane::Forward, body(10), 60_000 * MS);
    tokio::time::sleep(5 * MS).await;
    network.stop(B);
    assert_eq!(in_hand.await, Err(MeshError::Lost(B)));
    assert_eq!(b.call(A, Lane::Forward, body(0), MS).await, Err(MeshError::Stopping));
    assert_eq!(a.call(B, Lane::Forward, body(0), 60_000 * MS).await, Err(MeshError::NotConnected(B)));
    let b = network.restart(B);
    b.serve(Lane::Forward, Arc::new(Echo));
    assert_eq!(a.call(B, Lane::Forward, body(0), 10 * MS).await, Ok(body(0)));
    assert_eq!(b.incarnation(), Incarnation { node: B, boot: 2 });
    let last = events.events.lock().last().copied();
    assert_eq!(last, Some(PeerEvent::Connected(b.incarnation())));
}

#[tokio::test(start_paused = true)]
async fn dropped_calls_free_their_slots_and_the_window_is_bounded() {
    let (_network, a, _b) = two();
    let calls: Vec<_> =
        (0..crate::LANE_WINDOW + crate::LANE_QUEUE).map(|_| a.call(B, Lane::Forward, body(0), MS * 100)).collect();
    assert_eq!(a.call(B, Lane::Forward, body(0), MS * 100).await, Err(MeshError::Congested(B)));
    drop(calls);
    assert_eq!(a.call(B, Lane::Forward, body(0), MS * 100).await, Ok(body(0)));
}

#[tokio::test(start_paused = true)]
async fn streams_carry_frames_until_their_end_or_their_connections() {
    let (network, a, _b) = two();
    let mut stream = a.open(B, StreamKind::Snapshot).await.unwrap();
    for first in 0..10 {
        stream.sink.send(body(first)).await.unwrap();
    }
    for first in 0..10 {
        assert_eq!(stream.source.next().await, Ok(Some(body(first))));
    }
    stream.sink.finish().await.unwrap();
    assert_eq!(stream.source.next().await, Ok(None));
    let mut refused = a.open(B, StreamKind::Events).await.unwrap();
    assert!(matches!(refused.source.next().await, Err(MeshError::Refused { .. })));
    let mut broken = a.open(B, StreamKind::Snapshot).await.unwrap();
    network.partition(A, B);
    assert_eq!(broken.source.next().await, Err(MeshError::Lost(B)));
    assert!(a.open(B, StreamKind::Snapshot).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn datagrams_and_gossip_are_lost_at_the_set_rates() {
    let (network, a, b) = two();
    let (datagrams, gossip) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    b.on_datagram(datagrams.clone());
    b.on_gossip(gossip.clone());
    network.set_loss(0.5, 0.0);
    for _ in 0..1_000 {
        a.datagram(B, body(0)).unwrap();
        a.gossip(B, body(0)).unwrap();
    }
    tokio::time::sleep(MS).await;
    assert_eq!(gossip.frames.lock().len(), 1_000);
    let arrived = datagrams.frames.lock().len();
    assert!((400..600).contains(&arrived), "{arrived}");
    let long = Bytes::from(vec![0; octopussy_core::ports::MAX_DATAGRAM_BYTES + 1]);
    assert!(matches!(a.datagram(B, long), Err(MeshError::TooLarge { .. })));
}
