//! Each rule on its own.

use super::support::{
    add_guest_token, add_token, at, cluster, digest, founded, grown, guest, join, maker, member, node, set, token,
};
use crate::{
    ControlApplied, ControlCommand, ControlRefusal, ControlState, JoinToken, MAX_TOKENS, MembershipStamp, ReplicaSet,
    ShardPlace, VersionRange,
};
use octopussy_core::ids::ShardId;
use octopussy_core::lineage::{Conflict, Lineage};
use octopussy_core::ports::{MemberDesired, MemberRole, TokenUse};

const SHARD: ShardId = ShardId(2);

fn plan(state: &mut ControlState, place: ReplicaSet) -> Result<ControlApplied, ControlRefusal> {
    let table_version = state.table_version;
    state.apply(ControlCommand::Plan { table_version, moves: vec![(SHARD, place)] })
}

fn settle(state: &mut ControlState, place: ReplicaSet) -> Result<ControlApplied, ControlRefusal> {
    let known = &state.table[usize::from(SHARD.0)];
    let (at, planned) = (known.reported, known.planned);
    state.apply(ControlCommand::Settle { shard: SHARD, place, at, planned })
}

fn desire(state: &mut ControlState, number: u8, desired: MemberDesired) -> Result<ControlApplied, ControlRefusal> {
    state.apply(ControlCommand::SetDesired { node: node(number), desired, now: at(3_000), by: crate::AskedBy::UNTOLD })
}

fn remove(state: &mut ControlState, number: u8) -> Result<ControlApplied, ControlRefusal> {
    state.apply(ControlCommand::Remove { node: node(number), now: at(4_000) })
}

#[test]
fn the_founder_holds_every_shard() {
    let mut state = ControlState::default();
    assert_eq!(state.apply(ControlCommand::Tick { now: at(5) }), Err(ControlRefusal::NotFounded));
    state.apply(ControlCommand::Found { cluster: cluster(4), founder: member(1) }).unwrap();
    assert_eq!(state.table, vec![ShardPlace::alone(node(1)); 4]);
    assert_eq!((state.version, state.table_version), (1, 1));
    let again = state.apply(ControlCommand::Found { cluster: cluster(4), founder: member(2) });
    assert_eq!(again, Err(ControlRefusal::Founded));
}

#[test]
fn a_guest_founds_nothing() {
    let mut state = ControlState::default();
    let refused = state.apply(ControlCommand::Found { cluster: cluster(4), founder: guest(1) });
    assert!(matches!(refused, Err(ControlRefusal::BadMember(_))));
    assert_eq!(state, ControlState::default());
}

#[test]
fn a_single_use_token_is_good_for_one_node_again_and_again() {
    let mut state = founded();
    state.apply(add_token(1, TokenUse::Single, 50_000)).unwrap();
    let Ok(ControlApplied::Member(first)) = state.apply(join(member(2), 1, 2_000)) else { panic!("refused") };
    assert_eq!(first.joined_at, at(2_000));
    assert_eq!(state.apply(join(member(3), 1, 2_500)), Err(ControlRefusal::TokenUsed));
    // Its answer was lost, and it has another address now.
    let mut moved = member(2);
    moved.addresses = vec!["192.0.2.77:47210".parse().unwrap()];
    moved.name = "another".to_owned();
    let Ok(ControlApplied::Member(again)) = state.apply(join(moved.clone(), 1, 3_000)) else { panic!("refused") };
    assert_eq!((again.joined_at, &again.name, &again.addresses), (at(2_000), &first.name, &moved.addresses));
    assert_eq!(state.tokens[&JoinToken::id_of(&digest(1))].used_by, [node(2)]);
}

#[test]
fn tokens_are_judged_by_the_latest_moment_known() {
    let mut state = founded();
    state.apply(add_token(1, TokenUse::Timed, 50_000)).unwrap();
    state.apply(ControlCommand::Tick { now: at(50_000) }).unwrap();
    assert_eq!(state.apply(join(member(2), 1, 2_000)), Err(ControlRefusal::TokenExpired));
    assert_eq!(state.apply(join(member(2), 7, 2_000)), Err(ControlRefusal::UnknownToken));
    let day = 24 * 60 * 60 * 1_000;
    state.apply(ControlCommand::Tick { now: at(50_000 + day - 1) }).unwrap();
    assert_eq!(state.apply(join(member(2), 1, 50_000 + day - 1)), Err(ControlRefusal::TokenExpired));
    assert!(state.wants_tick(at(50_000 + day)));
    state.apply(ControlCommand::Tick { now: at(50_000 + day) }).unwrap();
    assert_eq!(state.apply(join(member(2), 1, 2_000)), Err(ControlRefusal::UnknownToken));
}

#[test]
fn a_leader_that_once_was_years_ahead_leaves_tokens_good() {
    let mut state = founded();
    let years = 10 * 365 * 24 * 60 * 60 * 1_000;
    let report = ControlCommand::Report {
        node: node(1),
        addresses: Vec::new(),
        capacity: 1,
        zone: None,
        versions: VersionRange { min: 1, max: 3 },
        now: at(years),
    };
    state.apply(report).unwrap();
    state.apply(add_token(1, TokenUse::Single, 50_000)).unwrap();
    state.apply(join(member(2), 1, 2_000)).unwrap();
    assert_eq!(state.now, at(2_000));
}

#[test]
fn only_the_leader_s_clock_counts_and_a_token_lives_as_long_as_its_maker_said() {
    let mut made = add_token(1, TokenUse::Single, 51_000);
    made.stamp(at(7_000_000));
    let ControlCommand::AddToken { token, now, .. } = &made else { panic!("another command") };
    assert_eq!((token.expires_at, *now), (at(7_050_000), at(7_000_000)));
    let mut report = join(member(2), 1, u64::MAX);
    report.stamp(at(7_000_000));
    assert!(matches!(report, ControlCommand::Join { now, .. } if now == at(7_000_000)));
}

#[test]
fn a_token_made_twice_keeps_its_uses_and_a_forged_one_is_refused() {
    let mut state = founded();
    state.apply(add_token(1, TokenUse::Single, 50_000)).unwrap();
    state.apply(join(member(2), 1, 2_000)).unwrap();
    state.apply(add_token(1, TokenUse::Single, 50_000)).unwrap();
    assert_eq!(state.apply(join(member(3), 1, 2_000)), Err(ControlRefusal::TokenUsed));
    let longer = state.apply(add_token(1, TokenUse::Timed, 60_000));
    assert!(matches!(longer, Err(ControlRefusal::BadToken(_))));
    let forged = ControlCommand::AddToken { id: "0".repeat(16), token: token(2, TokenUse::Timed, 50_000), now: at(0) };
    assert!(matches!(state.apply(forged), Err(ControlRefusal::BadToken(_))));
}

#[test]
fn tokens_are_bounded_and_expired_ones_make_room() {
    let mut state = founded();
    for number in 1..u16::try_from(MAX_TOKENS).unwrap() {
        let made = JoinToken {
            digest: JoinToken::digest_of(&number.to_be_bytes()),
            uses: TokenUse::Single,
            expires_at: at(50_000),
            used_by: Vec::new(),
            role: MemberRole::Full,
            made_by: maker(1),
        };
        state.apply(ControlCommand::AddToken { id: JoinToken::id_of(&made.digest), token: made, now: at(1) }).unwrap();
    }
    let one_more = |now| ControlCommand::AddToken {
        id: JoinToken::id_of(&digest(77)),
        token: token(77, TokenUse::Single, 200_000_000),
        now: at(now),
    };
    assert!(matches!(state.apply(one_more(1_000)), Err(ControlRefusal::TooMany { .. })));
    state.apply(one_more(50_000 + 24 * 60 * 60 * 1_000)).unwrap();
}

#[test]
fn a_withdrawn_token_is_unknown_and_whoever_used_it_stays() {
    let mut state = grown(2);
    let id = JoinToken::id_of(&digest(9));
    state.apply(ControlCommand::RevokeToken { id: id.clone(), now: at(0) }).unwrap();
    assert_eq!(state.apply(join(member(3), 9, 2_000)), Err(ControlRefusal::UnknownToken));
    assert_eq!(state.apply(ControlCommand::RevokeToken { id, now: at(0) }), Err(ControlRefusal::UnknownToken));
    assert!(state.members.contains_key(&node(2)));
}

/// Whoever joins does not choose what it becomes: neither with the first token nor with a later one of the other kind.
#[test]
fn the_token_decides_what_a_node_becomes() {
    let mut state = founded();
    state.apply(add_guest_token(1, TokenUse::Timed, 50_000)).unwrap();
    let guests_only = ControlRefusal::WrongRole { token: MemberRole::Guest };
    let members_only = ControlRefusal::WrongRole { token: MemberRole::Full };
    assert_eq!(state.apply(join(member(2), 1, 2_000)), Err(guests_only.clone()));
    assert_eq!(state.apply(join(guest(2), 9, 2_000)), Err(members_only.clone()));
    state.apply(join(guest(2), 1, 2_000)).unwrap();
    for record in [member(2), guest(2)] {
        assert_eq!(state.apply(join(record, 9, 3_000)), Err(members_only.clone()), "a guest became a member");
    }
    state.apply(join(member(3), 9, 2_000)).unwrap();
    assert_eq!(state.apply(join(member(3), 1, 3_000)), Err(guests_only));
    assert_eq!(state.members[&node(2)].role, MemberRole::Guest);
}

#[test]
fn a_token_is_made_by_a_full_member_and_lives_for_a_month_at_most() {
    let mut state = grown(3);
    state.apply(add_guest_token(1, TokenUse::Single, 50_000)).unwrap();
    state.apply(join(guest(5), 1, 2_000)).unwrap();
    desire(&mut state, 3, MemberDesired::Leaving).unwrap();
    let made = |number, by| {
        let token = JoinToken { made_by: maker(by), ..token(number, TokenUse::Single, 50_000) };
        ControlCommand::AddToken { id: JoinToken::id_of(&token.digest), token, now: at(1_000) }
    };
    assert!(matches!(state.apply(made(2, 5)), Err(ControlRefusal::BadToken(_))), "a guest lets nobody in");
    assert!(matches!(state.apply(made(2, 3)), Err(ControlRefusal::BadToken(_))), "it is leaving");
    assert_eq!(state.apply(made(2, 7)), Err(ControlRefusal::UnknownMember(node(7))));
    let month = 30 * 24 * 60 * 60 * 1_000;
    let long = add_token(2, TokenUse::Timed, state.now.as_millis() + month + 1);
    assert!(matches!(state.apply(long), Err(ControlRefusal::BadToken(_))));
    state.apply(add_token(2, TokenUse::Timed, state.now.as_millis() + month)).unwrap();
}

#[test]
fn whoever_is_sent_away_invites_nobody_any_more() {
    for last in [MemberDesired::Leaving, MemberDesired::Draining] {
        let mut state = grown(3);
        let token = JoinToken { made_by: maker(2), ..token(4, TokenUse::Timed, 50_000) };
        let id = JoinToken::id_of(&token.digest);
        state.apply(ControlCommand::AddToken { id: id.clone(), token, now: at(1_000) }).unwrap();
        desire(&mut state, 2, last).unwrap();
        assert_eq!(state.tokens.contains_key(&id), last == MemberDesired::Draining, "{last:?}");
        assert!(state.tokens.contains_key(&JoinToken::id_of(&digest(9))), "another member's token is gone");
    }
}

#[test]
fn names_are_unique_and_versions_shared() {
    let mut state = grown(2);
    let mut twin = member(3);
    twin.name = "node-2".to_owned();
    assert_eq!(state.apply(join(twin, 9, 2_000)), Err(ControlRefusal::NameTaken("node-2".to_owned())));
    let mut newer = member(3);
    newer.versions = VersionRange { min: 4, max: 6 };
    let refused = ControlRefusal::Incompatible { theirs_min: 4, theirs_max: 6, ours_min: 1, ours_max: 3 };
    assert_eq!(state.apply(join(newer, 9, 2_000)), Err(refused));
    // One by one they may all move on.
    for (number, min, max) in [(1, 2, 4), (2, 2, 4), (1, 4, 6)] {
        let versions = VersionRange { min, max };
        let report = ControlCommand::Report {
            node: node(number),
            addresses: Vec::new(),
            capacity: 0,
            zone: None,
            versions,
            now: at(0),
        };
        state.apply(report).unwrap();
    }
    assert_eq!(state.versions(), Some(VersionRange { min: 4, max: 4 }));
    assert_eq!(state.members[&node(1)].capacity, 1);
}

#[test]
fn the_last_active_full_member_stays() {
    let mut state = founded();
    state.apply(add_guest_token(8, TokenUse::Single, 50_000)).unwrap();
    state.apply(join(guest(5), 8, 2_000)).unwrap();
    for desired in [MemberDesired::Draining, MemberDesired::Leaving] {
        assert_eq!(desire(&mut state, 1, desired), Err(ControlRefusal::LastMember));
    }
    state.apply(join(member(2), 9, 2_000)).unwrap();
    desire(&mut state, 1, MemberDesired::Draining).unwrap();
    assert_eq!(desire(&mut state, 2, MemberDesired::Leaving), Err(ControlRefusal::LastMember));
    desire(&mut state, 1, MemberDesired::Active).unwrap();
    desire(&mut state, 2, MemberDesired::Leaving).unwrap();
}

#[test]
fn a_member_leaves_for_good_once_nothing_names_it() {
    let mut state = grown(3);
    plan(&mut state, set(&[1, 2, 3], &[])).unwrap();
    assert_eq!(remove(&mut state, 2), Err(ControlRefusal::NotLeaving(node(2))));
    desire(&mut state, 2, MemberDesired::Leaving).unwrap();
    assert_eq!(remove(&mut state, 2), Err(ControlRefusal::HoldsReplicas { shards: 1 }));
    settle(&mut state, set(&[1, 2, 3], &[])).unwrap();
    plan(&mut state, set(&[1], &[3])).unwrap();
    assert_eq!(remove(&mut state, 2), Err(ControlRefusal::HoldsReplicas { shards: 1 }));
    settle(&mut state, set(&[1], &[3])).unwrap();
    remove(&mut state, 2).unwrap();
    assert_eq!(state.departed.get(&node(2)), Some(&at(4_000)));
    assert_eq!(state.apply(join(member(2), 9, 5_000)), Err(ControlRefusal::Departed(node(2))));
    assert_eq!(remove(&mut state, 2), Err(ControlRefusal::UnknownMember(node(2))));
    // Its name is free again.
    let mut heir = member(7);
    heir.name = "node-2".to_owned();
    state.apply(join(heir, 9, 5_000)).unwrap();
    state.check().unwrap();
}

#[test]
fn a_plan_is_taken_as_a_whole_or_not_at_all() {
    let mut state = grown(3);
    state.apply(add_guest_token(8, TokenUse::Single, 50_000)).unwrap();
    state.apply(join(guest(5), 8, 2_000)).unwrap();
    let before = state.clone();
    let bad = [
        set(&[1, 2], &[]),
        set(&[], &[1]),
        set(&[1, 1, 2], &[]),
        set(&[1], &[1]),
        set(&[5], &[]),
        set(&[8], &[]),
        set(&[1], &[]),
    ];
    for place in bad {
        let table_version = state.table_version;
        let moves = vec![(ShardId(0), set(&[1, 2, 3], &[])), (SHARD, place)];
        let refused = state.apply(ControlCommand::Plan { table_version, moves });
        assert!(matches!(refused, Err(ControlRefusal::BadPlace { shard: SHARD, .. })), "{refused:?}");
    }
    let stale = ControlCommand::Plan { table_version: 0, moves: vec![(SHARD, set(&[2], &[]))] };
    assert_eq!(state.apply(stale), Err(ControlRefusal::StaleTable));
    let unknown =
        ControlCommand::Plan { table_version: state.table_version, moves: vec![(ShardId(4), set(&[2], &[]))] };
    assert_eq!(state.apply(unknown), Err(ControlRefusal::UnknownShard(ShardId(4))));
    assert_eq!(state, before);
}

#[test]
fn a_move_is_planned_settled_replaced_and_taken_back() {
    let mut state = grown(4);
    plan(&mut state, set(&[1, 2, 3], &[])).unwrap();
    plan(&mut state, set(&[1, 2, 4], &[])).unwrap();
    desire(&mut state, 3, MemberDesired::Leaving).unwrap();
    assert_eq!(remove(&mut state, 3), Err(ControlRefusal::HoldsReplicas { shards: 1 }), "it may have a vote");
    // The group had come to the first target before its leader heard of the second.
    settle(&mut state, set(&[1, 2, 3], &[])).unwrap();
    let place = state.place(SHARD).unwrap();
    assert_eq!((&place.current, &place.target), (&set(&[1, 2, 3], &[]), &Some(set(&[1, 2, 4], &[]))));
    plan(&mut state, set(&[1, 2, 3], &[])).unwrap();
    assert_eq!(state.place(SHARD).unwrap().target, None);
    assert!(state.place(SHARD).unwrap().names(node(4)), "it may have a replica");
    settle(&mut state, set(&[1, 2, 3], &[])).unwrap();
    assert!(!state.place(SHARD).unwrap().names(node(4)));
    let table_version = state.table_version;
    settle(&mut state, set(&[1, 2, 3], &[])).unwrap();
    assert_eq!(state.table_version, table_version, "a report of what is known changes no table");
    assert_eq!(settle(&mut state, set(&[1, 2, 4], &[])), Err(ControlRefusal::StaleTable));
}

#[test]
fn a_report_of_an_older_membership_changes_nothing() {
    let mut state = grown(4);
    let report = |state: &mut ControlState, place, index| {
        let (at, planned) = (MembershipStamp { term: 2, index }, state.table[usize::from(SHARD.0)].planned);
        state.apply(ControlCommand::Settle { shard: SHARD, place, at, planned })
    };
    plan(&mut state, set(&[1, 2, 3], &[])).unwrap();
    report(&mut state, set(&[1, 2, 3], &[]), 40).unwrap();
    plan(&mut state, set(&[1, 2, 4], &[])).unwrap();
    let before = state.clone();
    // It was on its way for long; the shard was somewhere else then.
    assert_eq!(report(&mut state, set(&[1], &[]), 30), Err(ControlRefusal::StaleTable));
    assert_eq!(state, before);
    report(&mut state, set(&[1, 2, 4], &[]), 50).unwrap();
    assert_eq!(state.place(SHARD).unwrap().current, set(&[1, 2, 4], &[]));
}

#[test]
fn a_report_that_does_not_know_of_a_planned_move_changes_nothing() {
    let mut state = grown(5);
    plan(&mut state, set(&[1, 2, 3], &[])).unwrap();
    let (at, planned) = (MembershipStamp { term: 2, index: 40 }, state.place(SHARD).unwrap().planned);
    let late = ControlCommand::Settle { shard: SHARD, place: set(&[1, 2, 3], &[]), at, planned };
    plan(&mut state, set(&[1, 2, 4], &[])).unwrap();
    plan(&mut state, set(&[1, 2, 5], &[])).unwrap();
    let before = state.clone();
    assert_eq!(state.apply(late), Err(ControlRefusal::StaleTable));
    assert_eq!(state, before);
    assert!(state.place(SHARD).unwrap().names(node(4)), "it may have a vote, and must not be forgotten");
}

#[test]
fn recovery_names_one_node_that_has_a_replica() {
    let mut state = grown(3);
    plan(&mut state, set(&[1], &[2])).unwrap();
    let recover = |number, shards: &[u16]| ControlCommand::Recover {
        node: node(number),
        shards: shards.iter().copied().map(ShardId).collect(),
        now: at(9_000),
        by: crate::AskedBy::UNTOLD,
    };
    assert!(matches!(state.apply(recover(3, &[2])), Err(ControlRefusal::BadPlace { .. })));
    assert!(matches!(state.apply(recover(2, &[2, 3])), Err(ControlRefusal::BadPlace { shard: ShardId(3), .. })));
    assert!(matches!(state.apply(recover(8, &[2])), Err(ControlRefusal::UnknownMember(_))));
    state.apply(recover(2, &[2])).unwrap();
    let alone = ShardPlace { planned: state.table[2].planned, ..ShardPlace::alone(node(2)) };
    assert_eq!(state.table[2], alone);
    assert_eq!(state.table[3].current, set(&[1], &[]));
}

#[test]
fn secrets_come_go_and_are_bounded() {
    use crate::{MAX_SECRET_BYTES, SealedSecret};
    let mut state = founded();
    let put = |bytes| ControlCommand::PutSecret {
        name: "key".to_owned(),
        secret: SealedSecret { sealed: vec![7; bytes], set_at: at(5_000) },
    };
    assert!(matches!(state.apply(put(MAX_SECRET_BYTES + 1)), Err(ControlRefusal::BadSecret(_))));
    state.apply(put(10)).unwrap();
    state.apply(put(20)).unwrap();
    assert_eq!(state.secrets["key"].sealed.len(), 20);
    let gone = ControlCommand::RemoveSecret { name: "key".to_owned(), now: at(6_000) };
    state.apply(gone.clone()).unwrap();
    assert_eq!(state.apply(gone), Err(ControlRefusal::UnknownSecret("key".to_owned())));
}

#[test]
fn a_state_that_cannot_be_is_found_out() {
    let sound = grown(3);
    let spoilt: [fn(&mut ControlState); 6] = [
        |state| {
            state.table.pop();
        },
        |state| state.table[0].current = set(&[1, 2], &[]),
        |state| state.table[0].target = Some(state.table[0].current.clone()),
        |state| state.table[0].target = Some(set(&[6], &[])),
        |state| {
            state.departed.insert(node(1), at(0));
        },
        |state| state.members.get_mut(&node(2)).unwrap().name = "node-1".to_owned(),
    ];
    for spoil in spoilt {
        let mut state = sound.clone();
        state.check().unwrap();
        spoil(&mut state);
        assert!(state.check().is_err());
    }
}

#[test]
fn a_member_starts_from_the_home_that_is_known_and_from_no_copy_of_it() {
    let mut state = grown(2);
    let start = |state: &mut ControlState, lineage: &Lineage, now| {
        state.apply(ControlCommand::Start { node: node(2), lineage: lineage.clone(), now: at(now) })
    };
    let mut home = Lineage::first(1, 1, 10);
    let mut copy = home.clone();
    start(&mut state, &home, 5_000).unwrap();
    home.begin(11);
    copy.begin(12);
    start(&mut state, &home, 6_000).unwrap();
    home.advance();
    start(&mut state, &home, 7_000).unwrap();
    assert_eq!(state.lives[&node(2)].since, at(6_000));
    let refused = start(&mut state, &copy, 8_000);
    assert_eq!(refused, Err(ControlRefusal::OtherLife(Conflict::Twice { known: 2, since: at(6_000) })));
    desire(&mut state, 2, MemberDesired::Leaving).unwrap();
    remove(&mut state, 2).unwrap();
    assert!(state.lives.is_empty(), "who has left is not remembered");
    assert_eq!(start(&mut state, &home, 9_000), Err(ControlRefusal::UnknownMember(node(2))));
}
