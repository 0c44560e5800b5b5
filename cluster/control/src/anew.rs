//! A cluster that begins again with one node and what a backup has.

use crate::{ControlState, MemberRecord, ShardPlace, SharedKeyPhase};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{KeyKind, MemberDesired};

impl ControlState {
    /// Makes this the state of another cluster, called `cluster`, of which `member` is the only member and holds every shard. The
    /// shared secrets stay. The nodes of the old cluster have left, none of its join tokens is known any more, and the key that
    /// signs tokens of its interfaces is to be replaced: whoever could enter the old cluster cannot enter this one.
    ///
    /// Not a command: it is for a state that is on its way from a backup into a home, and that no log speaks of yet.
    pub fn begin_anew(&mut self, cluster: String, member: MemberRecord) {
        if let Some(record) = &mut self.cluster {
            record.id = cluster;
        }
        let old: Vec<NodeId> = std::mem::take(&mut self.members).into_keys().collect();
        for node in old {
            self.departed.insert(node, self.now);
            // As if it were in somebody else's hands. Keys that sign messages stay: what waits in mailboxes is signed with them.
            self.stolen.entry(node).or_default().insert(KeyKind::Token);
        }
        // The new cluster has an authority of its own, which its first member makes and offers.
        self.keys.remove(&KeyKind::Authority);
        self.lives.clear();
        self.tokens.clear();
        for key in self.keys.values_mut().flatten() {
            if let SharedKeyPhase::Offered { known_by, .. } = &mut key.phase {
                known_by.clear();
            }
        }
        self.table.fill(ShardPlace::alone(member.id));
        self.version += 1;
        self.table_version = self.version;
        let member = MemberRecord { desired: MemberDesired::Active, joined_at: self.now, ..member };
        self.members.insert(member.id, member);
    }
}
