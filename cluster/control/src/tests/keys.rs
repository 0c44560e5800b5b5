//! One key takes the place of another without a gap.

use super::support::{at, grown, node, public};
use crate::{
    ControlApplied, ControlCommand, ControlRefusal, ControlState, KEY_OFFER_LIMIT, MAX_KEYS, SealedSecret,
    SharedKeyPhase, TOKEN_KEY_KEPT_AFTER_THEFT, kept_for,
};
use octopussy_core::ports::{KeyKind, MemberDesired};

const KIND: KeyKind = KeyKind::Message;

fn offer(state: &mut ControlState, tag: u8, now: u64) -> Result<ControlApplied, ControlRefusal> {
    let sealed = SealedSecret { sealed: vec![tag], set_at: at(now) };
    state.apply(ControlCommand::OfferKey { kind: KIND, tag: [tag; 16], sealed, public: public(KIND), now: at(now) })
}

fn know(state: &mut ControlState, tag: u8, number: u8) -> Result<ControlApplied, ControlRefusal> {
    state.apply(ControlCommand::KnowKey { kind: KIND, tag: [tag; 16], node: node(number), now: at(3_000) })
}

fn active(state: &ControlState) -> u8 {
    let keys = state.keys_of(KIND).iter();
    keys.filter(|key| key.phase == SharedKeyPhase::Active).map(|key| key.tag[0]).next().unwrap()
}

fn tags(state: &ControlState) -> Vec<u8> {
    state.keys_of(KIND).iter().map(|key| key.tag[0]).collect()
}

/// Three full members, of which all have the first key.
fn cluster() -> ControlState {
    let mut state = grown(3);
    offer(&mut state, 1, 2_000).unwrap();
    assert_eq!(active(&state), 1, "the founder's key signs at once");
    state
}

#[test]
fn a_key_signs_once_every_full_member_has_it() {
    let mut state = cluster();
    offer(&mut state, 2, 3_000).unwrap();
    for number in [1, 2] {
        know(&mut state, 2, number).unwrap();
        assert_eq!(active(&state), 1, "member {number} is not the last one");
    }
    know(&mut state, 2, 3).unwrap();
    assert_eq!((active(&state), tags(&state)), (2, vec![1, 2]));
    know(&mut state, 2, 3).unwrap();
    assert_eq!(know(&mut state, 9, 3), Err(ControlRefusal::UnknownKey));
    assert_eq!(know(&mut state, 2, 9), Err(ControlRefusal::UnknownMember(node(9))));
    state.check().unwrap();
}

#[test]
fn whoever_leaves_is_not_waited_for() {
    let mut state = cluster();
    offer(&mut state, 2, 3_000).unwrap();
    know(&mut state, 2, 1).unwrap();
    know(&mut state, 2, 2).unwrap();
    state
        .apply(ControlCommand::SetDesired {
            node: node(3),
            desired: MemberDesired::Leaving,
            now: at(3_000),
            by: crate::AskedBy::UNTOLD,
        })
        .unwrap();
    assert_eq!(active(&state), 2);
    state.apply(ControlCommand::Remove { node: node(3), now: at(3_000) }).unwrap();
    state.check().unwrap();
}

#[test]
fn a_member_that_is_down_is_waited_for_a_bounded_time() {
    let mut state = cluster();
    offer(&mut state, 2, 3_000).unwrap();
    let limit = 3_000 + u64::try_from(KEY_OFFER_LIMIT.as_millis()).unwrap();
    let activate = |now| ControlCommand::ActivateKey { kind: KIND, tag: [2; 16], now: at(now) };
    assert_eq!(state.apply(activate(limit - 1)), Err(ControlRefusal::RotationUnderWay));
    state.apply(activate(limit)).unwrap();
    assert_eq!(active(&state), 2);
    assert_eq!(state.apply(activate(limit)), Err(ControlRefusal::UnknownKey), "it signs already");
}

#[test]
fn one_key_at_a_time_is_offered_and_the_same_one_twice_is_one() {
    let mut state = cluster();
    offer(&mut state, 2, 3_000).unwrap();
    offer(&mut state, 2, 3_000).unwrap();
    assert_eq!(offer(&mut state, 3, 3_000), Err(ControlRefusal::RotationUnderWay));
    assert_eq!(tags(&state), [1, 2]);
    let token = ControlCommand::OfferKey {
        kind: KeyKind::Token,
        tag: [3; 16],
        sealed: SealedSecret { sealed: vec![3], set_at: at(3_000) },
        public: Vec::new(),
        now: at(3_000),
    };
    state.apply(token).unwrap();
    assert_eq!(state.keys_of(KeyKind::Token).len(), 1, "the kinds do not wait for one another");
}

fn rotate(state: &mut ControlState, tag: u8, now: u64) {
    offer(state, tag, now).unwrap();
    for number in 1..=3 {
        know(state, tag, number).unwrap();
    }
}

#[test]
fn a_replaced_key_verifies_as_long_as_what_it_signed_may_be_on_its_way() {
    let mut state = cluster();
    rotate(&mut state, 2, 3_000);
    rotate(&mut state, 3, 4_000);
    let spent = 3_000 + u64::try_from(kept_for(KIND).as_millis()).unwrap();
    state.apply(ControlCommand::Tick { now: at(spent - 1) }).unwrap();
    assert_eq!(tags(&state), [1, 2, 3], "several keys verify after several rotations");
    assert!(!state.wants_tick(at(spent - 1)) && state.wants_tick(at(spent)));
    state.apply(ControlCommand::Tick { now: at(spent + 1_000) }).unwrap();
    assert_eq!((tags(&state), active(&state)), (vec![3], 3));
}

/// What the thief's machine has is replaced by what it never sees.
#[test]
fn a_stolen_member_costs_every_token_and_every_key() {
    let mut state = cluster();
    rotate(&mut state, 2, 3_000);
    assert!(!state.tokens.is_empty());
    state.apply(ControlCommand::Stolen { node: node(3), now: at(4_000), by: crate::AskedBy::UNTOLD }).unwrap();
    assert!(state.tokens.is_empty(), "a token counts that the thief may know");
    assert_eq!(state.members[&node(3)].desired, MemberDesired::Leaving);
    offer(&mut state, 3, 4_000).unwrap();
    assert!(!state.owes_key(KIND), "it is still a member, and would see the key");
    state.apply(ControlCommand::Remove { node: node(3), now: at(5_000) }).unwrap();
    for kind in KeyKind::ALL {
        assert!(state.owes_key(kind), "{kind:?}");
    }
    for number in [1, 2] {
        know(&mut state, 3, number).unwrap();
    }
    offer(&mut state, 4, 6_000).unwrap();
    assert!(!state.owes_key(KIND) && state.owes_key(KeyKind::Token));
    for number in [1, 2] {
        know(&mut state, 4, number).unwrap();
    }
    assert_eq!(active(&state), 4);
    state.check().unwrap();
}

#[test]
fn tokens_of_a_stolen_key_are_good_for_minutes() {
    let mut state = grown(3);
    let token = |state: &mut ControlState, tag: u8, now| {
        let sealed = SealedSecret { sealed: vec![tag], set_at: at(now) };
        state
            .apply(ControlCommand::OfferKey {
                kind: KeyKind::Token,
                tag: [tag; 16],
                sealed,
                public: public(KeyKind::Token),
                now: at(now),
            })
            .unwrap();
        for number in [1, 2] {
            let known =
                ControlCommand::KnowKey { kind: KeyKind::Token, tag: [tag; 16], node: node(number), now: at(now) };
            state.apply(known).unwrap();
        }
    };
    token(&mut state, 1, 2_000);
    state.apply(ControlCommand::Stolen { node: node(3), now: at(3_000), by: crate::AskedBy::UNTOLD }).unwrap();
    state.apply(ControlCommand::Remove { node: node(3), now: at(3_000) }).unwrap();
    token(&mut state, 2, 3_000);
    assert!(!state.wants_tick(at(3_000)), "nodes have had no time for tokens of the new key");
    let soon = 3_000 + u64::try_from(TOKEN_KEY_KEPT_AFTER_THEFT.as_millis()).unwrap();
    state.apply(ControlCommand::Tick { now: at(soon) }).unwrap();
    assert_eq!(state.keys_of(KeyKind::Token).len(), 1);
}

#[test]
fn whoever_is_called_back_was_not_stolen() {
    let mut state = cluster();
    state.apply(ControlCommand::Stolen { node: node(3), now: at(4_000), by: crate::AskedBy::UNTOLD }).unwrap();
    state
        .apply(ControlCommand::SetDesired {
            node: node(3),
            desired: MemberDesired::Active,
            now: at(4_000),
            by: crate::AskedBy::UNTOLD,
        })
        .unwrap();
    assert!(state.stolen.is_empty());
}

#[test]
fn an_overlap_is_ended_by_command() {
    let mut state = cluster();
    rotate(&mut state, 2, 3_000);
    offer(&mut state, 3, 4_000).unwrap();
    state.apply(ControlCommand::EndKeyOverlap { kind: KIND, now: at(4_000) }).unwrap();
    assert_eq!((tags(&state), active(&state)), (vec![3], 3), "the newest signs and nothing else counts");
    let none = ControlCommand::EndKeyOverlap { kind: KeyKind::Token, now: at(4_000) };
    assert_eq!(state.apply(none), Err(ControlRefusal::UnknownKey));
}

#[test]
fn keys_are_bounded_and_spent_ones_make_room() {
    let mut state = cluster();
    for tag in 2..=u8::try_from(MAX_KEYS).unwrap() {
        rotate(&mut state, tag, 3_000);
    }
    assert!(matches!(offer(&mut state, 99, 3_000), Err(ControlRefusal::TooMany { .. })));
    state.check().unwrap();
    let spent = 4_000 + u64::try_from(kept_for(KIND).as_millis()).unwrap();
    offer(&mut state, 99, spent).unwrap();
    state.check().unwrap();
}
