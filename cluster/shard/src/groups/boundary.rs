//! A planned move of a shard's leadership waits for a step boundary: a model call that is under way is paid for, and is not
//! cut off for the sake of balance.

use super::core::Core;
use super::group::Group;
use super::reconciler::HAND_OVER_LIMIT;
use octopussy_core::ids::{NodeId, ShardId};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often is looked whether anything still runs.
const LOOK: Duration = Duration::from_millis(25);

/// How often is looked whether the move is still wanted.
const RECONSIDER: Duration = Duration::from_millis(250);

/// While it lives, nothing new is begun in the shard here, and runs end at their next step boundary.
struct Yielding<'a> {
    core: &'a Core,
    shard: ShardId,
}

impl<'a> Yielding<'a> {
    fn begin(core: &'a Core, shard: ShardId) -> Self {
        core.context.state.tell_yielding(shard, true);
        Self { core, shard }
    }
}

impl Drop for Yielding<'_> {
    fn drop(&mut self) {
        self.core.context.state.tell_yielding(self.shard, false);
    }
}

/// What came of the wait for a boundary.
enum Wait {
    /// Nothing runs, or the patience is at its end: this node is to lead.
    Over(NodeId),
    /// The move is no longer wanted, or not this node's any more.
    Moot,
}

/// Hands a group over at a step boundary, or after the configured patience without one. `heir` says to whom, as long as it is
/// to be done at all: whoever takes a drain back while a call is under way has changed nothing, and whoever was to lead may have
/// gone before the call ends.
pub(super) async fn hand_over(
    core: &Arc<Core>,
    group: &Arc<Group>,
    to: NodeId,
    heir: impl Fn() -> Option<NodeId>,
) -> Result<(), String> {
    // Until the end of this function: what is begun while the other is asked would be cut off by its answer.
    let (_yielding, to) = match group.id().shard() {
        Some(shard) => {
            let yielding = Yielding::begin(core, shard);
            match boundary(core, group, shard, to, heir).await {
                Wait::Over(to) => (Some(yielding), to),
                Wait::Moot => return Ok(()),
            }
        }
        None => (None, to),
    };
    if group.hand_over(to, HAND_OVER_LIMIT).await {
        Ok(())
    } else {
        Err("it did not take the leadership in time".to_owned())
    }
}

async fn boundary(
    core: &Core,
    group: &Group,
    shard: ShardId,
    mut to: NodeId,
    heir: impl Fn() -> Option<NodeId>,
) -> Wait {
    let end = Instant::now() + core.context.config.transfer_patience;
    let mut reconsider = Instant::now() + RECONSIDER;
    loop {
        if !group.speaks() {
            return Wait::Moot;
        }
        let running = core.context.state.running(shard);
        if running == 0 {
            return Wait::Over(to);
        }
        let now = Instant::now();
        if now >= end {
            tracing::warn!(group = %group.id(), running, "the shard moves although something runs: it is taken up again there");
            return Wait::Over(to);
        }
        if now >= reconsider {
            let Some(present) = heir() else {
                tracing::info!(group = %group.id(), "the shard stays: the move is not wanted any longer");
                return Wait::Moot;
            };
            to = present;
            reconsider = now + RECONSIDER;
        }
        tokio::time::sleep(LOOK).await;
    }
}
