//! What a command does to the state.

use crate::{
    AskedBy, ClusterRecord, ControlApplied, ControlCommand, ControlRefusal, ControlState, MemberEvent, MemberRecord,
    ShardPlace,
};
use octopussy_core::ids::{NodeId, ShardCount, ShardId};
use octopussy_core::ports::{MemberDesired, MemberRole};
use octopussy_core::time::Timestamp;

impl ControlState {
    /// Applies one command of the log. Deterministic: the same commands in the same order make the same state everywhere.
    ///
    /// Every command that is applied makes `version` grow by one. The time is the group's leader's, and stands still while that
    /// is a little behind ([`Timestamp::then`]). Each command's rules are written at its variant.
    ///
    /// # Errors
    /// The refusal; the state is then exactly as it was, `version` and `now` included.
    pub fn apply(&mut self, command: ControlCommand) -> Result<ControlApplied, ControlRefusal> {
        if self.cluster.is_none() && !matches!(command, ControlCommand::Found { .. }) {
            return Err(ControlRefusal::NotFounded);
        }
        let applied = match command {
            ControlCommand::Found { cluster, founder } => self.found(cluster, founder),
            ControlCommand::AddToken { id, token, now } => self.add_token(id, token, now),
            ControlCommand::RevokeToken { id, now } => self.revoke_token(&id, now),
            ControlCommand::Join { member, token, now } => self.join(*member, &token, now),
            ControlCommand::Report { node, addresses, capacity, zone, versions, now } => {
                self.report(node, addresses, capacity, zone, versions, now)
            }
            ControlCommand::SetDesired { node, desired, now, by } => self.desire(node, desired, now, by),
            ControlCommand::Remove { node, now } => self.remove(node, now),
            ControlCommand::Plan { table_version, moves } => self.plan(table_version, moves),
            ControlCommand::Settle { shard, place, at, planned } => self.settle(shard, place, at, planned),
            ControlCommand::PutSecret { name, secret } => self.put_secret(name, secret),
            ControlCommand::RemoveSecret { name, now } => self.remove_secret(&name, now),
            ControlCommand::Recover { node, shards, now, by } => self.recover_by(node, &shards, now, by),
            ControlCommand::Tick { now } => self.tick(now),
            ControlCommand::Start { node, lineage, now } => self.start(node, &lineage, now),
            ControlCommand::OfferKey { kind, tag, sealed, public, now } => {
                self.offer_key(kind, tag, sealed, public, now)
            }
            ControlCommand::KnowKey { kind, tag, node, now } => self.know_key(kind, tag, node, now),
            ControlCommand::ActivateKey { kind, tag, now } => self.activate_key(kind, tag, now),
            ControlCommand::EndKeyOverlap { kind, now } => self.end_key_overlap(kind, now),
            ControlCommand::Stolen { node, now, by } => self.stolen_by(node, now, by),
            ControlCommand::AddApiToken { id, token, now } => self.add_api_token(id, token, now),
            ControlCommand::RevokeApiToken { id, by, now } => self.revoke_api_token(&id, by, now),
        }?;
        self.version += 1;
        Ok(applied)
    }

    fn found(&mut self, cluster: ClusterRecord, mut founder: MemberRecord) -> Result<ControlApplied, ControlRefusal> {
        if self.cluster.is_some() {
            return Err(ControlRefusal::Founded);
        }
        if cluster.shards.get() > ShardCount::MAX || cluster.replication == 0 {
            return Err(ControlRefusal::BadCluster("it needs 1 to 1024 shards and at least one replica".to_owned()));
        }
        if founder.role == MemberRole::Guest {
            return Err(ControlRefusal::BadMember("a guest cannot found a cluster".to_owned()));
        }
        founder.tidy()?;
        founder.desired = MemberDesired::Active;
        founder.joined_at = cluster.founded_at;
        self.table = vec![ShardPlace::alone(founder.id); usize::from(cluster.shards.get())];
        self.table_changed();
        self.pass(cluster.founded_at);
        self.cluster = Some(cluster);
        self.members.insert(founder.id, founder.clone());
        self.note_change(founder.id, founder.name.clone(), MemberEvent::Joined(founder.role), None);
        Ok(ControlApplied::Member(Box::new(founder)))
    }

    fn desire(
        &mut self,
        node: NodeId,
        desired: MemberDesired,
        now: Timestamp,
        by: AskedBy,
    ) -> Result<ControlApplied, ControlRefusal> {
        let before = self.members.get(&node).map(|member| member.desired);
        let applied = self.set_desired(node, desired, now)?;
        // Saying the same again is no change.
        if before != Some(desired) {
            self.note_change(node, self.name_of(node), MemberEvent::Desired(desired), Some(by));
        }
        Ok(applied)
    }

    fn stolen_by(&mut self, node: NodeId, now: Timestamp, by: AskedBy) -> Result<ControlApplied, ControlRefusal> {
        let applied = self.stolen(node, now)?;
        self.revoke_own_tokens_of(node);
        self.note_change(node, self.name_of(node), MemberEvent::Stolen, Some(by));
        Ok(applied)
    }

    fn recover_by(
        &mut self,
        node: NodeId,
        shards: &[ShardId],
        now: Timestamp,
        by: AskedBy,
    ) -> Result<ControlApplied, ControlRefusal> {
        let applied = self.recover(node, shards, now)?;
        self.note_change(node, self.name_of(node), MemberEvent::Recovered, Some(by));
        Ok(applied)
    }

    fn name_of(&self, node: NodeId) -> String {
        self.members.get(&node).map(|member| member.name.clone()).unwrap_or_default()
    }

    fn tick(&mut self, now: Timestamp) -> Result<ControlApplied, ControlRefusal> {
        self.pass(now);
        self.forget_tokens();
        self.forget_keys();
        self.forget_api_tokens();
        Ok(ControlApplied::Done)
    }

    /// The moment at which a command is judged of which the leader says that it is `now`.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        self.now.then(now)
    }

    /// Remembers that `now` has come.
    pub(crate) fn pass(&mut self, now: Timestamp) {
        self.now = self.at(now);
    }

    /// Notes that the command that is being applied changes the replica table.
    pub(crate) fn table_changed(&mut self) {
        self.table_version = self.version + 1;
    }
}
