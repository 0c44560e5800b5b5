//! Notices that this node has been removed from its cluster.

use super::control_group::ControlGroup;
use super::home::{ClusterHome, HomeError, Membership};
use octopussy_control::ControlState;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MemberRole;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What notices it. A removed node seldom sees the entry that removes it in its own copy of the control state: it is taken out
/// of the control group before. So the word of those that have seen it counts, too: of the most of the full members, as the
/// committed record itself needs the most of them. One alone, which may be mistaken or not what it was, ends nobody for good.
pub(crate) struct Removal {
    /// This node.
    pub(crate) node: NodeId,
    /// Where it is written down, so that no later start begins as a node that nobody knows.
    pub(crate) home: ClusterHome,
    /// The control group.
    pub(crate) group: Arc<dyn ControlGroup>,
    /// Who says on the mesh that this node has been removed.
    pub(crate) forgotten_by: watch::Receiver<BTreeSet<NodeId>>,
    /// The full members that this node was told of when it was let in, for as long as it has no copy of the control state.
    pub(crate) introduced: BTreeSet<NodeId>,
}

impl Removal {
    /// Cancels `removed` once the node is removed, after writing it down; gives up when `stopping` is cancelled.
    pub(crate) async fn run(mut self, removed: CancellationToken, stopping: CancellationToken) {
        let mut control = self.group.watch();
        loop {
            let told_by = self.forgotten_by.borrow_and_update().clone();
            if is_removed(self.node, &control.borrow_and_update(), &self.introduced, &told_by) {
                break;
            }
            let changed = tokio::select! {
                () = stopping.cancelled() => return,
                changed = control.changed() => changed,
                changed = self.forgotten_by.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
        tracing::error!("this node has been removed from its cluster: it stops and will not start again");
        if let Err(error) = self.write_down() {
            // Whoever starts it again hears the same from the members.
            tracing::warn!(%error, "that this node was removed cannot be written down");
        }
        removed.cancel();
    }

    fn write_down(&self) -> Result<(), HomeError> {
        let Some(member) = self.home.membership()? else { return Ok(()) };
        self.home.set_membership(&Membership { removed: true, ..member })
    }
}

/// Whether a node has been removed, by its own copy of the control state or by the most of the other full members: a guest cannot
/// make others leave, and no more can a single member.
fn is_removed(node: NodeId, control: &ControlState, introduced: &BTreeSet<NodeId>, told_by: &BTreeSet<NodeId>) -> bool {
    let full = control.members.values().filter(|member| member.role == MemberRole::Full).map(|member| member.id);
    // A node that was let in and removed before the control group reached it knows those it was introduced to.
    let mut counted: BTreeSet<NodeId> = if control.cluster.is_none() { introduced.clone() } else { full.collect() };
    counted.remove(&node);
    let saying = told_by.intersection(&counted).count();
    control.departed.contains_key(&node) || saying > counted.len() / 2
}

#[cfg(test)]
#[path = "removal_tests.rs"]
mod tests;
