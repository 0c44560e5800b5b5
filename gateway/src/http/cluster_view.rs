//! How the cluster looks in JSON.

use super::view::At;
use octopussy_core::ports::{
    ClusterView, JoinTokenView, MemberDesired, MemberRole, MemberView, NodeFactsView, Reach, ShardView, TokenUse,
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
        let NodeFactsView { version, profile, cpus, memory_mib, load, active_agents, gpus, models, api } = facts;
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

/// A join token. It is a secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JoinToken)]
pub(crate) struct JoinTokenBody {
    /// What to give to `octopussy start --join`.
    token: String,
    #[schema(value_type = String)]
    expires_at: At,
    uses: TokenUseName,
}

impl From<JoinTokenView> for JoinTokenBody {
    fn from(view: JoinTokenView) -> Self {
        let JoinTokenView { token, expires_at, uses } = view;
        Self { token, expires_at: At(expires_at), uses: uses.into() }
    }
}
