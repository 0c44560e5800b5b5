//! Small clusters for the tests.

use crate::{
    ClusterRecord, ControlCommand, ControlState, JoinToken, MemberRecord, ReplicaSet, TokenMaker, VersionRange,
};
use octopussy_core::ids::{NodeId, ShardCount};
use octopussy_core::ports::{KeyKind, MemberDesired, MemberRole, TokenUse};
use octopussy_core::time::Timestamp;

pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn node(number: u8) -> NodeId {
    NodeId([number; 16])
}

pub(super) fn member(number: u8) -> MemberRecord {
    MemberRecord {
        id: node(number),
        name: format!("node-{number}"),
        addresses: vec!["192.0.2.1:47210".parse().unwrap()],
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: 1,
        zone: None,
        versions: VersionRange { min: 1, max: 3 },
        joined_at: at(0),
    }
}

pub(super) fn guest(number: u8) -> MemberRecord {
    MemberRecord { role: MemberRole::Guest, ..member(number) }
}

pub(super) fn cluster(shards: u16) -> ClusterRecord {
    ClusterRecord {
        id: "00112233445566778899aabbccddeeff".to_owned(),
        shards: ShardCount::new(shards).unwrap(),
        replication: 3,
        founded_at: at(1_000),
    }
}

/// What is told of a key of this kind.
pub(super) fn public(kind: KeyKind) -> Vec<u8> {
    match kind {
        KeyKind::Message | KeyKind::Token => Vec::new(),
        KeyKind::Authority => b"a certificate".to_vec(),
    }
}

pub(super) fn digest(number: u8) -> [u8; 32] {
    JoinToken::digest_of(&[number])
}

pub(super) fn token(number: u8, uses: TokenUse, expires_at: u64) -> JoinToken {
    JoinToken {
        digest: digest(number),
        uses,
        expires_at: at(expires_at),
        used_by: Vec::new(),
        role: MemberRole::Full,
        made_by: maker(1),
    }
}

pub(super) fn maker(number: u8) -> TokenMaker {
    TokenMaker { node: node(number), principal: "admin".to_owned(), at: at(1_000) }
}

/// The same token, for guests.
pub(super) fn add_guest_token(number: u8, uses: TokenUse, expires_at: u64) -> ControlCommand {
    let token = JoinToken { role: MemberRole::Guest, ..token(number, uses, expires_at) };
    ControlCommand::AddToken { id: JoinToken::id_of(&token.digest), token, now: at(1_000) }
}

pub(super) fn add_token(number: u8, uses: TokenUse, expires_at: u64) -> ControlCommand {
    ControlCommand::AddToken {
        id: JoinToken::id_of(&digest(number)),
        token: token(number, uses, expires_at),
        now: at(1_000),
    }
}

pub(super) fn join(record: MemberRecord, token: u8, now: u64) -> ControlCommand {
    ControlCommand::Join { member: Box::new(record), token: digest(token), now: at(now) }
}

pub(super) fn set(voters: &[u8], learners: &[u8]) -> ReplicaSet {
    ReplicaSet {
        voters: voters.iter().copied().map(node).collect(),
        learners: learners.iter().copied().map(node).collect(),
    }
}

/// A cluster of four shards, founded by node 1, with a timed token (number 9) that everybody may use until 100 000.
pub(super) fn founded() -> ControlState {
    let mut state = ControlState::default();
    state.apply(ControlCommand::Found { cluster: cluster(4), founder: member(1) }).unwrap();
    state.apply(add_token(9, TokenUse::Timed, 100_000)).unwrap();
    state
}

/// The same with full members 1 to `members`.
pub(super) fn grown(members: u8) -> ControlState {
    let mut state = founded();
    for number in 2..=members {
        state.apply(join(member(number), 9, 2_000)).unwrap();
    }
    state
}
