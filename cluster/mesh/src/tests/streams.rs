//! Streams, one-way messages and datagrams.

use super::support::*;
use crate::lane::lane_priority;
use bytes::Bytes;
use octopussy_core::ports::{
    FrameSource, Lane, MAX_DATAGRAM_BYTES, MAX_FRAME_BYTES, MeshError, MeshPort, MeshStream, StreamHandler, StreamKind,
};
use std::sync::Arc;
use tokio::sync::mpsc;

#[tokio::test]
async fn streams_carry_frames_of_any_length_to_their_end() {
    let (a, b) = two().await;
    b.serve_streams(StreamKind::Snapshot, Arc::new(Mirror));
    let MeshStream { mut sink, mut source } = a.open(id(&b), StreamKind::Snapshot).await.unwrap();
    let frames: Vec<Bytes> =
        [0, 1, 5_000, MAX_FRAME_BYTES].iter().map(|length| Bytes::from(vec![5; *length])).collect();
    let sent = frames.clone();
    let sending = tokio::spawn(async move {
        for frame in sent {
            sink.send(frame).await.unwrap();
        }
        sink.finish().await.unwrap();
    });
    for frame in frames {
        assert_eq!(source.next().await, Ok(Some(frame)));
    }
    assert_eq!(source.next().await, Ok(None));
    sending.await.unwrap();
}

/// Hands the receiving half to the test.
struct Catch(mpsc::Sender<MeshStream>);

impl StreamHandler for Catch {
    fn handle(&self, _: octopussy_core::ids::NodeId, stream: MeshStream) -> futures::future::BoxFuture<'static, ()> {
        let caught = self.0.clone();
        Box::pin(async move {
            let _test_ended = caught.send(stream).await;
        })
    }
}

#[tokio::test]
async fn a_stream_that_is_given_up_or_not_served_is_told_from_one_that_ended() {
    let (a, b) = two().await;
    let mut refused = a.open(id(&b), StreamKind::Events).await.unwrap();
    assert!(matches!(refused.source.next().await, Err(MeshError::Refused { .. })));
    let (sender, mut caught) = mpsc::channel(4);
    b.serve_streams(StreamKind::Tokens, Arc::new(Catch(sender)));
    let mut given_up = a.open(id(&b), StreamKind::Tokens).await.unwrap();
    given_up.sink.send(body("half")).await.unwrap();
    let mut there = caught.recv().await.unwrap();
    assert_eq!(there.source.next().await, Ok(Some(body("half"))));
    drop(given_up);
    assert_eq!(there.source.next().await, Err(MeshError::Lost(id(&a))));
    let mut lost = a.open(id(&b), StreamKind::Tokens).await.unwrap();
    lost.sink.send(body("x")).await.unwrap();
    let mut there = caught.recv().await.unwrap();
    assert_eq!(there.source.next().await, Ok(Some(body("x"))));
    b.close().await;
    assert_eq!(lost.source.next().await, Err(MeshError::Lost(id(&b))));
}

/// What does not follow the protocol closes its stream, while the connection and the other streams go on.
#[tokio::test]
async fn malformed_frames_close_their_stream_alone() {
    let (a, b) = two().await;
    b.serve(Lane::Forward, Gate::default().handler());
    b.serve_streams(StreamKind::Tokens, Arc::new(Mirror));
    let connection = a.connection(id(&b)).unwrap();
    let too_long = u32::MAX.to_le_bytes();
    let too_short = [3, 0, 0, 0, 1, 2, 3];
    let unknown_tag = [0xee, 0, 0, 0];
    for bytes in [
        [&[Lane::Forward.tag()][..], &too_long].concat(),
        [&[Lane::Forward.tag()][..], &too_short].concat(),
        [&[StreamKind::Tokens.tag()][..], &too_long].concat(),
        unknown_tag.to_vec(),
    ] {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(&bytes).await.unwrap();
        let stopped = tokio::time::timeout(LONG, send.stopped()).await.unwrap();
        assert!(stopped.unwrap().is_some(), "{bytes:?}");
        let _ended = receive.read_to_end(100).await;
    }
    assert_eq!(a.call(id(&b), Lane::Forward, body("x"), LONG).await, Ok(body("x")));
    assert!(connection.close_reason().is_none());
}

/// A peer that answers nonsense loses the calls of that lane, and nothing else.
#[tokio::test]
async fn a_lane_recovers_from_a_broken_stream() {
    let (a, b) = two().await;
    let gate = Gate::default();
    b.serve(Lane::Forward, gate.handler());
    b.serve(Lane::Agent, gate.handler());
    let waiting = a.call(id(&b), Lane::Forward, body("wait"), LONG);
    let other = a.call(id(&b), Lane::Agent, body("wait"), LONG);
    until("both are under way", || gate.begun() == 2).await;
    a.break_lane(id(&b), Lane::Forward);
    assert_eq!(waiting.await, Err(MeshError::Lost(id(&b))));
    assert_eq!(a.call(id(&b), Lane::Forward, body("again"), LONG).await, Ok(body("again")));
    gate.open_all();
    assert_eq!(other.await, Ok(body("wait")));
}

/// Votes pass while streams are stuffed that nobody reads.
#[tokio::test]
async fn unread_bulk_does_not_hold_up_a_vote() {
    let (a, b) = two().await;
    b.serve(Lane::RaftVote, Gate::default().handler());
    let (sender, mut caught) = mpsc::channel(32);
    b.serve_streams(StreamKind::Snapshot, Arc::new(Catch(sender)));
    let mut kept: Vec<Box<dyn FrameSource>> = Vec::new();
    let mut senders = Vec::new();
    for _ in 0..16 {
        let mut stream = a.open(id(&b), StreamKind::Snapshot).await.unwrap();
        senders.push(tokio::spawn(async move {
            let frame = Bytes::from(vec![0; 256 * 1024]);
            let mut sent = 0;
            while tokio::time::timeout(LONG, stream.sink.send(frame.clone())).await.is_ok_and(|sent| sent.is_ok()) {
                sent += 1;
            }
            sent
        }));
        kept.push(caught.recv().await.unwrap().source);
    }
    for number in 0..200 {
        let request = body(&number.to_string());
        assert_eq!(a.call(id(&b), Lane::RaftVote, request.clone(), LONG).await, Ok(request));
    }
    assert!(senders.iter().all(|sender| !sender.is_finished()), "the streams are still stuffed");
    let lowest = Lane::ALL.iter().map(|lane| lane_priority(*lane)).min().unwrap();
    assert!(lowest > crate::lane::stream_priority(StreamKind::Snapshot));
    assert!(Lane::ALL.iter().all(|lane| lane_priority(*lane) <= lane_priority(Lane::RaftVote)));
    a.close().await;
}

#[tokio::test]
async fn datagrams_and_one_way_messages_arrive() {
    let (a, b) = two().await;
    let (datagrams, gossip) = (Arc::new(Recorder::default()), Arc::new(Recorder::default()));
    b.on_datagram(datagrams.clone());
    b.on_gossip(gossip.clone());
    let longest = Bytes::from(vec![1; MAX_DATAGRAM_BYTES]);
    a.datagram(id(&b), longest.clone()).unwrap();
    let message = Bytes::from(vec![2; 100_000]);
    a.gossip(id(&b), message.clone()).unwrap();
    until("both have arrived", || datagrams.frames.lock().len() + gossip.frames.lock().len() == 2).await;
    assert_eq!(*datagrams.frames.lock(), [(id(&a), longest)]);
    assert_eq!(*gossip.frames.lock(), [(id(&a), message)]);
    let long = Bytes::from(vec![0; MAX_DATAGRAM_BYTES + 1]);
    assert!(matches!(a.datagram(id(&b), long), Err(MeshError::TooLarge { .. })));
    b.close().await;
    until("the loss is known", || !a.is_connected(id(&b))).await;
    assert_eq!(a.datagram(id(&b), body("x")), Err(MeshError::NotConnected(id(&b))));
    assert_eq!(a.gossip(id(&b), body("x")), Err(MeshError::NotConnected(id(&b))));
}
