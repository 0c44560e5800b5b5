//! What a node knows, as a group's leader, of the others' replicas: what they have acknowledged, and which of them have lost it.

use crate::metrics::GroupCounters;
use crate::raft::{GroupId, ReplicaIncarnation, TypeConfig};
use octopussy_core::ids::NodeId;
use openraft::alias::{LogIdOf, VoteOf};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

type LogId = LogIdOf<TypeConfig>;
type Vote = VoteOf<TypeConfig>;

/// How many replicas of one node are remembered: the one that counts, the one before it, and what comes late of others.
const REMEMBERED: usize = 4;

/// What is known of one replica.
struct Known {
    replica: ReplicaIncarnation,
    /// The last entry it has acknowledged to the leadership that has this vote.
    acknowledged: Option<(Vote, LogId)>,
    /// The leadership that has found it behind what it had acknowledged.
    reverted: Option<Vote>,
    /// Whether its node says that it has another one instead.
    replaced: bool,
    /// Whether its node says that it has taken something else for committed.
    astray: bool,
}

/// What a node knows of the others' replicas of a group.
pub(crate) struct Followers {
    group: GroupId,
    /// At most [`REMEMBERED`] for each node that was ever in the group.
    known: Mutex<BTreeMap<NodeId, VecDeque<Known>>>,
    counters: Arc<GroupCounters>,
}

impl Followers {
    pub(crate) fn new(group: GroupId, counters: Arc<GroupCounters>) -> Self {
        Self { group, known: Mutex::default(), counters }
    }

    /// Notes that a replica has acknowledged an entry to a leadership.
    pub(crate) fn acknowledged(&self, node: NodeId, replica: ReplicaIncarnation, vote: Vote, id: LogId) {
        self.with(node, replica, |known| {
            let before = known.acknowledged.filter(|(leadership, _)| *leadership == vote).map(|(_, id)| id);
            known.acknowledged = Some((vote, before.max(Some(id)).unwrap_or(id)));
        });
    }

    /// The last entry that a replica has acknowledged to a leadership so far.
    pub(crate) fn acknowledgement(&self, node: NodeId, replica: ReplicaIncarnation, vote: &Vote) -> Option<LogId> {
        let known = self.known.lock();
        let known = known.get(&node)?.iter().find(|known| known.replica == replica)?;
        known.acknowledged.filter(|(leadership, _)| leadership == vote).map(|(_, id)| id)
    }

    /// Notes that a replica does not have what it had acknowledged to a leadership.
    pub(crate) fn reverted(&self, node: NodeId, replica: ReplicaIncarnation, vote: Vote) {
        let new = self.with(node, replica, |known| known.reverted.replace(vote) != Some(vote));
        if new {
            self.counters.lost_replica(node);
            tracing::warn!(
                group = %self.group, %node, %replica,
                "a replica has less than it had acknowledged: its disk lost it, or an older copy of its home was started; \
                 it is installed anew"
            );
        }
    }

    /// Notes that a node has another replica than this one.
    pub(crate) fn replaced(&self, node: NodeId, replica: ReplicaIncarnation, present: ReplicaIncarnation) {
        let new = self.with(node, replica, |known| !std::mem::replace(&mut known.replaced, true));
        if new {
            self.counters.lost_replica(node);
            tracing::warn!(
                group = %self.group, %node, %replica, %present,
                "a node has come back with another replica than the one that counts: it is let in again as a new one"
            );
        }
    }

    /// Notes that a replica has taken something for committed that its leader does not have.
    pub(crate) fn astray(&self, node: NodeId, replica: ReplicaIncarnation) {
        let new = self.with(node, replica, |known| !std::mem::replace(&mut known.astray, true));
        if new {
            self.counters.lost_replica(node);
            tracing::error!(
                group = %self.group, %node, %replica,
                "a replica has taken something for committed that this leader does not have: disks have lost what made a \
                 majority, or older copies of homes were started; it is installed anew"
            );
        }
    }

    /// Whether a replica is of no use to a leadership: it has lost what it had, or is no more.
    pub(crate) fn is_lost(&self, node: NodeId, replica: ReplicaIncarnation, vote: &Vote) -> bool {
        self.find(node, replica, |known| known.replaced || known.astray || known.reverted.as_ref() == Some(vote))
    }

    fn find(&self, node: NodeId, replica: ReplicaIncarnation, holds: impl Fn(&Known) -> bool) -> bool {
        let known = self.known.lock();
        known.get(&node).is_some_and(|all| all.iter().any(|known| known.replica == replica && holds(known)))
    }

    fn with<T>(&self, node: NodeId, replica: ReplicaIncarnation, note: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.known.lock();
        let all = known.entry(node).or_default();
        let position = all.iter().position(|known| known.replica == replica);
        let position = position.unwrap_or_else(|| {
            if all.len() >= REMEMBERED {
                all.pop_front();
            }
            all.push_back(Known { replica, acknowledged: None, reverted: None, replaced: false, astray: false });
            all.len() - 1
        });
        note(&mut all[position])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::seeds::{ME, log_id};

    const NODE: NodeId = NodeId([2; 16]);
    const REPLICA: ReplicaIncarnation = ReplicaIncarnation(7);

    fn leadership(term: u64) -> Vote {
        Vote::new_committed(term, ME)
    }

    #[test]
    fn an_acknowledgement_counts_for_the_leadership_that_has_it() {
        let followers = Followers::new(GroupId(3), Arc::default());
        let of = |term| followers.acknowledgement(NODE, REPLICA, &leadership(term));
        assert_eq!(of(4), None);
        followers.acknowledged(NODE, REPLICA, leadership(4), log_id(4, 9));
        followers.acknowledged(NODE, REPLICA, leadership(4), log_id(4, 8));
        assert_eq!(of(4), Some(log_id(4, 9)), "answers may come out of order");
        assert_eq!(of(5), None);
        followers.acknowledged(NODE, REPLICA, leadership(5), log_id(4, 6));
        assert_eq!((of(4), of(5)), (None, Some(log_id(4, 6))));
        assert_eq!(followers.acknowledgement(NODE, ReplicaIncarnation(8), &leadership(5)), None, "another replica");
    }

    #[test]
    fn what_is_lost_stays_lost_until_there_is_another_replica() {
        let counters = Arc::<GroupCounters>::default();
        let followers = Followers::new(GroupId(3), Arc::clone(&counters));
        followers.reverted(NODE, REPLICA, leadership(4));
        followers.reverted(NODE, REPLICA, leadership(4));
        assert!(followers.is_lost(NODE, REPLICA, &leadership(4)));
        assert!(!followers.is_lost(NODE, REPLICA, &leadership(5)), "a later leader looks for itself");
        assert!(!followers.is_lost(NODE, ReplicaIncarnation(8), &leadership(4)));
        assert_eq!(counters.lost_replicas(), BTreeMap::from([(NODE, 1)]), "it is told once");
        followers.replaced(NODE, REPLICA, ReplicaIncarnation(8));
        assert!(followers.is_lost(NODE, REPLICA, &leadership(5)), "whoever leads");
        let forked = ReplicaIncarnation(9);
        followers.astray(NODE, forked);
        assert!(followers.is_lost(NODE, forked, &leadership(4)) && followers.is_lost(NODE, forked, &leadership(5)));
        for other in 20..40 {
            followers.acknowledged(NODE, ReplicaIncarnation(other), leadership(4), log_id(4, 1));
        }
        assert_eq!(followers.known.lock()[&NODE].len(), REMEMBERED);
    }
}
