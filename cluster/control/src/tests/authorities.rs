//! One authority takes the place of another.

use super::support::{at, grown, node};
use crate::{
    AUTHORITY_KEPT_AFTER_THEFT, ControlApplied, ControlCommand, ControlRefusal, ControlState, KEY_OFFER_LIMIT,
    MAX_AUTHORITIES, MAX_CERTIFICATE_BYTES, SealedSecret, SharedKeyPhase, kept_for,
};
use octopussy_core::ports::KeyKind;
use std::time::Duration;

const KIND: KeyKind = KeyKind::Authority;

fn offer_with(state: &mut ControlState, tag: u8, public: Vec<u8>, now: u64) -> Result<ControlApplied, ControlRefusal> {
    let sealed = SealedSecret { sealed: vec![tag], set_at: at(now) };
    state.apply(ControlCommand::OfferKey { kind: KIND, tag: [tag; 16], sealed, public, now: at(now) })
}

fn offer(state: &mut ControlState, tag: u8, now: u64) -> Result<ControlApplied, ControlRefusal> {
    offer_with(state, tag, vec![tag], now)
}

fn know(state: &mut ControlState, tag: u8, number: u8, now: u64) {
    let known = ControlCommand::KnowKey { kind: KIND, tag: [tag; 16], node: node(number), now: at(now) };
    state.apply(known).unwrap();
}

/// Which authorities are trusted, the oldest first, and which one signs.
fn trusted(state: &ControlState) -> (Vec<u8>, u8) {
    let tags = state.keys_of(KIND).iter().map(|key| key.public[0]).collect();
    (tags, state.active_key(KIND).unwrap().tag[0])
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

/// Three full members under the founder's authority.
fn cluster() -> ControlState {
    let mut state = grown(3);
    offer(&mut state, 1, 2_000).unwrap();
    state
}

#[test]
fn an_authority_signs_once_every_member_trusts_it_and_the_one_before_is_trusted_for_a_bounded_time() {
    let mut state = cluster();
    offer(&mut state, 2, 3_000).unwrap();
    know(&mut state, 2, 1, 3_000);
    know(&mut state, 2, 2, 3_000);
    assert_eq!(trusted(&state), (vec![1, 2], 1), "it signs although a member does not trust it");
    know(&mut state, 2, 3, 3_000);
    assert_eq!(trusted(&state), (vec![1, 2], 2));
    let end = 3_000 + millis(kept_for(KIND));
    state.apply(ControlCommand::Tick { now: at(end - 1) }).unwrap();
    assert_eq!(trusted(&state).0, [1, 2]);
    state.apply(ControlCommand::Tick { now: at(end) }).unwrap();
    assert_eq!(trusted(&state), (vec![2], 2));
    state.check().unwrap();
}

#[test]
fn two_rotations_at_once_are_one_and_a_member_that_is_down_is_waited_for_a_bounded_time() {
    let mut state = cluster();
    offer(&mut state, 2, 3_000).unwrap();
    assert_eq!(offer(&mut state, 3, 3_000), Err(ControlRefusal::RotationUnderWay));
    let activate = |now| ControlCommand::ActivateKey { kind: KIND, tag: [2; 16], now: at(now) };
    let limit = 3_000 + millis(KEY_OFFER_LIMIT);
    assert_eq!(state.apply(activate(limit - 1)), Err(ControlRefusal::RotationUnderWay));
    state.apply(activate(limit)).unwrap();
    assert_eq!(trusted(&state), (vec![1, 2], 2));
}

#[test]
fn a_thief_costs_the_authority_which_is_trusted_for_minutes_then() {
    let mut state = cluster();
    state.apply(ControlCommand::Stolen { node: node(3), now: at(4_000), by: crate::AskedBy::UNTOLD }).unwrap();
    assert!(!state.owes_key(KIND), "the thief would see the new one");
    state.apply(ControlCommand::Remove { node: node(3), now: at(4_000) }).unwrap();
    assert!(state.owes_key(KIND));
    offer(&mut state, 2, 4_000).unwrap();
    assert!(!state.owes_key(KIND));
    know(&mut state, 2, 1, 4_000);
    know(&mut state, 2, 2, 4_000);
    let end = 4_000 + millis(AUTHORITY_KEPT_AFTER_THEFT);
    state.apply(ControlCommand::Tick { now: at(end) }).unwrap();
    assert_eq!(trusted(&state), (vec![2], 2));
}

#[test]
fn an_authority_has_a_certificate_and_no_other_key_has_one() {
    let mut state = cluster();
    for public in [Vec::new(), vec![2; MAX_CERTIFICATE_BYTES + 1]] {
        assert!(matches!(offer_with(&mut state, 2, public, 3_000), Err(ControlRefusal::BadSecret(_))));
    }
    for kind in KeyKind::STORED {
        let sealed = SealedSecret { sealed: vec![2], set_at: at(3_000) };
        let told = ControlCommand::OfferKey { kind, tag: [2; 16], sealed, public: vec![2], now: at(3_000) };
        assert!(matches!(state.apply(told), Err(ControlRefusal::BadSecret(_))), "{kind:?}");
    }
}

#[test]
fn few_authorities_are_trusted_at_once() {
    let mut state = cluster();
    for tag in 2..=u8::try_from(MAX_AUTHORITIES).unwrap() {
        offer(&mut state, tag, 3_000).unwrap();
        (1..=3).for_each(|number| know(&mut state, tag, number, 3_000));
    }
    assert!(matches!(offer(&mut state, 99, 3_000), Err(ControlRefusal::TooMany { limit: MAX_AUTHORITIES, .. })));
    let mut robbed = state.clone();
    robbed.apply(ControlCommand::Stolen { node: node(3), now: at(3_000), by: crate::AskedBy::UNTOLD }).unwrap();
    robbed.apply(ControlCommand::Remove { node: node(3), now: at(3_000) }).unwrap();
    offer(&mut robbed, 99, 3_000).unwrap();
    assert_eq!(trusted(&robbed), (vec![2, 3, 4, 99], 4), "a thief's authority is not replaced for want of room");
    robbed.check().unwrap();
    state.apply(ControlCommand::EndKeyOverlap { kind: KIND, now: at(3_000) }).unwrap();
    offer(&mut state, 99, 3_000).unwrap();
    let retired = |key: &&crate::SharedKey| matches!(key.phase, SharedKeyPhase::Retired { .. });
    assert_eq!(state.keys_of(KIND).iter().filter(retired).count(), 0, "an overlap that was ended goes on");
    state.check().unwrap();
}
