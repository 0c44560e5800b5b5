//! The replica table: planned, settled, recovered.

use crate::{ControlApplied, ControlRefusal, ControlState, MembershipStamp, ReplicaSet, ShardPlace};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::MemberRole;
use octopussy_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

impl ControlState {
    /// Whether `place` may be a shard's: an odd number of voters, nobody twice, everybody a full member.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check_place(&self, place: &ReplicaSet) -> Result<(), String> {
        if place.voters.len().is_multiple_of(2) {
            return Err(format!("{} voters, which is not an odd number", place.voters.len()));
        }
        let mut seen = BTreeSet::new();
        for node in place.nodes() {
            if !seen.insert(node) {
                return Err(format!("node {node} is named twice"));
            }
            match self.members.get(&node).map(|member| member.role) {
                None => return Err(format!("node {node} is no member")),
                Some(MemberRole::Guest) => return Err(format!("node {node} is a guest")),
                Some(MemberRole::Full) => {}
            }
        }
        Ok(())
    }

    fn placed(&self, shard: ShardId, place: &ReplicaSet) -> Result<(), ControlRefusal> {
        self.check_place(place).map_err(|reason| ControlRefusal::BadPlace { shard, reason })
    }

    pub(crate) fn plan(
        &mut self,
        table_version: u64,
        moves: Vec<(ShardId, ReplicaSet)>,
    ) -> Result<ControlApplied, ControlRefusal> {
        if table_version != self.table_version {
            return Err(ControlRefusal::StaleTable);
        }
        let mut targets = BTreeMap::new();
        for (shard, place) in moves {
            let known = self.place(shard).ok_or(ControlRefusal::UnknownShard(shard))?;
            self.placed(shard, &place)?;
            let target = (place != known.current).then_some(place);
            if target.is_none() && known.target.is_none() {
                return Err(ControlRefusal::BadPlace { shard, reason: "it is there already".to_owned() });
            }
            if targets.insert(shard, target).is_some() {
                return Err(ControlRefusal::BadPlace { shard, reason: "it is to move to two places".to_owned() });
            }
        }
        if targets.is_empty() {
            return Ok(ControlApplied::Done);
        }
        let planned = self.version + 1;
        for (shard, target) in targets {
            let entry = &mut self.table[usize::from(shard.0)];
            let replaced = std::mem::replace(&mut entry.target, target);
            // The group may have come to the replaced target already, or halfway: its nodes are not forgotten yet.
            entry.former.extend(replaced.iter().flat_map(ReplicaSet::nodes));
            entry.planned = planned;
        }
        self.table_changed();
        Ok(ControlApplied::Done)
    }

    pub(crate) fn settle(
        &mut self,
        shard: ShardId,
        place: ReplicaSet,
        at: MembershipStamp,
        planned: u64,
    ) -> Result<ControlApplied, ControlRefusal> {
        let known = self.place(shard).ok_or(ControlRefusal::UnknownShard(shard))?;
        if at < known.reported || planned != known.planned {
            return Err(ControlRefusal::StaleTable);
        }
        self.placed(shard, &place)?;
        let target = known.target.clone().filter(|target| *target != place);
        if known.target.is_none() && known.current != place {
            return Err(ControlRefusal::StaleTable);
        }
        let settled = ShardPlace { current: place, target, former: BTreeSet::new(), reported: at, planned };
        if settled != *known {
            self.table[usize::from(shard.0)] = settled;
            self.table_changed();
        }
        Ok(ControlApplied::Done)
    }

    pub(crate) fn recover(
        &mut self,
        node: NodeId,
        shards: &[ShardId],
        now: Timestamp,
    ) -> Result<ControlApplied, ControlRefusal> {
        let alone = ReplicaSet { voters: vec![node], learners: Vec::new() };
        if !self.members.contains_key(&node) {
            return Err(ControlRefusal::UnknownMember(node));
        }
        for shard in shards {
            let known = self.place(*shard).ok_or(ControlRefusal::UnknownShard(*shard))?;
            self.placed(*shard, &alone)?;
            if !known.names(node) {
                return Err(ControlRefusal::BadPlace {
                    shard: *shard,
                    reason: format!("node {node} has no replica of it"),
                });
            }
        }
        self.pass(now);
        let planned = self.version + 1;
        for shard in shards {
            let entry = &mut self.table[usize::from(shard.0)];
            let place = ShardPlace { reported: entry.reported, planned: entry.planned, ..ShardPlace::alone(node) };
            if *entry != place {
                let place = ShardPlace { planned, ..place };
                entry.clone_from(&place);
                self.table_changed();
            }
        }
        Ok(ControlApplied::Done)
    }
}
