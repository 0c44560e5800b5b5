//! The cluster, as an operator sees and changes it.

use crate::contract::{Port, PortId};
use crate::ids::{Epoch, NodeId, ShardId};
use crate::problem::Problem;
use crate::time::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whether a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// It answers.
    Alive,
    /// It has not answered lately.
    Suspect,
    /// It has not answered for so long that others take over.
    Down,
    /// Nothing is known of it yet.
    Unknown,
}

/// What a node is in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// It holds replicas and may vote.
    Full,
    /// It offers models and sandboxes, and never holds a replica or a vote.
    Guest,
}

/// What is wanted of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberDesired {
    /// It takes part.
    Active,
    /// Everything is to be moved off it; it stays connected.
    Draining,
    /// It is to be removed once nothing is on it.
    Leaving,
}

/// What a node tells of itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeFactsView {
    /// The release it runs.
    pub version: String,
    /// Its profile.
    pub profile: String,
    /// How many processors it has.
    pub cpus: u16,
    /// Its memory, in MiB.
    pub memory_mib: u64,
    /// The one-minute load, divided by the number of processors.
    pub load: f32,
    /// How many agents are active on it.
    pub active_agents: u64,
    /// Its graphics processors, by name.
    pub gpus: Vec<String>,
    /// Model servers it can reach locally, as `provider/model`.
    pub models: Vec<String>,
    /// Where its gateway listens for clients, as `https://host:port`.
    pub api: String,
}

/// What a recovery has done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecoveryView {
    /// The shards that go on with what the answering node has.
    pub shards: Vec<ShardId>,
    /// Whether the control group does.
    pub control: bool,
    /// The names of the members that did not answer and held copies of these groups: they are taken out of the cluster, since
    /// what they have and what goes on may contradict each other.
    pub lost: Vec<String>,
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether this is the node that answers.
    pub this: bool,
    /// What it is.
    pub role: MemberRole,
    /// What is wanted of it.
    pub desired: MemberDesired,
    /// Whether it answers.
    pub reach: Reach,
    /// The round-trip time from the node that answers, in milliseconds; absent without a connection.
    pub latency_ms: Option<f64>,
    /// Where it is reached on the mesh.
    pub addresses: Vec<String>,
    /// Its weight in placement.
    pub capacity: u32,
    /// Its zone; replicas of a shard are kept in different ones where possible.
    pub zone: Option<String>,
    /// Whether it votes in the control group.
    pub votes: bool,
    /// How many shards it leads.
    pub leads: u32,
    /// How many replicas it holds.
    pub replicas: u32,
    /// When it joined.
    pub joined_at: Timestamp,
    /// What it tells of itself; absent while nothing has been heard.
    pub facts: Option<NodeFactsView>,
}

/// Where a shard is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardView {
    /// Its number.
    pub shard: u16,
    /// Who leads it, as far as the answering node knows.
    pub leader: Option<String>,
    /// Its voters, the preferred leader first.
    pub voters: Vec<String>,
    /// Its learners.
    pub learners: Vec<String>,
    /// Who will hold it once a move under way is done; empty when none is.
    pub moving_to: Vec<String>,
}

/// The cluster as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    /// Its id.
    pub id: String,
    /// The node that answers.
    pub node: String,
    /// How many shards.
    pub shards: u16,
    /// How many of them have a leader, as far as the answering node knows.
    pub led: u16,
    /// How many members.
    pub members: usize,
    /// The version of the replica table.
    pub table_version: u64,
    /// How many moves are under way.
    pub moves: usize,
    /// What an operator should know, in sentences: too few voters, members that are down, a partition.
    pub warnings: Vec<String>,
}

/// How often a join token may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenUse {
    /// Once.
    Single,
    /// Until it expires.
    Timed,
}

/// A join token that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinTokenView {
    /// The string to give to `octopussy start --join`. It is a secret.
    pub token: String,
    /// When it stops being accepted.
    pub expires_at: Timestamp,
    /// How often it may be used.
    pub uses: TokenUse,
}

/// Whether nodes answer, as the membership protocol sees it from here.
pub trait ReachabilityPort: Send + Sync {
    /// Whether `node` answers. This node is always alive.
    fn reach(&self, node: NodeId) -> Reach;
    /// For how long `node` has been down without interruption; `None` while it is not down.
    fn down_for(&self, node: NodeId) -> Option<Duration>;
}

/// What the cluster looks like from here, and how an operator changes it.
#[async_trait]
pub trait ClusterPort: Send + Sync {
    /// The cluster as a whole.
    fn cluster(&self) -> ClusterView;
    /// Its members, by name.
    fn members(&self) -> Vec<MemberView>;
    /// Its shards, by number.
    fn ring(&self) -> Vec<ShardView>;
    /// Makes a join token.
    async fn create_token(&self, uses: TokenUse, valid_for: Duration) -> Result<JoinTokenView, Problem>;
    /// Moves everything off `node` (an id, a unique beginning of one, or a name), or lets it take part again.
    async fn drain(&self, node: &str, drain: bool) -> Result<MemberView, Problem>;
    /// Removes `node` once everything is moved off it. A node that is down is removed at once when `force` is set.
    async fn remove(&self, node: &str, force: bool) -> Result<MemberView, Problem>;
    /// Answers how many shards are moving or have yet to, as the answering node sees it. The cluster moves them by itself, a
    /// few at a time; what this node leads is looked at at once.
    async fn rebalance(&self) -> Result<usize, Problem>;
    /// Makes this node the only voter of every group whose quorum is lost for good. What only the lost nodes knew is lost, and
    /// they are taken out of the cluster.
    async fn recover(&self) -> Result<RecoveryView, Problem>;
    /// The epoch under which the shard is led here, for display.
    fn epoch_here(&self, shard: ShardId) -> Option<Epoch>;
}

impl Port for dyn ClusterPort {
    const ID: PortId = PortId::Cluster;
}
