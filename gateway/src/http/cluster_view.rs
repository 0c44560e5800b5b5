//! How the cluster looks in JSON.

use super::view::At;
use octopussy_core::ports::{
    ClusterView, DigestsView, GroupDigestsView, JoinTokenInfo, JoinTokenView, MemberDesired, MemberRole, MemberView,
    NodeFactsView, Reach, ReplicaDigestView, RotationView, ShardView, TokenUse,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The cluster as a whole.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cluster)]
pub(crate) struct ClusterBody {
    id: String,
    /// The node that answers.
    node: String,
    shards: u16,
    /// How many shards have a leader, as far as the answering node knows.
    led: u16,
    members: usize,
    /// The version of the replica table.
    table_version: u64,
    /// How many moves of replicas are under way.
    moves: usize,
    /// What an operator should know, in sentences.
    warnings: Vec<String>,
}

impl From<ClusterView> for ClusterBody {
    fn from(view: ClusterView) -> Self {
        let ClusterView { id, node, shards, led, members, table_version, moves, warnings } = view;
        Self { id, node, shards, led, members, table_version, moves, warnings }
    }
}

/// What a node tells of itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodeFacts)]
pub(crate) struct FactsBody {
    version: String,
    profile: String,
    cpus: u16,
    memory_mib: u64,
    /// The one-minute load, divided by the number of processors.
    load: f32,
    active_agents: u64,
    gpus: Vec<String>,
    /// Model servers it reaches locally, as `provider/model`.
    models: Vec<String>,
    /// Where its gateway listens for clients, as `https://host:port`.
    api: String,
}

impl From<NodeFactsView> for FactsBody {
    fn from(facts: NodeFactsView) -> Self {
        // Groups that are stuck are told of in the cluster's warnings.
        let NodeFactsView {
            version,
            profile,
            cpus,
            memory_mib,
            load,
            active_agents,
            gpus,
            models,
            api,
            stuck_groups: _,
        } = facts;
        Self { version, profile, cpus, memory_mib, load, active_agents, gpus, models, api }
    }
}

/// A member of the cluster.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberBody {
    id: String,
    name: String,
    /// Whether this is the node that answers.
    this: bool,
    /// `full`, or `guest`: it offers models and never holds a replica or a vote.
    role: &'static str,
    /// What is wanted of it: `active`, `draining`, `leaving`.
    desired: &'static str,
    /// Whether it answers: `alive`, `suspect`, `down`, `unknown`.
    reach: &'static str,
    /// The round-trip time from the node that answers, in milliseconds; null without a connection.
    #[schema(required = true)]
    latency_ms: Option<f64>,
    /// Where it is reached on the mesh.
    addresses: Vec<String>,
    /// Its weight in placement.
    capacity: u32,
    /// Replicas of a shard are kept in different zones where possible.
    #[schema(required = true)]
    zone: Option<String>,
    /// Whether it votes in the control group.
    votes: bool,
    /// How many shards it leads.
    leads: u32,
    /// How many replicas it holds.
    replicas: u32,
    #[schema(value_type = String)]
    joined_at: At,
    /// What it tells of itself; null while nothing has been heard.
    #[schema(required = true)]
    facts: Option<FactsBody>,
}

impl From<MemberView> for MemberBody {
    fn from(member: MemberView) -> Self {
        Self {
            id: member.id,
            name: member.name,
            this: member.this,
            role: role(member.role),
            desired: desired(member.desired),
            reach: reach(member.reach),
            latency_ms: member.latency_ms,
            addresses: member.addresses,
            capacity: member.capacity,
            zone: member.zone,
            votes: member.votes,
            leads: member.leads,
            replicas: member.replicas,
            joined_at: At(member.joined_at),
            facts: member.facts.map(FactsBody::from),
        }
    }
}

const fn role(role: MemberRole) -> &'static str {
    match role {
        MemberRole::Full => "full",
        MemberRole::Guest => "guest",
    }
}

const fn desired(desired: MemberDesired) -> &'static str {
    match desired {
        MemberDesired::Active => "active",
        MemberDesired::Draining => "draining",
        MemberDesired::Leaving => "leaving",
    }
}

const fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Alive => "alive",
        Reach::Suspect => "suspect",
        Reach::Down => "down",
        Reach::Unknown => "unknown",
    }
}

/// Where a shard is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shard)]
pub(crate) struct ShardBody {
    shard: u16,
    /// Who leads it, as far as the answering node knows.
    #[schema(required = true)]
    leader: Option<String>,
    /// Its voters, the preferred leader first.
    voters: Vec<String>,
    learners: Vec<String>,
    /// Who will hold it once a move under way is done; empty when none is.
    moving_to: Vec<String>,
}

impl From<ShardView> for ShardBody {
    fn from(view: ShardView) -> Self {
        let ShardView { shard, leader, voters, learners, moving_to } = view;
        Self { shard, leader, voters, learners, moving_to }
    }
}

/// What one replica of a group has applied.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplicaDigest)]
pub(crate) struct ReplicaDigestBody {
    node: String,
    /// The term of the last entry that it has applied.
    term: u64,
    /// The index of that entry.
    applied: u64,
    /// SHA-256 of all that it has made of the entries up to there.
    digest: String,
}

/// What the replicas of one group have applied.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupDigests)]
pub(crate) struct GroupDigestsBody {
    /// Absent for the control group.
    #[schema(required = true)]
    shard: Option<u16>,
    replicas: Vec<ReplicaDigestBody>,
    /// Whether replicas that have applied the same entries are in the same state; not known while they have applied different ones.
    #[schema(required = true)]
    agree: Option<bool>,
}

/// What the replicas of all groups have applied.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Digests)]
pub(crate) struct DigestsBody {
    groups: Vec<GroupDigestsBody>,
    /// The nodes that did not answer, and why.
    silent: Vec<String>,
}

impl From<DigestsView> for DigestsBody {
    fn from(view: DigestsView) -> Self {
        let replica = |view: ReplicaDigestView| {
            let ReplicaDigestView { node, term, applied, digest } = view;
            ReplicaDigestBody { node, term, applied, digest }
        };
        let group = |view: GroupDigestsView| {
            let GroupDigestsView { shard, replicas, agree } = view;
            GroupDigestsBody { shard, replicas: replicas.into_iter().map(replica).collect(), agree }
        };
        Self { groups: view.groups.into_iter().map(group).collect(), silent: view.silent }
    }
}

/// How often a join token may be used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TokenUse)]
pub(crate) enum TokenUseName {
    /// Once.
    Single,
    /// Until it expires.
    Timed,
}

impl From<TokenUseName> for TokenUse {
    fn from(name: TokenUseName) -> Self {
        match name {
            TokenUseName::Single => Self::Single,
            TokenUseName::Timed => Self::Timed,
        }
    }
}

impl From<TokenUse> for TokenUseName {
    fn from(uses: TokenUse) -> Self {
        match uses {
            TokenUse::Single => Self::Single,
            TokenUse::Timed => Self::Timed,
        }
    }
}

/// What a node becomes in the cluster.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MemberRole)]
pub(crate) enum MemberRoleName {
    /// A full member: it holds replicas, has the cluster's keys and lets others in.
    Full,
    /// A guest: it offers models, and gets no data, no vote and no secrets.
    Guest,
}

impl From<MemberRoleName> for MemberRole {
    fn from(name: MemberRoleName) -> Self {
        match name {
            MemberRoleName::Full => Self::Full,
            MemberRoleName::Guest => Self::Guest,
        }
    }
}

impl From<MemberRole> for MemberRoleName {
    fn from(role: MemberRole) -> Self {
        match role {
            MemberRole::Full => Self::Full,
            MemberRole::Guest => Self::Guest,
        }
    }
}

/// A join token as it is listed; its secret is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JoinTokenInfo)]
pub(crate) struct JoinTokenInfoBody {
    /// By which it is withdrawn.
    id: String,
    role: MemberRoleName,
    uses: TokenUseName,
    /// The names of the members that have used it.
    used_by: Vec<String>,
    #[schema(value_type = String)]
    expires_at: At,
    #[schema(value_type = String)]
    made_at: At,
    /// Who asked for it.
    made_by: String,
    /// The member where it was made: it ends when that member leaves.
    made_at_node: String,
}

impl From<JoinTokenInfo> for JoinTokenInfoBody {
    fn from(info: JoinTokenInfo) -> Self {
        let JoinTokenInfo { id, role, uses, used_by, expires_at, made_at, made_by, made_at_node } = info;
        Self {
            id,
            role: role.into(),
            uses: uses.into(),
            used_by,
            expires_at: At(expires_at),
            made_at: At(made_at),
            made_by,
            made_at_node,
        }
    }
}

/// A key that has begun to take the place of another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyRotation)]
pub(crate) struct KeyRotationBody {
    /// The secret whose key it is.
    name: &'static str,
    /// The name of the new key, which tells nothing of it.
    key: String,
    /// For how long what the key before has signed is still good, in seconds.
    overlap_seconds: u64,
}

impl From<RotationView> for KeyRotationBody {
    fn from(view: RotationView) -> Self {
        let RotationView { kind, key, overlap } = view;
        Self { name: kind.secret(), key, overlap_seconds: overlap.as_secs() }
    }
}

/// A join token. It is a secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JoinToken)]
pub(crate) struct JoinTokenBody {
    /// By which it is withdrawn.
    id: String,
    /// What a node becomes that joins with it.
    role: MemberRoleName,
    /// What to give to `octopussy start --join`.
    token: String,
    #[schema(value_type = String)]
    expires_at: At,
    uses: TokenUseName,
}

impl From<JoinTokenView> for JoinTokenBody {
    fn from(view: JoinTokenView) -> Self {
        let JoinTokenView { id, token, role, expires_at, uses } = view;
        Self { id, role: role.into(), token, expires_at: At(expires_at), uses: uses.into() }
    }
}
