//! The cluster as a port: what it looks like from here, and how an operator changes it.

use super::authority_sync;
use super::history;
use super::home::{ClusterHome, HomeError};
use super::keys_sync;
use super::machine::disk_used_percent;
use super::node_facts::KnownFacts;
use super::seal::{DataKey, random};
use super::token::{JoinSecret, JoinToken, MAX_ADDRESSES};
use super::tokens;
use super::views::Seen;
use crate::identity::PresentIdentity;
use async_trait::async_trait;
use octopussy_control::{
    AskedBy, ControlApplied, ControlCommand, ControlRefusal, ControlState, KeyTag, MAX_TOKEN_LIFETIME, MemberRecord,
    TokenMaker, kept_for,
};
use octopussy_core::ids::{Epoch, NodeId, ShardId};
use octopussy_core::key_set::key_tag;
use octopussy_core::ports::{
    Asker, ClusterPort, ClusterView, DigestsView, JoinTokenInfo, JoinTokenView, KeyKind, LedShardsPort, LedgerPort,
    MemberChangeView, MemberDesired, MemberRole, MemberView, MeshPort, NewJoinToken, Reach, ReachabilityPort,
    RecoveryView, RotationView, ShardView,
};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_mesh::Impostor;
use octopussy_placement::Group;
use octopussy_shard::{ControlError, RecoverError, ShardHost};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How many of a token's addresses are this node's own; the others are of members that answer, should this one be down.
const OWN_ADDRESSES: usize = 5;

/// What the port is made from.
pub(crate) struct ClusterParts {
    /// Under which authority machines are let in.
    pub(crate) identity: PresentIdentity,
    /// The groups.
    pub(crate) shards: Arc<ShardHost>,
    /// Who answers.
    pub(crate) reach: Arc<dyn ReachabilityPort>,
    /// Connections.
    pub(crate) mesh: Arc<dyn MeshPort>,
    /// Starts of other nodes that were refused here for their home.
    pub(crate) refused: Arc<dyn Fn() -> Vec<Impostor> + Send + Sync>,
    /// What nodes tell of themselves.
    pub(crate) facts: Arc<dyn KnownFacts>,
    /// The home, where the data key lies.
    pub(crate) home: ClusterHome,
    /// Where this node's mesh endpoint is reached.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where this node's data lies.
    pub(crate) data: PathBuf,
}

/// The cluster, from this node.
pub(crate) struct Cluster {
    me: NodeId,
    parts: ClusterParts,
    ledger: Arc<dyn LedgerPort>,
    led: Arc<dyn LedShardsPort>,
}

impl Cluster {
    /// The port over its parts.
    pub(crate) fn new(parts: ClusterParts) -> Self {
        let (ledger, led) = (parts.shards.ledger(), parts.shards.led());
        Self { me: parts.mesh.incarnation().node, parts, ledger, led }
    }

    /// Calls `look` with what this node sees now.
    fn with_seen<T>(&self, look: impl FnOnce(&Seen<'_>) -> T) -> T {
        let control: Arc<ControlState> = self.parts.shards.control();
        let groups = self.parts.shards.groups();
        let group = groups.iter().find(|group| group.group == Group::Control);
        let leader = |shard| self.ledger.leader(shard);
        look(&Seen {
            me: self.me,
            control: &control,
            reach: &*self.parts.reach,
            leader: &leader,
            control_voters: group
                .and_then(|group| group.membership.configs.last().cloned())
                .unwrap_or_else(BTreeSet::new),
            control_leader: group.and_then(|group| group.leader),
            peers: self.parts.mesh.peers(),
            lost_replicas: self.parts.shards.lost_replicas(),
            own_losses: self.parts.shards.own_losses(),
            facts: self.parts.facts.known(),
            clocks: self.parts.shards.clocks(),
            disk_used_percent: disk_used_percent(&self.parts.data),
            unended: self.parts.shards.unended(),
            refused: (self.parts.refused)().into_iter().map(|refused| (refused.at.elapsed(), refused)).collect(),
        })
    }

    async fn end_overlap(&self, asker: &Asker, kind: KeyKind) -> Result<ControlApplied, ControlError> {
        let command = ControlCommand::EndKeyOverlap { kind, now: self.parts.clock.now() };
        self.parts.shards.propose_control_for(asker.clone(), command).await
    }

    fn find(&self, node: &str) -> Result<(MemberRecord, Reach), Problem> {
        self.with_seen(|seen| {
            let member = seen.find(node).map_err(|error| {
                Problem::new(Code::UnknownNode, error).hint("`octopussy cluster members` lists them")
            })?;
            Ok((member.clone(), seen.reach_of(member.id)))
        })
    }

    async fn set_desired(
        &self,
        asker: &Asker,
        member: MemberRecord,
        desired: MemberDesired,
    ) -> Result<MemberView, Problem> {
        let command =
            ControlCommand::SetDesired { node: member.id, desired, now: self.parts.clock.now(), by: AskedBy::UNTOLD };
        let changed = match self.parts.shards.propose_control_for(asker.clone(), command).await? {
            ControlApplied::Member(changed) => *changed,
            ControlApplied::Done => MemberRecord { desired, ..member },
        };
        self.view_of(&changed)
    }

    /// The member as it is listed, with what has just been changed even while this node's copy does not show it yet.
    fn view_of(&self, member: &MemberRecord) -> Result<MemberView, Problem> {
        let id = member.id.to_string();
        let listed = self.members().into_iter().find(|view| view.id == id);
        listed
            .map(|view| MemberView { desired: member.desired, ..view })
            .ok_or_else(|| Problem::new(Code::UnknownNode, format!("{} has left the cluster meanwhile", member.name)))
    }

    /// Where a machine that joins may ask: here first, then members that answer.
    fn token_addresses(&self) -> Vec<SocketAddr> {
        self.with_seen(|seen| {
            let admits = |member: &&&MemberRecord| seen.reach_of(member.id) == Reach::Alive && member.id != self.me;
            let guest = seen.control.members.get(&self.me).is_some_and(|me| me.role == MemberRole::Guest);
            let own = self.parts.addresses.iter().copied().take(if guest { 0 } else { OWN_ADDRESSES });
            let members = seen.full_members();
            let others = members.iter().filter(admits).filter_map(|member| member.addresses.first().copied());
            let mut addresses: Vec<SocketAddr> = Vec::new();
            for address in own.chain(others) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            addresses.truncate(MAX_ADDRESSES);
            addresses
        })
    }
}

/// The command that offers a fresh key of this kind, and the key's tag.
fn new_key(kind: KeyKind, data_key: &DataKey, now: Timestamp) -> Result<(KeyTag, ControlCommand), Problem> {
    let failed = |error: &dyn std::fmt::Display| Problem::new(Code::Internal, error.to_string());
    match kind {
        KeyKind::Message | KeyKind::Token => {
            let key = random::<32>().map(Zeroizing::new).map_err(|error| failed(&error))?;
            let command = keys_sync::offer(kind, &key, data_key, now).map_err(|error| failed(&error))?;
            Ok((key_tag(&key), command))
        }
        KeyKind::Authority => authority_sync::offer_new(data_key, now).map_err(|error| failed(&error)),
    }
}

#[async_trait]
impl ClusterPort for Cluster {
    fn cluster(&self) -> ClusterView {
        self.with_seen(|seen| seen.cluster())
    }

    fn members(&self) -> Vec<MemberView> {
        self.with_seen(|seen| seen.members())
    }

    fn ring(&self) -> Vec<ShardView> {
        self.with_seen(|seen| seen.ring())
    }

    fn history(&self) -> Vec<MemberChangeView> {
        history::listed(&self.parts.shards.control())
    }

    async fn create_token(&self, wanted: NewJoinToken) -> Result<JoinTokenView, Problem> {
        let NewJoinToken { uses, role, valid_for, by } = wanted;
        if valid_for.is_zero() || valid_for > MAX_TOKEN_LIFETIME {
            return Err(Problem::new(Code::Unprocessable, "a join token is valid for a second to thirty days"));
        }
        let secret = random().map(JoinSecret).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        let now = self.parts.clock.now();
        let token = JoinToken {
            addresses: self.token_addresses(),
            fingerprint: self.parts.identity.fingerprint(),
            secret,
            expires_at: now.plus(valid_for),
        };
        if token.addresses.is_empty() {
            return Err(Problem::new(Code::NotReady, "no full member answers that could let a node in"));
        }
        let record = octopussy_control::JoinToken {
            digest: secret.digest(),
            uses,
            expires_at: token.expires_at,
            used_by: Vec::new(),
            role,
            made_by: TokenMaker { node: self.me, principal: by.name().unwrap_or_default().to_owned(), at: now },
        };
        let command = ControlCommand::AddToken { id: secret.id(), token: record, now };
        self.parts.shards.propose_control_for(by.clone(), command).await?;
        let valid_seconds = valid_for.as_secs();
        tracing::info!(token.id = secret.id(), ?role, ?uses, valid_seconds, ?by, "a join token was made");
        Ok(JoinTokenView { id: secret.id(), token: token.encode(), role, expires_at: token.expires_at, uses })
    }

    fn tokens(&self) -> Vec<JoinTokenInfo> {
        tokens::listed(&self.parts.shards.control())
    }

    async fn revoke_token(&self, asker: &Asker, id: &str) -> Result<(), Problem> {
        let unknown = || {
            Problem::new(Code::UnknownJoinToken, format!("there is no join token '{id}'"))
                .hint("`octopussy cluster token list` shows those there are")
        };
        let command = ControlCommand::RevokeToken { id: id.to_owned(), now: self.parts.clock.now() };
        match self.parts.shards.propose_control_for(asker.clone(), command).await {
            Ok(_) => {
                tracing::info!(token.id = id, "a join token was withdrawn");
                Ok(())
            }
            Err(ControlError::Refused(ControlRefusal::UnknownToken)) => Err(unknown()),
            Err(error) => Err(error.into()),
        }
    }

    async fn rotate_keys(&self, asker: &Asker, kinds: &[KeyKind], now: bool) -> Result<Vec<RotationView>, Problem> {
        let unusable = |error: HomeError| Problem::new(Code::StoreUnavailable, error.to_string());
        let data_key = self.parts.home.data_key(false).map_err(unusable)?;
        let mut begun = Vec::new();
        for kind in kinds {
            if now {
                // What is under way, or takes the room of a new one, does not hold this up.
                match self.end_overlap(asker, *kind).await {
                    Ok(_) | Err(ControlError::Refused(ControlRefusal::UnknownKey)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let (tag, command) = new_key(*kind, &data_key, self.parts.clock.now())?;
            self.parts.shards.propose_control_for(asker.clone(), command).await?;
            if now {
                self.end_overlap(asker, *kind).await?;
            }
            let overlap = if now { Duration::ZERO } else { kept_for(*kind) };
            tracing::info!(kind = kind.secret(), key = super::hex(&tag), now, "a key takes the place of another");
            begun.push(RotationView { kind: *kind, key: super::hex(&tag), overlap });
        }
        Ok(begun)
    }

    async fn drain(&self, asker: &Asker, node: &str, drain: bool) -> Result<MemberView, Problem> {
        let (member, _) = self.find(node)?;
        if drain && member.desired == MemberDesired::Leaving {
            return Err(Problem::new(Code::ClusterConflict, format!("{} is leaving already", member.name)));
        }
        let desired = if drain { MemberDesired::Draining } else { MemberDesired::Active };
        self.set_desired(asker, member, desired).await
    }

    async fn remove(&self, asker: &Asker, node: &str, force: bool) -> Result<MemberView, Problem> {
        let (member, reach) = self.find(node)?;
        match reach {
            Reach::Down | Reach::Unknown if !force => Err(Problem::new(
                Code::ClusterConflict,
                format!("{} does not answer: what it alone knows would be lost", member.name),
            )
            .hint("start it again, or repeat the command with --force when it will not come back")),
            Reach::Alive | Reach::Suspect | Reach::Down | Reach::Unknown => {
                self.set_desired(asker, member, MemberDesired::Leaving).await
            }
        }
    }

    async fn digests(&self) -> Result<DigestsView, Problem> {
        let control = self.parts.shards.control();
        let name = |node: NodeId| control.members.get(&node).map_or_else(|| node.to_string(), |m| m.name.clone());
        Ok(super::digests::view(self.parts.shards.digests().await, name))
    }

    async fn remove_stolen(&self, asker: &Asker, node: &str) -> Result<MemberView, Problem> {
        let (member, _) = self.find(node)?;
        let command = ControlCommand::Stolen { node: member.id, now: self.parts.clock.now(), by: AskedBy::UNTOLD };
        let changed = match self.parts.shards.propose_control_for(asker.clone(), command).await? {
            ControlApplied::Member(changed) => *changed,
            ControlApplied::Done => member,
        };
        tracing::warn!(node.id = %changed.id, node.name = changed.name, "a member was stolen: it is taken out");
        self.view_of(&changed)
    }

    async fn rebalance(&self) -> Result<usize, Problem> {
        Ok(self.parts.shards.rebalance())
    }

    async fn recover(&self, asker: &Asker) -> Result<RecoveryView, Problem> {
        // Before: those who are taken out are not found by name afterwards.
        let members = self.parts.shards.control();
        let recovered = self.parts.shards.recover(asker).await.map_err(|error| match error {
            RecoverError::Control(error) => error.into(),
            error @ RecoverError::NotMember => Problem::new(Code::ClusterConflict, error.to_string()),
            error @ RecoverError::Group { .. } => Problem::new(Code::Internal, error.to_string()),
        })?;
        let name = |node: &NodeId| members.members.get(node).map(|member| member.name.clone());
        let shard = |group: &Group| match group {
            Group::Shard(shard) => Some(*shard),
            Group::Control => None,
        };
        Ok(RecoveryView {
            control: recovered.groups.contains(&Group::Control),
            shards: recovered.groups.iter().filter_map(shard).collect(),
            lost: recovered.lost.iter().filter_map(name).collect(),
        })
    }

    fn epoch_here(&self, shard: ShardId) -> Option<Epoch> {
        self.led.epoch(shard)
    }
}
