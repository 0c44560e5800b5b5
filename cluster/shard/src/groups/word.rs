//! A leader's word about who belongs to its group, and whether it lets a replica go. Pure but for reading Raft's metrics.

use super::group::Group;
use crate::raft::TypeConfig;
use octopussy_core::ids::NodeId;
use openraft::alias::LogIdOf;
use openraft::async_runtime::watch::WatchReceiver;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

type LogId = LogIdOf<TypeConfig>;

/// Who belongs to a group by a membership that is committed and no longer changing, as a leader says that holds its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaderWord {
    /// The entry that holds the membership.
    pub(crate) at: LogId,
    /// Everybody in it, with or without a vote.
    pub(crate) nodes: BTreeSet<NodeId>,
}

impl LeaderWord {
    /// Whether a replica of `node` may be deleted that has accepted the membership at `accepted` last: the node is not in the
    /// group, by a membership that is not older.
    pub(crate) fn lets_go(&self, node: NodeId, accepted: Option<LogId>) -> bool {
        !self.nodes.contains(&node) && accepted.is_none_or(|accepted| accepted <= self.at)
    }
}

impl Group {
    /// What this node can say of the group's members as its leader; nothing when it may not speak, or while they change.
    pub(crate) fn word(&self) -> Option<LeaderWord> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let (latest, committed) = (&metrics.membership_config, &metrics.committed_membership_config);
        let at = (*committed.log_id())?;
        let settled = latest.log_id() == committed.log_id() && committed.membership().get_joint_config().len() == 1;
        let nodes = committed.nodes().map(|(node, _)| *node).collect();
        // Looked at last: what was read is then of a time when it held.
        (settled && self.speaks()).then_some(LeaderWord { at, nodes })
    }

    /// The entry that holds the latest membership this replica has accepted.
    pub(crate) fn accepted_membership(&self) -> Option<LogId> {
        *self.raft.metrics().borrow_watched().membership_config.log_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::seeds::log_id;

    fn word(term: u64, index: u64, nodes: &[u8]) -> LeaderWord {
        LeaderWord { at: log_id(term, index), nodes: nodes.iter().map(|number| NodeId([*number; 16])).collect() }
    }

    #[test]
    fn a_member_is_not_let_go() {
        let me = NodeId([3; 16]);
        assert!(!word(4, 20, &[1, 2, 3]).lets_go(me, Some(log_id(4, 18))));
        assert!(!word(4, 20, &[1, 2, 3]).lets_go(me, None));
        assert!(word(4, 20, &[1, 2]).lets_go(me, Some(log_id(4, 18))));
        assert!(word(4, 20, &[1, 2]).lets_go(me, None), "one that has nothing");
    }

    #[test]
    fn the_word_of_an_older_membership_lets_nobody_go() {
        let me = NodeId([3; 16]);
        assert!(!word(4, 20, &[1, 2]).lets_go(me, Some(log_id(4, 22))), "it has been let in again since");
        assert!(!word(4, 20, &[1, 2]).lets_go(me, Some(log_id(5, 21))));
        // What only a leader of an earlier term wrote was never committed.
        assert!(word(5, 20, &[1, 2]).lets_go(me, Some(log_id(4, 22))));
    }
}
