//! A cluster that begins again with one node.

use super::support::{add_token, at, grown, member, node, public};
use crate::{ControlCommand, ControlRefusal, ControlState, SealedSecret, SharedKeyPhase};
use octopussy_core::ports::{KeyKind, TokenUse};

fn offer(state: &mut ControlState, kind: KeyKind, tag: u8) {
    let sealed = SealedSecret { sealed: vec![tag], set_at: at(2_000) };
    state
        .apply(ControlCommand::OfferKey { kind, tag: [tag; 16], sealed, public: public(kind), now: at(2_000) })
        .unwrap();
}

fn anew() -> ControlState {
    let mut state = grown(3);
    state.apply(add_token(9, TokenUse::Timed, 50_000)).unwrap();
    let secret = SealedSecret { sealed: vec![1], set_at: at(2_000) };
    state.apply(ControlCommand::PutSecret { name: "key".to_owned(), secret }).unwrap();
    for kind in KeyKind::ALL {
        offer(&mut state, kind, 1);
        offer(&mut state, kind, 2);
        let known = ControlCommand::KnowKey { kind, tag: [2; 16], node: node(1), now: at(2_000) };
        state.apply(known).unwrap();
    }
    state.begin_anew("another".to_owned(), member(7));
    state.check().unwrap();
    state
}

#[test]
fn nobody_of_the_old_cluster_is_known_to_one_that_begins_anew() {
    let mut state = anew();
    assert_eq!(state.members.keys().collect::<Vec<_>>(), [&node(7)]);
    assert_eq!(state.cluster.as_ref().unwrap().id, "another");
    let shards = state.table.len();
    assert_eq!((state.tokens.len(), state.secrets.len(), state.replicas_of(node(7))), (0, 1, shards));
    for old in 1..=3 {
        assert!(state.departed.contains_key(&node(old)), "node {old} could come back");
    }
    state.apply(ControlCommand::Tick { now: at(9_000_000) }).unwrap();
    let wish = ControlCommand::Join { member: Box::new(member(2)), token: [0; 32], now: at(9_000_000) };
    assert_eq!(state.apply(wish), Err(ControlRefusal::Departed(node(2))));
    state.check().unwrap();
}

#[test]
fn the_key_that_signed_tokens_of_the_old_cluster_is_replaced_and_messages_that_wait_verify() {
    let mut state = anew();
    // What was on its way when the backup was taken comes to its end with the new member.
    for kind in KeyKind::STORED {
        let known = ControlCommand::KnowKey { kind, tag: [2; 16], node: node(7), now: at(3_000) };
        state.apply(known).unwrap();
    }
    assert!(state.owes_key(KeyKind::Token) && !state.owes_key(KeyKind::Message));
    offer(&mut state, KeyKind::Token, 3);
    assert!(!state.owes_key(KeyKind::Token));
    let known = ControlCommand::KnowKey { kind: KeyKind::Token, tag: [3; 16], node: node(7), now: at(4_000) };
    state.apply(known).unwrap();
    state.apply(ControlCommand::Tick { now: at(2_000_000) }).unwrap();
    let left = |kind| state.keys_of(kind).iter().map(|key| (key.tag[0], key.phase == SharedKeyPhase::Active));
    assert_eq!(left(KeyKind::Token).collect::<Vec<_>>(), [(3, true)]);
    assert_eq!(left(KeyKind::Message).collect::<Vec<_>>(), [(1, false), (2, true)]);
}
