//! Any sequence of commands: invariants, determinism, encoding.

use super::support::{at, cluster, digest, guest, maker, member, node, public};
use crate::{
    ApiToken, ControlCommand, ControlState, JoinToken, MembershipStamp, ReplicaSet, SealedSecret, VersionRange,
};
use octopussy_core::codec;
use octopussy_core::ids::ShardId;
use octopussy_core::lineage::Lineage;
use octopussy_core::ports::{KeyKind, MemberDesired, MemberRole, PrincipalRole, TokenUse};
use octopussy_core::time::{STANDS_STILL, Timestamp};
use proptest::prelude::*;

/// Few of everything, so that commands meet.
fn nodes() -> impl Strategy<Value = u8> + Clone {
    1_u8..7
}

fn places() -> impl Strategy<Value = ReplicaSet> + Clone {
    (prop::collection::vec(nodes(), 0..4), prop::collection::vec(nodes(), 0..2)).prop_map(|(voters, learners)| {
        ReplicaSet {
            voters: voters.into_iter().map(node).collect(),
            learners: learners.into_iter().map(node).collect(),
        }
    })
}

fn desires() -> impl Strategy<Value = MemberDesired> {
    prop_oneof![Just(MemberDesired::Active), Just(MemberDesired::Draining), Just(MemberDesired::Leaving)]
}

/// What somebody wants to do; it becomes a command once the state is known that it is meant for.
#[derive(Debug, Clone)]
enum Intent {
    Command(ControlCommand),
    PlanNow(Vec<(ShardId, ReplicaSet)>),
    SettleTarget(ShardId, u64),
}

fn keys(times: impl Strategy<Value = Timestamp> + Clone) -> impl Strategy<Value = ControlCommand> {
    let kinds = prop_oneof![Just(KeyKind::Message), Just(KeyKind::Token), Just(KeyKind::Authority)];
    let tags = (0_u8..4).prop_map(|tag| [tag; 16]);
    prop_oneof![
        2 => (kinds.clone(), tags.clone(), times.clone()).prop_map(|(kind, tag, now)| ControlCommand::OfferKey {
            kind, tag, sealed: SealedSecret { sealed: vec![tag[0]], set_at: now }, public: public(kind), now,
        }),
        4 => (kinds.clone(), tags.clone(), nodes(), times.clone()).prop_map(|(kind, tag, id, now)| {
            ControlCommand::KnowKey { kind, tag, node: node(id), now }
        }),
        1 => (kinds.clone(), tags, times.clone()).prop_map(|(kind, tag, now)| ControlCommand::ActivateKey { kind, tag, now }),
        1 => (kinds, times.clone()).prop_map(|(kind, now)| ControlCommand::EndKeyOverlap { kind, now }),
        1 => (nodes(), times).prop_map(|(id, now)| ControlCommand::Stolen { node: node(id), now, by: crate::AskedBy::UNTOLD }),
    ]
}

fn api_tokens(times: impl Strategy<Value = Timestamp> + Clone) -> impl Strategy<Value = ControlCommand> {
    let ids = (0_u8..4).prop_map(|number| format!("{number:016x}"));
    let added = (ids.clone(), nodes(), any::<bool>(), times.clone(), times.clone());
    prop_oneof![
        2 => added.prop_map(|(id, by, own, expires_at, now)| {
            let (name, role) = ("chat".to_owned(), PrincipalRole::User);
            let token = ApiToken { name, role, expires_at, made_by: maker(by), own, revoked: None };
            ControlCommand::AddApiToken { id, token, now }
        }),
        1 => (ids, nodes(), times).prop_map(|(id, by, now)| {
            ControlCommand::RevokeApiToken { id, by: maker(by), now }
        }),
    ]
}

fn intents() -> impl Strategy<Value = Intent> {
    let shards = (0_u16..5).prop_map(ShardId);
    let times = (0_u64..300_000_000).prop_map(at);
    let uses = prop_oneof![Just(TokenUse::Single), Just(TokenUse::Timed)];
    let moves = prop::collection::vec((shards.clone(), places()), 0..3);
    let members =
        (nodes(), any::<bool>(), nodes(), 1_u16..5, 0_u32..3).prop_map(|(id, is_guest, name, version, capacity)| {
            let mut record = if is_guest { guest(id) } else { member(id) };
            record.name = format!("node-{name}");
            record.versions = VersionRange { min: version, max: version + 2 };
            record.capacity = capacity;
            record
        });
    prop_oneof![
        1 => nodes().prop_map(|id| ControlCommand::Found { cluster: cluster(4), founder: member(id) }).prop_map(Intent::Command),
        3 => (0_u8..4, uses, any::<bool>(), nodes(), times.clone(), times.clone()).prop_map(|(number, uses, guests, by, expires_at, now)| {
            let role = if guests { MemberRole::Guest } else { MemberRole::Full };
            let token = JoinToken { digest: digest(number), uses, expires_at, used_by: Vec::new(), role, made_by: maker(by) };
            Intent::Command(ControlCommand::AddToken { id: JoinToken::id_of(&token.digest), token, now })
        }),
        1 => (0_u8..4, times.clone()).prop_map(|(number, now)| {
            Intent::Command(ControlCommand::RevokeToken { id: JoinToken::id_of(&digest(number)), now })
        }),
        6 => (members, 0_u8..4, times.clone()).prop_map(|(record, number, now)| {
            Intent::Command(ControlCommand::Join { member: Box::new(record), token: digest(number), now })
        }),
        1 => (nodes(), 1_u16..6, times.clone()).prop_map(|(id, version, now)| Intent::Command(ControlCommand::Report {
            node: node(id), addresses: Vec::new(), capacity: 2, zone: Some("attic".to_owned()),
            versions: VersionRange { min: version, max: version + 1 }, now,
        })),
        3 => (nodes(), desires(), times.clone()).prop_map(|(id, desired, now)| {
            Intent::Command(ControlCommand::SetDesired { node: node(id), desired, now, by: crate::AskedBy::UNTOLD })
        }),
        2 => (nodes(), 1_u64..5, times.clone()).prop_map(|(id, epoch, now)| {
            Intent::Command(ControlCommand::Start { node: node(id), lineage: Lineage::numbered(epoch), now })
        }),
        3 => (nodes(), times.clone()).prop_map(|(id, now)| Intent::Command(ControlCommand::Remove { node: node(id), now })),
        1 => (0_u64..20, moves.clone()).prop_map(|(table_version, moves)| {
            Intent::Command(ControlCommand::Plan { table_version, moves })
        }),
        6 => moves.prop_map(Intent::PlanNow),
        3 => (shards.clone(), places(), 0_u64..4, 0_u64..40).prop_map(|(shard, place, index, planned)| {
            let at = MembershipStamp { term: 1, index };
            Intent::Command(ControlCommand::Settle { shard, place, at, planned })
        }),
        4 => (shards.clone(), 0_u64..4).prop_map(|(shard, index)| Intent::SettleTarget(shard, index)),
        1 => Just(Intent::Command(ControlCommand::PutSecret {
            name: "key".to_owned(), secret: SealedSecret { sealed: vec![1, 2, 3], set_at: at(5) },
        })),
        1 => times.clone().prop_map(|now| Intent::Command(ControlCommand::RemoveSecret { name: "key".to_owned(), now })),
        1 => (nodes(), prop::collection::vec(shards, 0..3), times.clone()).prop_map(|(id, shards, now)| {
            Intent::Command(ControlCommand::Recover { node: node(id), shards, now, by: crate::AskedBy::UNTOLD })
        }),
        6 => keys(times.clone()).prop_map(Intent::Command),
        2 => api_tokens(times.clone()).prop_map(Intent::Command),
        1 => times.prop_map(|now| Intent::Command(ControlCommand::Tick { now })),
    ]
}

fn resolve(intent: Intent, state: &ControlState) -> ControlCommand {
    match intent {
        Intent::Command(command) => command,
        Intent::PlanNow(moves) => ControlCommand::Plan { table_version: state.table_version, moves },
        Intent::SettleTarget(shard, index) => {
            let known = state.place(shard).cloned().unwrap_or_default();
            let at = MembershipStamp { term: 1, index };
            ControlCommand::Settle { shard, place: known.target.unwrap_or(known.current), at, planned: known.planned }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_commands_leave_a_sound_state(intents in prop::collection::vec(intents(), 1..80), found in any::<bool>()) {
        let mut state = if found { super::support::founded() } else { ControlState::default() };
        let mut twin = state.clone();
        for intent in intents {
            let command = resolve(intent, &state);
            let bytes = codec::encode(&command).unwrap();
            prop_assert_eq!(&codec::decode::<ControlCommand>(&bytes).unwrap(), &command);
            let before = state.clone();
            let answer = state.apply(command.clone());
            // Whoever applies the encoded command to the same state comes to the same.
            prop_assert_eq!(&twin.apply(codec::decode(&bytes).unwrap()), &answer);
            prop_assert_eq!(&twin, &state);
            match &answer {
                Ok(_) => prop_assert_eq!(state.version, before.version + 1, "{:?}", command),
                Err(_) => prop_assert_eq!(&state, &before, "{:?}", command),
            }
            // Time stands still while its leader is a little behind, and only what was far ahead goes back.
            prop_assert!(state.now >= before.now || before.now.since(state.now) > STANDS_STILL);
            prop_assert_eq!(state.table != before.table, state.table_version != before.table_version, "{:?}", command);
            prop_assert!(before.departed.keys().all(|id| state.departed.contains_key(id)), "a departed node was forgotten");
            prop_assert!(state.check().is_ok(), "{:?} after {:?}", state.check(), command);
            let answer_bytes = codec::encode(&answer).unwrap();
            prop_assert_eq!(codec::decode::<Result<_, _>>(&answer_bytes).unwrap(), answer);
        }
        let bytes = codec::encode(&state).unwrap();
        prop_assert_eq!(codec::decode::<ControlState>(&bytes).unwrap(), state);
    }
}
