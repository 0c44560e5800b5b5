//! Small clusters for the tests.

use crate::{Action, Group, GroupView, Limits, MembershipView, Situation, decide};
use octopussy_control::{
    ClusterRecord, ControlCommand, ControlState, JoinToken, MAX_TOKEN_LIFETIME, MemberRecord, MembershipStamp,
    ReplicaSet, TokenMaker, VersionRange,
};
use octopussy_core::ids::{NodeId, ShardCount, ShardId};
use octopussy_core::ports::{MemberDesired, MemberRole, Reach, ReachabilityPort, TokenUse};
use octopussy_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The secret of the join token for nodes of this role.
const fn secret(role: MemberRole) -> &'static [u8] {
    match role {
        MemberRole::Full => b"for members",
        MemberRole::Guest => b"for guests",
    }
}

pub(crate) fn node(number: u8) -> NodeId {
    NodeId([number; 16])
}

pub(crate) fn nodes(numbers: &[u8]) -> BTreeSet<NodeId> {
    numbers.iter().copied().map(node).collect()
}

pub(crate) fn set(voters: &[u8], learners: &[u8]) -> ReplicaSet {
    ReplicaSet {
        voters: voters.iter().copied().map(node).collect(),
        learners: learners.iter().copied().map(node).collect(),
    }
}

pub(crate) fn member(number: u8) -> MemberRecord {
    MemberRecord {
        id: node(number),
        name: format!("node-{number}"),
        addresses: Vec::new(),
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: 1,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: Timestamp::EPOCH,
    }
}

pub(crate) fn founded(shards: u16, founder: MemberRecord) -> ControlState {
    let mut state = ControlState::default();
    let cluster = ClusterRecord {
        id: "00".to_owned(),
        shards: ShardCount::new(shards).unwrap(),
        replication: 3,
        founded_at: Timestamp::EPOCH,
    };
    state.apply(ControlCommand::Found { cluster, founder }).unwrap();
    for role in [MemberRole::Full, MemberRole::Guest] {
        state.apply(invitation(&state, role, Timestamp::EPOCH).unwrap()).unwrap();
    }
    state
}

/// The command that makes a join token for nodes of this role, unless there is one: those of members that have left are
/// withdrawn.
pub(crate) fn invitation(state: &ControlState, role: MemberRole, now: Timestamp) -> Option<ControlCommand> {
    let digest = JoinToken::digest_of(secret(role));
    let id = JoinToken::id_of(&digest);
    let maker = state.members.values().find(|member| member.holds_replicas())?;
    let made_by = TokenMaker { node: maker.id, principal: "admin".to_owned(), at: now };
    let expires_at = state.now.max(now).plus(MAX_TOKEN_LIFETIME);
    let token = JoinToken { digest, uses: TokenUse::Timed, expires_at, used_by: Vec::new(), role, made_by };
    (!state.tokens.contains_key(&id)).then_some(ControlCommand::AddToken { id, token, now })
}

pub(crate) fn join(member: MemberRecord, now: Timestamp) -> ControlCommand {
    let token = JoinToken::digest_of(secret(member.role));
    ControlCommand::Join { member: Box::new(member), token, now }
}

pub(crate) fn desire(number: u8, desired: MemberDesired) -> ControlCommand {
    ControlCommand::SetDesired {
        node: node(number),
        desired,
        now: Timestamp::EPOCH,
        by: octopussy_control::AskedBy::UNTOLD,
    }
}

/// Members 1 to `members`, and the table as it is once every shard is settled on `places`.
pub(crate) fn cluster(members: u8, places: &[ReplicaSet]) -> ControlState {
    let mut state = founded(u16::try_from(places.len()).unwrap(), member(1));
    for number in 2..=members {
        state.apply(join(member(number), Timestamp::EPOCH)).unwrap();
    }
    for (shard, place) in (0..).map(ShardId).zip(places) {
        if state.place(shard).unwrap().current != *place {
            let table_version = state.table_version;
            state.apply(ControlCommand::Plan { table_version, moves: vec![(shard, place.clone())] }).unwrap();
            let settle = settled(&state, shard, place.clone());
            state.apply(settle).unwrap();
        }
    }
    state
}

/// The report of a shard's leader that sees the table as it is.
pub(crate) fn settled(state: &ControlState, shard: ShardId, place: ReplicaSet) -> ControlCommand {
    let planned = state.place(shard).unwrap().planned;
    ControlCommand::Settle { shard, place, at: MembershipStamp::default(), planned }
}

/// Who answers: everybody, except those who are listed.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen(pub(crate) BTreeMap<NodeId, (Reach, Option<Duration>)>);

impl Seen {
    pub(crate) fn down(mut self, number: u8, seconds: u64) -> Self {
        self.0.insert(node(number), (Reach::Down, Some(Duration::from_secs(seconds))));
        self
    }
}

impl ReachabilityPort for Seen {
    fn reach(&self, node: NodeId) -> Reach {
        self.0.get(&node).map_or(Reach::Alive, |seen| seen.0)
    }

    fn down_for(&self, node: NodeId) -> Option<Duration> {
        self.0.get(&node).and_then(|seen| seen.1)
    }
}

/// The shard that most tests are about.
pub(crate) const SHARD: Group = Group::Shard(ShardId(0));

/// The node that decides.
pub(crate) const ME: u8 = 1;

/// A group that node 1 has led for a minute, with everybody caught up.
pub(crate) fn led(group: Group, voters: &[u8], learners: &[u8]) -> GroupView {
    let at = MembershipStamp::default();
    let membership = MembershipView { configs: vec![nodes(voters)], learners: nodes(learners), at, committed: true };
    GroupView {
        group,
        leader: Some(node(ME)),
        membership,
        last_index: 10_000,
        matched: voters.iter().chain(learners).map(|number| (node(*number), 10_000)).collect(),
        lost: BTreeSet::new(),
        rested: Some(Duration::from_secs(60)),
        busy: false,
    }
}

pub(crate) fn decided(control: &ControlState, view: &GroupView, seen: &Seen) -> Vec<Action> {
    decided_at(control, view, seen, 1_000)
}

pub(crate) fn decided_at(control: &ControlState, view: &GroupView, seen: &Seen, now: u64) -> Vec<Action> {
    let groups = std::slice::from_ref(view);
    let now = Timestamp::from_millis(now);
    decide(&Situation { control, me: node(ME), groups, reach: seen, limits: Limits::default(), now })
}

pub(crate) fn moves(actions: &[Action]) -> Vec<(ShardId, ReplicaSet)> {
    match actions {
        [Action::Propose(ControlCommand::Plan { moves, .. })] => moves.clone(),
        other => panic!("no plan, but {other:?}"),
    }
}

pub(crate) fn target(control: &mut ControlState, place: ReplicaSet) {
    let table_version = control.table_version;
    control.apply(ControlCommand::Plan { table_version, moves: vec![(ShardId(0), place)] }).unwrap();
}

pub(crate) fn set_members(group: Group, voters: &[u8], learners: &[u8]) -> Vec<Action> {
    vec![Action::SetMembers { group, voters: nodes(voters), learners: nodes(learners) }]
}
