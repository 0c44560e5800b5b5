//! Requests and answers.

use super::support::*;
use crate::{LANE_QUEUE, LANE_WINDOW};
use bytes::Bytes;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, MAX_ANSWER_BYTES, MAX_FRAME_BYTES, MeshError, MeshPort};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn answers_come_in_any_order_and_from_both_sides() {
    let (a, b) = two().await;
    let gate = Gate::default();
    b.serve(Lane::Forward, gate.handler());
    a.serve(Lane::Forward, gate.handler());
    let first = a.call(id(&b), Lane::Forward, body("wait 1"), LONG);
    let second = a.call(id(&b), Lane::Forward, body("second"), LONG);
    assert_eq!(second.await, Ok(body("second")));
    gate.open_one();
    assert_eq!(first.await, Ok(body("wait 1")));
    assert_eq!(b.call(id(&a), Lane::Forward, body("back"), LONG).await, Ok(body("back")));
    let long = Bytes::from(vec![3; MAX_FRAME_BYTES]);
    assert_eq!(a.call(id(&b), Lane::Forward, long.clone(), LONG).await, Ok(long));
    let metrics = a.metrics().lane(Lane::Forward);
    assert_eq!((metrics.calls, metrics.served), (3, 1));
    assert_eq!((metrics.sent_frames, metrics.received_frames), (4, 4), "a request and an answer for each");
    assert!(metrics.sent_bytes > MAX_FRAME_BYTES as u64 && metrics.received_bytes > MAX_FRAME_BYTES as u64);
    assert_eq!(a.metrics().peers, 1);
}

#[tokio::test]
async fn every_failure_says_what_may_have_happened() {
    let (a, b) = two().await;
    let gate = Gate::default();
    b.serve(Lane::Forward, gate.handler());
    let call = |lane, text: &str, within| a.call(id(&b), lane, body(text), within);
    let brief = Duration::from_millis(30);
    assert_eq!(call(Lane::Forward, "wait", brief).await, Err(MeshError::Timeout(id(&b))));
    for (lane, text, reason) in [(Lane::Forward, "refuse", "as asked"), (Lane::Blob, "x", "the lane is not served")] {
        let refused = MeshError::Refused { node: id(&b), reason: Arc::from(reason) };
        assert_eq!(call(lane, text, LONG).await, Err(refused));
    }
    // A handler that fails may have done what it was asked to.
    let silent = MeshError::Unanswered { node: id(&b), reason: Arc::from("the handler failed") };
    assert_eq!(call(Lane::Forward, "panic", LONG).await, Err(silent));
    assert_eq!(call(Lane::Forward, "still alive", LONG).await, Ok(body("still alive")));
    let stranger = NodeId([0; 16]);
    assert_eq!(a.call(stranger, Lane::Forward, body("x"), LONG).await, Err(MeshError::NotConnected(stranger)));
    assert_eq!(a.call(id(&a), Lane::Forward, body("x"), LONG).await, Err(MeshError::NotConnected(id(&a))));
    let long = Bytes::from(vec![0; MAX_FRAME_BYTES + 1]);
    let too_large = MeshError::TooLarge { actual: MAX_FRAME_BYTES + 1, limit: MAX_FRAME_BYTES };
    assert_eq!(a.call(id(&b), Lane::Forward, long, LONG).await, Err(too_large));
    let lost = call(Lane::Forward, "wait", LONG);
    until("the request is under way", || gate.begun() == 5).await;
    b.close().await;
    assert_eq!(lost.await, Err(MeshError::Lost(id(&b))));
    until("the loss is known", || !a.is_connected(id(&b))).await;
    assert_eq!(call(Lane::Forward, "x", LONG).await, Err(MeshError::NotConnected(id(&b))));
    a.close().await;
    assert_eq!(call(Lane::Forward, "x", LONG).await, Err(MeshError::Stopping));
    let metrics = a.metrics().lane(Lane::Forward);
    assert_eq!((metrics.timeouts, metrics.refused, metrics.lost), (1, 1, 3));
    assert_eq!((metrics.not_connected, metrics.too_large, metrics.congested), (3, 1, 0));
}

#[tokio::test]
async fn a_long_answer_travels_in_pieces_and_one_beyond_the_bound_is_no_refusal() {
    let (a, b) = two().await;
    b.serve(Lane::Forward, Gate::default().handler());
    let ask = |bytes: usize| a.call(id(&b), Lane::Forward, body(&format!("long {bytes}")), LONG);
    for bytes in [MAX_FRAME_BYTES, MAX_FRAME_BYTES + 1, 2 * MAX_FRAME_BYTES, 3 * MAX_FRAME_BYTES + 7] {
        let (long, short) = (ask(bytes), a.call(id(&b), Lane::Forward, body("short"), LONG));
        assert_eq!(short.await, Ok(body("short")));
        let expected: Bytes = (0..bytes).map(|at| at.to_le_bytes()[at % 3]).collect();
        assert!(long.await.expect("an answer") == expected, "{bytes} bytes");
    }
    let silent = MeshError::Unanswered { node: id(&b), reason: Arc::from("the answer is too long") };
    assert_eq!(ask(MAX_ANSWER_BYTES + 1).await, Err(silent));
}

#[tokio::test]
async fn the_window_is_bounded_and_dropped_calls_free_it() {
    let (a, b) = two().await;
    let gate = Gate::default();
    b.serve(Lane::Forward, gate.handler());
    let calls: Vec<_> =
        (0..LANE_WINDOW + LANE_QUEUE).map(|_| a.call(id(&b), Lane::Forward, body("wait"), LONG)).collect();
    assert_eq!(a.call(id(&b), Lane::Forward, body("x"), LONG).await, Err(MeshError::Congested(id(&b))));
    until("the window has arrived", || gate.begun() == LANE_WINDOW).await;
    let in_flight = || a.metrics().in_flight.iter().map(|(_, count)| count).sum::<u64>();
    assert_eq!(in_flight(), (LANE_WINDOW + LANE_QUEUE) as u64);
    assert_eq!(a.metrics().lane(Lane::Forward).congested, 1);
    let mut calls = calls.into_iter();
    let windowed: Vec<_> = calls.by_ref().take(LANE_WINDOW).collect();
    drop(windowed);
    until("the queue has moved up", || gate.begun() == LANE_WINDOW + LANE_QUEUE).await;
    drop(calls);
    assert_eq!(in_flight(), 0);
    for _ in 0..2 * LANE_WINDOW {
        gate.open_one();
        gate.open_all();
    }
    assert_eq!(a.call(id(&b), Lane::Forward, body("x"), LONG).await, Ok(body("x")));
    let long = Bytes::from(vec![0; MAX_FRAME_BYTES]);
    let many: Vec<_> = (0..5).map(|_| a.call(id(&b), Lane::Blob, long.clone(), LONG)).collect();
    let mut congested = 0;
    for call in many {
        congested += usize::from(call.await == Err(MeshError::Congested(id(&b))));
    }
    assert!(congested >= 1, "the bytes in line are bounded too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_get_their_own_answers() {
    let (a, b) = two().await;
    b.serve(Lane::Agent, Gate::default().handler());
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let (a, to) = (a.clone(), id(&b));
            tokio::spawn(async move {
                for number in 0..200 {
                    let request = body(&format!("{task}/{number}"));
                    assert_eq!(a.call(to, Lane::Agent, request.clone(), LONG).await, Ok(request));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(b.metrics().lane(Lane::Agent).served, 64 * 200);
}
