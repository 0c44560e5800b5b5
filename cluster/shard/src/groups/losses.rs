//! What the replicas of this node have lost, for an operator.

use super::core::Core;
use openraft::async_runtime::watch::WatchReceiver;

/// What the replicas of this node have lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnLosses {
    /// How many were found, when they were started, to have lost a part of what they had.
    pub found: u64,
    /// The groups in which this node's replica does not count until it is let in again: 0 is the control group, shard `n` is
    /// group `n + 1`.
    pub waiting: Vec<u16>,
    /// Those of them in which nobody else votes, so that nobody can let it in: they wait for a recovery by command.
    pub alone: Vec<u16>,
}

pub(super) fn look(core: &Core) -> OwnLosses {
    let mut losses = OwnLosses { found: core.context.counters.count_lost_here(), ..OwnLosses::default() };
    for group in core.registry.all().iter().filter(|group| !group.is_counted()) {
        losses.waiting.push(group.id().0);
        // One that hears of a leader is being filled: an early membership of its log passes.
        let server = group.raft().server_metrics();
        let server = server.borrow_watched();
        if server.current_leader.is_none() && server.membership_config.voter_ids().eq([core.me()]) {
            losses.alone.push(group.id().0);
        }
    }
    losses
}
