//! What a node leads that cannot write goes to one that can.

use super::closing::heir;
use super::core::Core;
use super::group::Group;
use super::reconciler::HAND_OVER_LIMIT;
use std::sync::Arc;

/// Begins to give the groups away, each beside the caller; those of which one is being moved on already are left to that.
///
/// Whoever does not take a group over in time is elected soon: a leader that cannot write does not beat either.
pub(super) fn give_away(core: &Arc<Core>, led: &[Arc<Group>]) {
    // What has fallen silent already is nobody's to give.
    for group in led.iter().filter(|group| group.speaks()) {
        let Some(to) = heir(core, group) else { continue };
        if !group.claim() {
            continue;
        }
        tracing::warn!(group = %group.id(), %to, "this node cannot write: another is to lead the group");
        let (core, group) = (Arc::clone(core), Arc::clone(group));
        core.clone().tasks.spawn(async move {
            tokio::select! {
                _taken = group.hand_over(to, HAND_OVER_LIMIT) => {}
                () = core.stopping.cancelled() => {}
            }
            group.release();
        });
    }
}
