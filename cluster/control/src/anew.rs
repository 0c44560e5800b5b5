//! A cluster that begins again with one node and what a backup has.

use crate::{ControlState, MemberRecord, ReplicaSet, ShardPlace};
use octopussy_core::ports::MemberDesired;

impl ControlState {
    /// Makes this the state of another cluster, called `cluster`, of which `member` is the only member and holds every shard. The
    /// shared secrets stay; nobody of the old cluster, and none of its join tokens, is known any more.
    ///
    /// Not a command: it is for a state that is on its way from a backup into a home, and that no log speaks of yet.
    pub fn begin_anew(&mut self, cluster: String, member: MemberRecord) {
        if let Some(record) = &mut self.cluster {
            record.id = cluster;
        }
        self.members.clear();
        self.departed.clear();
        self.lives.clear();
        self.tokens.clear();
        let alone = ReplicaSet { voters: vec![member.id], learners: Vec::new() };
        for place in &mut self.table {
            *place = ShardPlace { current: alone.clone(), ..ShardPlace::default() };
        }
        self.version += 1;
        self.table_version = self.version;
        let member = MemberRecord { desired: MemberDesired::Active, joined_at: self.now, ..member };
        self.members.insert(member.id, member);
    }
}
