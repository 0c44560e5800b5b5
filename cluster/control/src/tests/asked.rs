//! Who may ask for what, whichever node brings it, and what is remembered of it.

use super::support::{add_guest_token, at, founded, grown, guest, join, maker, member, node, token};
use crate::limits::MAX_HISTORY;
use crate::{ApiToken, AskedBy, ControlCommand, JoinToken, MemberEvent, MembershipStamp, ReplicaSet, SealedSecret};
use octopussy_core::ids::ShardId;
use octopussy_core::lineage::Lineage;
use octopussy_core::ports::{Asker, KeyKind, MemberDesired, MemberRole, PrincipalRole, TokenUse};

fn person(role: PrincipalRole) -> Asker {
    Asker::Principal { name: "ada".to_owned(), role }
}

fn api_token(own: bool) -> ControlCommand {
    let (name, role) = ("chat".to_owned(), PrincipalRole::User);
    let token = ApiToken { name, role, expires_at: at(9_000), made_by: maker(1), own, revoked: None };
    ControlCommand::AddApiToken { id: "00000000000000aa".to_owned(), token, now: at(2_000) }
}

/// Every command, and who may ask for it: a node by itself, an administrator.
fn table() -> Vec<(ControlCommand, bool, bool)> {
    let (shard, now, kind, tag) = (ShardId(0), at(5_000), KeyKind::Token, [1; 16]);
    let sealed = SealedSecret { sealed: vec![1], set_at: now };
    let place = ReplicaSet { voters: vec![node(1)], learners: Vec::new() };
    let join_token = token(1, TokenUse::Single, 9_000);
    let by = AskedBy::UNTOLD;
    vec![
        (ControlCommand::Found { cluster: super::support::cluster(4), founder: member(1) }, true, false),
        (join(member(2), 1, 2_000), true, false),
        (
            ControlCommand::Report {
                node: node(1),
                addresses: Vec::new(),
                capacity: 1,
                zone: None,
                versions: crate::VersionRange { min: 1, max: 1 },
                now,
            },
            true,
            false,
        ),
        (ControlCommand::Start { node: node(1), lineage: Lineage::numbered(1), now }, true, false),
        (ControlCommand::Plan { table_version: 1, moves: Vec::new() }, true, false),
        (ControlCommand::Settle { shard, place, at: MembershipStamp::default(), planned: 0 }, true, false),
        (ControlCommand::Remove { node: node(2), now }, true, false),
        (ControlCommand::Tick { now }, true, false),
        (ControlCommand::PutSecret { name: "a".to_owned(), secret: sealed.clone() }, true, false),
        (ControlCommand::RemoveSecret { name: "a".to_owned(), now }, true, false),
        (ControlCommand::KnowKey { kind, tag, node: node(1), now }, true, false),
        (ControlCommand::ActivateKey { kind, tag, now }, true, false),
        (ControlCommand::OfferKey { kind, tag, sealed, public: Vec::new(), now }, true, true),
        (ControlCommand::EndKeyOverlap { kind, now }, false, true),
        (ControlCommand::AddToken { id: JoinToken::id_of(&join_token.digest), token: join_token, now }, false, true),
        (ControlCommand::RevokeToken { id: "7f".to_owned(), now }, false, true),
        (
            ControlCommand::SetDesired { node: node(2), desired: MemberDesired::Leaving, now, by: by.clone() },
            false,
            true,
        ),
        (ControlCommand::Stolen { node: node(2), now, by: by.clone() }, false, true),
        (ControlCommand::Recover { node: node(1), shards: Vec::new(), now, by }, false, true),
        (api_token(true), true, false),
        (api_token(false), false, true),
        (ControlCommand::RevokeApiToken { id: "00000000000000aa".to_owned(), by: maker(1), now }, false, true),
    ]
}

#[test]
fn what_people_may_have_done_follows_from_their_role_and_nodes_do_by_themselves_only_what_is_theirs() {
    for (command, by_itself, for_people) in table() {
        assert_eq!(command.may_be_asked_by(&Asker::Node), by_itself, "a node: {command:?}");
        assert_eq!(command.may_be_asked_by(&person(PrincipalRole::Admin)), for_people, "an admin: {command:?}");
        for role in [PrincipalRole::Viewer, PrincipalRole::User, PrincipalRole::Operator] {
            assert!(!command.may_be_asked_by(&person(role)), "{role:?}: {command:?}");
        }
    }
}

#[test]
fn what_became_of_members_is_remembered_with_whoever_asked_for_it() {
    let mut state = grown(2);
    state.apply(add_guest_token(90, TokenUse::Timed, 50_000)).unwrap();
    state.apply(join(guest(4), 90, 2_000)).unwrap();
    // Its answer was lost: it joins no second time.
    state.apply(join(guest(4), 90, 2_500)).unwrap();
    let by = AskedBy { node: node(1), asker: person(PrincipalRole::Admin) };
    let desire = |desired| {
        let mut command = ControlCommand::SetDesired { node: node(2), desired, now: at(3_000), by: AskedBy::UNTOLD };
        command.set_asked_by(by.clone());
        command
    };
    for desired in [MemberDesired::Draining, MemberDesired::Draining, MemberDesired::Leaving] {
        state.apply(desire(desired)).unwrap();
    }
    state.apply(ControlCommand::Remove { node: node(2), now: at(4_000) }).unwrap();
    let seen: Vec<_> = state.history.iter().map(|change| (change.node, change.event)).collect();
    let (full, draining, leaving) = (MemberRole::Full, MemberDesired::Draining, MemberDesired::Leaving);
    let expected = [
        (node(1), MemberEvent::Joined(full)),
        (node(2), MemberEvent::Joined(full)),
        (node(4), MemberEvent::Joined(MemberRole::Guest)),
        (node(2), MemberEvent::Desired(draining)),
        (node(2), MemberEvent::Desired(leaving)),
        (node(2), MemberEvent::Removed),
    ];
    assert_eq!(seen, expected);
    let removed = state.history.back().unwrap();
    assert_eq!((removed.name.as_str(), removed.by.as_ref()), ("node-2", Some(&by)), "who sent it away");
    let joined = state.history[2].by.as_ref().unwrap();
    assert_eq!((joined.node, joined.asker.name()), (node(1), Some("admin")), "who made the token");
    state.check().unwrap();
}

#[test]
fn the_history_is_bounded_and_the_oldest_goes() {
    let mut state = founded();
    state.apply(join(member(2), 9, 2_000)).unwrap();
    for number in 0..2 * MAX_HISTORY {
        let desired = if number % 2 == 0 { MemberDesired::Draining } else { MemberDesired::Active };
        let command = ControlCommand::SetDesired { node: node(2), desired, now: at(3_000), by: AskedBy::UNTOLD };
        state.apply(command).unwrap();
    }
    assert_eq!(state.history.len(), MAX_HISTORY);
    assert!(state.history.iter().all(|change| matches!(change.event, MemberEvent::Desired(_))));
    state.check().unwrap();
}
