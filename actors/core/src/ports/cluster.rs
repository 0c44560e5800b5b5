//! The cluster, as an operator sees and changes it.

use super::{Asker, PrincipalRole};
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
    /// How many groups it leads in which nothing is committed although entries wait.
    pub stuck_groups: u16,
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

/// What one replica of a group has applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaDigestView {
    /// The name of its node.
    pub node: String,
    /// The term of the last entry that it has applied.
    pub term: u64,
    /// The index of that entry.
    pub applied: u64,
    /// SHA-256 of all that it has made of the entries up to there, in hexadecimal.
    pub digest: String,
}

/// What the replicas of one group have applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDigestsView {
    /// Its shard; none for the control group.
    pub shard: Option<u16>,
    /// Its replicas, by the names of their nodes.
    pub replicas: Vec<ReplicaDigestView>,
    /// Whether replicas that have applied the same entries are in the same state. Not known while they have applied different ones.
    pub agree: Option<bool>,
}

/// What the replicas of all groups have applied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DigestsView {
    /// The groups, the control group first.
    pub groups: Vec<GroupDigestsView>,
    /// The nodes that did not answer, and why.
    pub silent: Vec<String>,
}

/// Something that became of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberChangeView {
    /// When.
    pub at: Timestamp,
    /// The member's id.
    pub node: String,
    /// Its name then.
    pub name: String,
    /// What: `joined as guest`, `leaving`, `removed` and the like.
    pub event: String,
    /// Who asked for it; `None` for what nodes do by themselves, and for what is too long ago.
    pub by: Option<String>,
    /// The role of whoever asked.
    pub by_role: Option<PrincipalRole>,
    /// The name of the member where it was asked for.
    pub at_node: Option<String>,
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

/// What a shared key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyKind {
    /// It signs messages.
    Message,
    /// It signs tokens.
    Token,
    /// It is the cluster's authority: it signs the certificates of nodes.
    Authority,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Message, Self::Token, Self::Authority];

    /// The kinds whose keys each full member's secret store holds.
    pub const STORED: [Self; 2] = [Self::Message, Self::Token];

    /// The name under which keys of this kind are sealed, and under which secret stores hold those of [`Self::STORED`].
    #[must_use]
    pub const fn secret(self) -> &'static str {
        match self {
            Self::Message => "message.signing_key",
            Self::Token => "jwt.signing_key",
            Self::Authority => "cluster.authority",
        }
    }

    /// The kind whose keys are in the secret of this name.
    #[must_use]
    pub fn of_secret(name: &str) -> Option<Self> {
        Self::STORED.into_iter().find(|kind| kind.secret() == name)
    }
}

/// A key that has begun to take the place of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationView {
    /// Of which kind.
    pub kind: KeyKind,
    /// The name of the new key, which tells nothing of it.
    pub key: String,
    /// For how long what the key before has signed is still good.
    pub overlap: Duration,
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

/// Which join token is wanted, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJoinToken {
    /// How often it may be used.
    pub uses: TokenUse,
    /// What a node becomes that joins with it.
    pub role: MemberRole,
    /// For how long it is accepted.
    pub valid_for: Duration,
    /// Who asks for it.
    pub by: Asker,
}

/// A join token as it is listed: without the secret, which is shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinTokenInfo {
    /// Its id, by which it is withdrawn.
    pub id: String,
    /// What a node becomes that joins with it.
    pub role: MemberRole,
    /// How often it may be used.
    pub uses: TokenUse,
    /// The names of the members that have used it.
    pub used_by: Vec<String>,
    /// When it stops being accepted.
    pub expires_at: Timestamp,
    /// When it was made.
    pub made_at: Timestamp,
    /// Who asked for it.
    pub made_by: String,
    /// The name of the member where it was made: it ends when that member leaves.
    pub made_at_node: String,
}

/// A join token that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinTokenView {
    /// Its id, by which it is withdrawn.
    pub id: String,
    /// The string to give to `octopussy start --join`. It is a secret.
    pub token: String,
    /// What a node becomes that joins with it.
    pub role: MemberRole,
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

/// What the cluster looks like from here, and how an operator changes it. `asker` is who wants it changed: the leader of the control group looks
/// whether they may, whichever node asks it.
#[async_trait]
pub trait ClusterPort: Send + Sync {
    /// The cluster as a whole.
    fn cluster(&self) -> ClusterView;
    /// Its members, by name.
    fn members(&self) -> Vec<MemberView>;
    /// Its shards, by number.
    fn ring(&self) -> Vec<ShardView>;
    /// What became of members lately, the newest first, and who asked for it.
    fn history(&self) -> Vec<MemberChangeView>;
    /// Makes a join token.
    async fn create_token(&self, wanted: NewJoinToken) -> Result<JoinTokenView, Problem>;
    /// The join tokens that may still be used or have expired less than a day ago, the newest first.
    fn tokens(&self) -> Vec<JoinTokenInfo>;
    /// Withdraws the join token with this id. Whoever has joined with it stays.
    async fn revoke_token(&self, asker: &Asker, id: &str) -> Result<(), Problem>;
    /// Begins to replace the keys of these kinds by new ones. Each signs once every member has it, and the one before verifies for a while;
    /// with `now`, it signs at once and nothing that was signed before is good any more.
    async fn rotate_keys(&self, asker: &Asker, kinds: &[KeyKind], now: bool) -> Result<Vec<RotationView>, Problem>;
    /// Moves everything off `node` (an id, a unique beginning of one, or a name), or lets it take part again.
    async fn drain(&self, asker: &Asker, node: &str, drain: bool) -> Result<MemberView, Problem>;
    /// Removes `node` once everything is moved off it. A node that is down is removed at once when `force` is set.
    async fn remove(&self, asker: &Asker, node: &str, force: bool) -> Result<MemberView, Problem>;
    /// Removes `node`, which somebody else has in hand: every join token is withdrawn at once, and the shared keys are replaced as soon as it
    /// is out.
    async fn remove_stolen(&self, asker: &Asker, node: &str) -> Result<MemberView, Problem>;
    /// Answers how many shards are moving or have yet to, as the answering node sees it. The cluster moves them by itself, a
    /// few at a time; what this node leads is looked at at once.
    async fn rebalance(&self) -> Result<usize, Problem>;
    /// Makes this node the only voter of every group whose quorum is lost for good. What only the lost nodes knew is lost, and
    /// they are taken out of the cluster.
    async fn recover(&self, asker: &Asker) -> Result<RecoveryView, Problem>;
    /// Compares what the replicas of all groups have applied. Each node reads all that it has stored.
    async fn digests(&self) -> Result<DigestsView, Problem>;
    /// The epoch under which the shard is led here, for display.
    fn epoch_here(&self, shard: ShardId) -> Option<Epoch>;
}

impl Port for dyn ClusterPort {
    const ID: PortId = PortId::Cluster;
}
