//! Tokens of the interfaces: who may note them, that a revocation is kept for as long as the token would be good, and no longer.

use super::support::{at, grown, maker, node};
use crate::limits::{MAX_API_TOKENS, MAX_OWN_API_TOKENS, TOKEN_MEMORY};
use crate::{ApiToken, ControlApplied, ControlCommand, ControlRefusal, ControlState, TokenMaker};
use octopussy_core::ports::{MAX_API_TOKEN_LIFETIME, MemberDesired, PrincipalRole};

fn id(number: u64) -> String {
    format!("{number:016x}")
}

fn token(expires_at: u64) -> ApiToken {
    ApiToken {
        name: "chat".to_owned(),
        role: PrincipalRole::User,
        expires_at: at(expires_at),
        made_by: maker(1),
        own: false,
        revoked: None,
    }
}

fn own(by: u8, made_at: u64) -> ApiToken {
    let made_by = TokenMaker { at: at(made_at), ..maker(by) };
    ApiToken { own: true, role: PrincipalRole::Admin, made_by, ..token(50_000_000) }
}

fn add(number: u64, token: ApiToken) -> ControlCommand {
    ControlCommand::AddApiToken { id: id(number), token, now: at(2_000) }
}

fn revoke(number: u64, by: u8, now: u64) -> ControlCommand {
    let by = TokenMaker { principal: "ada".to_owned(), at: at(now), ..maker(by) };
    ControlCommand::RevokeApiToken { id: id(number), by, now: at(now) }
}

fn refused(state: &mut ControlState, command: ControlCommand) -> ControlRefusal {
    let before = state.clone();
    let refusal = state.apply(command).unwrap_err();
    assert_eq!(*state, before);
    refusal
}

#[test]
fn a_revocation_is_kept_until_the_token_would_have_ended_and_then_forgotten() {
    let mut state = grown(2);
    state.apply(add(1, token(60_000))).unwrap();
    assert!(!state.is_revoked(&id(1)) && !state.is_revoked(&id(2)));
    assert_eq!(refused(&mut state, revoke(2, 2, 3_000)), ControlRefusal::UnknownApiToken);
    state.apply(revoke(1, 2, 3_000)).unwrap();
    assert!(state.is_revoked(&id(1)));
    // Again, by another: who was first stays.
    state.apply(revoke(1, 1, 4_000)).unwrap();
    assert_eq!(state.api_tokens[&id(1)].revoked.as_ref().map(|by| (by.node, by.at)), Some((node(2), at(3_000))));
    // Nor does noting it again let it count again.
    assert_eq!(state.apply(add(1, token(60_000))), Ok(ControlApplied::Done));
    assert!(state.is_revoked(&id(1)));

    let last = at(60_000).plus(TOKEN_MEMORY);
    let before = at(last.as_millis() - 1);
    assert!(!state.wants_tick(before) && state.wants_tick(last));
    state.apply(ControlCommand::Tick { now: before }).unwrap();
    assert!(state.is_revoked(&id(1)), "a clock that is behind still takes the token for good");
    state.apply(ControlCommand::Tick { now: last }).unwrap();
    assert!(state.api_tokens.is_empty() && state.check().is_ok());
}

#[test]
fn only_what_can_be_a_token_of_a_member_is_noted() {
    let mut state = grown(2);
    let leaves = ControlCommand::SetDesired {
        node: node(2),
        desired: MemberDesired::Leaving,
        now: at(2_000),
        by: crate::AskedBy::UNTOLD,
    };
    state.apply(leaves).unwrap();
    let year = at(2_000).plus(MAX_API_TOKEN_LIFETIME + TOKEN_MEMORY);
    for wrong in [
        token(2_000),
        ApiToken { expires_at: at(year.as_millis() + 1), ..token(0) },
        ApiToken { name: String::new(), ..token(9_000) },
        ApiToken { name: "a\u{1b}[2J".to_owned(), ..token(9_000) },
        ApiToken { name: "a".repeat(65), ..token(9_000) },
        ApiToken { revoked: Some(maker(1)), ..token(9_000) },
        own(2, 2_000),
    ] {
        assert!(matches!(refused(&mut state, add(1, wrong)), ControlRefusal::BadApiToken(_)));
    }
    for wrong in ["", "1", "000000000000000G", "000000000000000A"] {
        let command = ControlCommand::AddApiToken { id: wrong.to_owned(), token: token(9_000), now: at(2_000) };
        assert!(matches!(refused(&mut state, command), ControlRefusal::BadApiToken(_)), "{wrong}");
    }
    assert_eq!(refused(&mut state, add(1, own(9, 2_000))), ControlRefusal::UnknownMember(node(9)));
    state.apply(add(1, token(9_000))).unwrap();
    let other = ApiToken { role: PrincipalRole::Admin, ..token(9_000) };
    assert!(matches!(refused(&mut state, add(1, other)), ControlRefusal::BadApiToken(_)), "a role was raised");
}

#[test]
fn there_are_never_more_than_the_bound_and_a_node_does_not_use_it_up() {
    let mut state = grown(2);
    for number in 0..MAX_OWN_API_TOKENS as u64 + 3 {
        state.apply(add(number, own(1, 2_000 + number))).unwrap();
    }
    assert_eq!(state.api_tokens.len(), MAX_OWN_API_TOKENS);
    assert!(!state.api_tokens.contains_key(&id(2)) && state.api_tokens.contains_key(&id(3)), "the oldest went");
    state.apply(revoke(3, 1, 3_000)).unwrap();
    for number in 100..100 + 2 * MAX_OWN_API_TOKENS as u64 {
        state.apply(add(number, own(1, number * 1_000))).unwrap();
    }
    assert!(state.is_revoked(&id(3)), "a revocation was forgotten for the room it takes");

    let mut number = 1_000;
    while state.api_tokens.len() < MAX_API_TOKENS {
        state.apply(add(number, token(9_000))).unwrap();
        number += 1;
    }
    assert!(matches!(refused(&mut state, add(number, token(9_000))), ControlRefusal::TooMany { .. }));
    // Where the oldest goes, another finds room.
    state.apply(add(number, own(1, 900_000))).unwrap();
    state.check().unwrap();
}

#[test]
fn what_a_node_made_for_itself_ends_with_its_membership() {
    let mut state = grown(2);
    state.apply(add(1, own(2, 2_000))).unwrap();
    state.apply(add(2, ApiToken { made_by: maker(2), ..token(9_000) })).unwrap();
    let leaves = ControlCommand::SetDesired {
        node: node(2),
        desired: MemberDesired::Leaving,
        now: at(3_000),
        by: crate::AskedBy::UNTOLD,
    };
    state.apply(leaves).unwrap();
    assert!(!state.is_revoked(&id(1)), "it is still at work");
    state.apply(ControlCommand::Remove { node: node(2), now: at(4_000) }).unwrap();
    assert!(state.is_revoked(&id(1)), "whoever has the machine has the token");
    assert!(!state.is_revoked(&id(2)), "a user's token was made there by chance");
    state.check().unwrap();
}

#[test]
fn a_node_notes_tokens_and_revokes_them_in_its_own_name() {
    let state = grown(2);
    assert!(state.may_propose(node(1), &add(1, token(9_000))) && state.may_propose(node(2), &add(1, own(2, 2_000))));
    assert!(!state.may_propose(node(2), &add(1, token(9_000))) && !state.may_propose(node(9), &add(1, own(9, 2_000))));
    assert!(state.may_propose(node(2), &revoke(1, 2, 3_000)) && !state.may_propose(node(2), &revoke(1, 1, 3_000)));
}
