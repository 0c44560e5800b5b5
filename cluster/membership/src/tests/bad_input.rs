//! What comes from outside may be anything.

use crate::swim::{Output, Settings, Swim, SwimError};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, MAX_DATAGRAM_BYTES, Reach};
use proptest::prelude::*;
use std::time::Duration;

const ME: Incarnation = Incarnation { node: NodeId([1; 16]), boot: 1 };
const PEER: Incarnation = Incarnation { node: NodeId([2; 16]), boot: 1 };
const LIAR: NodeId = NodeId([3; 16]);

fn node(incarnation: Incarnation) -> Swim {
    Swim::new(incarnation, None, Settings::standard(), 1)
}

/// A true datagram of the peer to this node: one that asks for members.
fn announcement() -> Vec<u8> {
    let settings = Settings { sync_on_connect: false, ..Settings::standard() };
    let mut peer = Swim::new(PEER, None, settings, 2);
    let mut out = Vec::new();
    peer.on_connected(Duration::ZERO, ME, &mut out);
    out.into_iter()
        .find_map(|output| match output {
            Output::Datagram { frame, .. } => Some(frame.to_vec()),
            Output::Timer { .. } | Output::Sync { .. } | Output::Changed(_) | Output::Renewed(_) => None,
        })
        .expect("it announces itself")
}

#[test]
fn a_true_datagram_makes_its_sender_known() {
    let mut swim = node(ME);
    swim.on_datagram(Duration::ZERO, PEER.node, &announcement(), &mut Vec::new()).unwrap();
    assert_eq!(swim.reach(PEER.node), Reach::Alive);
}

#[test]
fn nobody_speaks_in_anothers_name() {
    let mut swim = node(ME);
    let refused = swim.on_datagram(Duration::ZERO, LIAR, &announcement(), &mut Vec::new());
    assert!(matches!(refused, Err(SwimError::Sender)), "{refused:?}");
    assert_eq!((swim.reach(PEER.node), swim.reach(LIAR)), (Reach::Unknown, Reach::Unknown));
}

#[test]
fn a_newer_format_is_refused() {
    let mut frame = announcement();
    frame[0] = 2;
    let refused = node(ME).on_datagram(Duration::ZERO, PEER.node, &frame, &mut Vec::new());
    assert!(matches!(refused, Err(SwimError::Version { found: Some(2), expected: 1 })), "{refused:?}");
}

#[test]
fn after_leaving_nothing_is_taken_and_nobody_returns() {
    let mut swim = node(ME);
    swim.on_datagram(Duration::ZERO, PEER.node, &announcement(), &mut Vec::new()).unwrap();
    swim.leave(Duration::ZERO, &mut Vec::new());
    let mut out = Vec::new();
    let refused = swim.on_datagram(Duration::ZERO, PEER.node, &announcement(), &mut out);
    assert!(matches!(refused, Err(SwimError::Left)), "{refused:?}");
    assert!(out.is_empty(), "{out:?}");
}

#[test]
fn a_forgotten_node_is_not_brought_back_by_late_gossip() {
    let mut swim = node(ME);
    swim.on_datagram(Duration::ZERO, PEER.node, &announcement(), &mut Vec::new()).unwrap();
    swim.forget(Duration::ZERO, PEER.node, &mut Vec::new());
    assert_eq!(swim.reach(PEER.node), Reach::Unknown);
    let _ = swim.on_datagram(Duration::ZERO, PEER.node, &announcement(), &mut Vec::new());
    assert_eq!(swim.reach(PEER.node), Reach::Unknown);
}

proptest! {
    #[test]
    fn bytes_are_taken_or_refused(mut frame in proptest::collection::vec(any::<u8>(), 0..MAX_DATAGRAM_BYTES + 100)) {
        let mut swim = node(ME);
        let _ = swim.on_sync_request(Duration::ZERO, PEER.node, &frame, &mut Vec::new());
        let _ = swim.on_sync_answer(Duration::ZERO, PEER.node, &frame, &mut Vec::new());
        let _ = swim.on_datagram(Duration::ZERO, PEER.node, &frame, &mut Vec::new());
        // The same behind a true beginning, so that the decoder is reached.
        if frame.len() > 17 {
            frame[0] = 1;
            frame[1..17].copy_from_slice(&PEER.node.0);
            let _ = swim.on_datagram(Duration::ZERO, PEER.node, &frame, &mut Vec::new());
        }
    }

    #[test]
    fn a_true_datagram_with_one_byte_changed_is_taken_or_refused(position in 0..40_usize, byte: u8) {
        let mut frame = announcement();
        let position = position % frame.len();
        frame[position] = byte;
        let _ = node(ME).on_datagram(Duration::ZERO, PEER.node, &frame, &mut Vec::new());
    }
}
