//! The table of who may ask what, written out a second time: every cell once.

use super::support::{add_guest_token, add_token, at, grown, guest, join, node};
use crate::{ControlCommand, ControlState, MembershipStamp, ReplicaSet, Who};
use octopussy_core::ids::ShardId;
use octopussy_core::lineage::Lineage;
use octopussy_core::ports::{KeyKind, MemberDesired, RequestKind, TokenUse};

/// For each kind of request who may ask it, in the order of [`Who::ALL`]: stranger, guest, joining, member, leaving, removed.
const TABLE: &[(RequestKind, &str)] = &[
    (RequestKind::Heartbeats, "--jml-"),
    (RequestKind::Vote, "--jml-"),
    (RequestKind::PreVote, "--jml-"),
    (RequestKind::Transfer, "--jml-"),
    (RequestKind::Clock, "-gjml-"),
    (RequestKind::Introduce, "--jml-"),
    (RequestKind::Renew, "--jml-"),
    (RequestKind::Append, "--jml-"),
    (RequestKind::Snapshot, "--jml-"),
    (RequestKind::LedgerRead, "---ml-"),
    (RequestKind::TaskCommand, "---ml-"),
    (RequestKind::AgentCommand, "---ml-"),
    (RequestKind::LeaderCommand, "------"),
    (RequestKind::LeaderWord, "---ml-"),
    (RequestKind::Digests, "---ml-"),
    (RequestKind::Standing, "-gjml-"),
    (RequestKind::Report, "-g-ml-"),
    (RequestKind::Settle, "---ml-"),
    (RequestKind::MemberCommand, "-g-ml-"),
    (RequestKind::Admission, "---m--"),
    (RequestKind::TokenCommand, "---m--"),
    (RequestKind::SecretCommand, "---m--"),
    (RequestKind::KeyCommand, "---m--"),
    (RequestKind::Recovery, "---m--"),
    (RequestKind::ControlLeaderCommand, "------"),
    (RequestKind::BlobQuestion, "---ml-"),
    (RequestKind::BlobPut, "---ml-"),
    (RequestKind::BlobGet, "---ml-"),
    (RequestKind::MembershipCompare, "-gjml-"),
    (RequestKind::MembershipTell, "-gjml-"),
    (RequestKind::MembershipDoubt, "-gjml-"),
    (RequestKind::Swim, "-gjml-"),
    (RequestKind::Facts, "-gjml-"),
    (RequestKind::AgentControl, "---ml-"),
    (RequestKind::AgentLive, "---ml-"),
    (RequestKind::Events, "---ml-"),
    (RequestKind::ModelOffers, "---ml-"),
    (RequestKind::ModelCall, "---ml-"),
];

#[test]
fn every_node_may_ask_exactly_what_the_table_says() {
    for kind in RequestKind::ALL {
        let rows: Vec<_> = TABLE.iter().filter(|(of, _)| of == kind).collect();
        let [(_, row)] = rows[..] else { panic!("{kind:?} has {} rows", rows.len()) };
        assert_eq!(row.len(), Who::ALL.len(), "{kind:?}");
        for (who, cell) in Who::ALL.iter().zip(row.chars()) {
            assert_eq!(who.may(*kind), cell != '-', "{who:?} asks {kind:?}");
            assert!(who.may_connect() || !who.may(*kind), "{who:?} is never connected");
        }
    }
}

/// Node 1 and 2 are full members, 3 is leaving, 4 a guest, 5 was removed; 9 is nobody.
fn state() -> ControlState {
    let mut state = grown(3);
    state.apply(add_guest_token(90, TokenUse::Timed, 50_000)).unwrap();
    for number in [4, 5] {
        state.apply(join(guest(number), 90, 2_000)).unwrap();
    }
    for number in [3, 5] {
        let leaves = ControlCommand::SetDesired {
            node: node(number),
            desired: MemberDesired::Leaving,
            now: at(3_000),
            by: crate::AskedBy::UNTOLD,
        };
        state.apply(leaves).unwrap();
    }
    state.apply(ControlCommand::Remove { node: node(5), now: at(4_000) }).unwrap();
    state
}

#[test]
fn the_committed_members_say_who_a_node_is() {
    let state = state();
    let who: Vec<Who> = [1, 2, 3, 4, 5, 9].into_iter().map(|number| state.who(node(number))).collect();
    assert_eq!(who, [Who::Member, Who::Member, Who::Leaving, Who::Guest, Who::Removed, Who::Stranger]);
    assert_eq!(ControlState::default().who(node(1)), Who::Stranger, "a copy that is empty knows nobody");
}

#[test]
fn a_node_reports_and_recovers_for_itself_only() {
    let state = state();
    let report = |number| ControlCommand::Report {
        node: node(number),
        addresses: Vec::new(),
        capacity: 1,
        zone: None,
        versions: crate::VersionRange { min: 1, max: 1 },
        now: at(5_000),
    };
    let recover = |number| ControlCommand::Recover {
        node: node(number),
        shards: Vec::new(),
        now: at(5_000),
        by: crate::AskedBy::UNTOLD,
    };
    let start = |number| ControlCommand::Start { node: node(number), lineage: Lineage::numbered(1), now: at(5_000) };
    for (from, about, reports, recovers) in [
        (1, 1, true, true),
        (1, 2, false, false),
        (3, 3, true, false),
        (4, 4, true, false),
        (4, 1, false, false),
        (5, 5, false, false),
        (9, 9, false, false),
    ] {
        assert_eq!(state.may_propose(node(from), &report(about)), reports, "{from} about {about}");
        assert_eq!(state.may_propose(node(from), &start(about)), reports, "{from} about {about}");
        assert_eq!(state.may_propose(node(from), &recover(about)), recovers, "{from} about {about}");
    }
}

#[test]
fn only_a_member_in_good_standing_decides_about_others() {
    let state = state();
    let desire = |number, desired| ControlCommand::SetDesired {
        node: node(number),
        desired,
        now: at(5_000),
        by: crate::AskedBy::UNTOLD,
    };
    for from in [3, 4, 5, 9] {
        assert!(!state.may_propose(node(from), &desire(1, MemberDesired::Leaving)), "{from} sends 1 away");
        assert!(!state.may_propose(node(from), &desire(from, MemberDesired::Active)), "{from} calls itself back");
    }
    assert!(state.may_propose(node(1), &desire(2, MemberDesired::Draining)));
    assert!(state.may_propose(node(4), &desire(4, MemberDesired::Leaving)), "a guest may go");
    for command in [
        add_token(7, TokenUse::Timed, 60_000),
        ControlCommand::RemoveSecret { name: "a".to_owned(), now: at(5_000) },
        join(guest(6), 90, 5_000),
        ControlCommand::Stolen { node: node(2), now: at(5_000), by: crate::AskedBy::UNTOLD },
        ControlCommand::EndKeyOverlap { kind: KeyKind::Token, now: at(5_000) },
    ] {
        assert!(state.may_propose(node(1), &command), "{command:?}");
        for from in [3, 4, 5, 9] {
            assert!(!state.may_propose(node(from), &command), "{from}: {command:?}");
        }
    }
}

#[test]
fn what_a_leader_decides_is_accepted_from_nobody() {
    let state = state();
    for command in [
        ControlCommand::Remove { node: node(3), now: at(5_000) },
        ControlCommand::Tick { now: at(5_000) },
        ControlCommand::Plan { table_version: state.table_version, moves: Vec::new() },
    ] {
        for from in 1..=9 {
            assert!(!state.may_propose(node(from), &command), "{from}: {command:?}");
        }
    }
}

#[test]
fn only_a_node_of_a_shard_says_where_it_is_and_speaks_in_its_group() {
    let mut state = state();
    let place = state.table[0].clone();
    assert!(place.names(node(1)) && !place.names(node(2)));
    let shard = ShardId(0);
    let settle =
        ControlCommand::Settle { shard, place: place.current, at: MembershipStamp { term: 1, index: 2 }, planned: 0 };
    assert!(state.may_propose(node(1), &settle) && !state.may_propose(node(2), &settle));
    assert!(state.may_be_of(Some(shard), node(1)) && !state.may_be_of(Some(shard), node(2)));
    let target = ReplicaSet { voters: vec![node(1)], learners: vec![node(2)] };
    let table_version = state.table_version;
    state.apply(ControlCommand::Plan { table_version, moves: vec![(shard, target)] }).unwrap();
    assert!(state.may_be_of(Some(shard), node(2)), "it is on its way there");
    for number in [1, 2, 3] {
        assert!(state.may_be_of(None, node(number)));
    }
    for number in [4, 5, 9] {
        assert!(!state.may_be_of(None, node(number)) && !state.may_be_of(Some(shard), node(number)));
    }
}
