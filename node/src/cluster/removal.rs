//! Notices that this node has been removed from its cluster.

use super::control_group::ControlGroup;
use super::home::{ClusterHome, HomeError, Membership};
use octopussy_control::ControlState;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MemberRole;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it is looked, while somebody says that this node was removed, whether others say otherwise.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a node goes on while members say that it was removed, too few of them to believe it, and nobody says otherwise.
const DOUBT: Duration = Duration::from_secs(10);

/// What notices it. A removed node seldom sees the entry that removes it in its own copy of the control state: it is taken out
/// of the control group before. So the word of those that have seen it counts, too: of the most of the full members, as the
/// committed record itself needs the most of them. One alone, which may be mistaken or not what it was, ends nobody for good.
/// Where none of the others is there to say otherwise, its word ends this start: a recovery may have gone on without the node.
pub(crate) struct Removal {
    /// This node.
    pub(crate) node: NodeId,
    /// Where it is written down, so that no later start begins as a node that nobody knows.
    pub(crate) home: ClusterHome,
    /// The control group.
    pub(crate) group: Arc<dyn ControlGroup>,
    /// Who says on the mesh that this node has been removed.
    pub(crate) forgotten_by: watch::Receiver<BTreeSet<NodeId>>,
    /// Says whether another node is connected: it takes this one for a member.
    pub(crate) vouches: Box<dyn Fn(NodeId) -> bool + Send + Sync>,
    /// The full members that this node was told of when it was let in; they count until its copy of the control state shows that.
    pub(crate) introduced: BTreeSet<NodeId>,
}

impl Removal {
    /// Cancels `removed` once the node is removed, after writing it down, or when it must not go on in doubt; gives up when
    /// `stopping` is cancelled.
    pub(crate) async fn run(mut self, removed: CancellationToken, stopping: CancellationToken) {
        let mut control = self.group.watch();
        let mut doubted: Option<Instant> = None;
        loop {
            let told_by = self.forgotten_by.borrow_and_update().clone();
            let verdict = verdict(self.node, &control.borrow_and_update(), &self.introduced, &told_by, &self.vouches);
            doubted = match verdict {
                Verdict::Removed => break,
                Verdict::Stays => None,
                Verdict::Doubted => doubted.or_else(|| Some(Instant::now())),
            };
            if doubted.is_some_and(|since| since.elapsed() >= DOUBT) {
                tracing::error!(
                    "a member says that this node was removed, and nobody who is there says otherwise: it stops"
                );
                return removed.cancel();
            }
            let changed = tokio::select! {
                () = stopping.cancelled() => return,
                changed = control.changed() => changed.is_ok(),
                changed = self.forgotten_by.changed() => changed.is_ok(),
                () = tokio::time::sleep(LOOK_AGAIN), if !told_by.is_empty() => true,
            };
            if !changed {
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

/// What is to be thought of a node's membership.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is a member.
    Stays,
    /// Some say that it was removed, too few to believe it, and nobody else is there.
    Doubted,
    /// It was removed.
    Removed,
}

/// Judges by the node's own copy of the control state, and by the other full members: a guest cannot make others leave, and no
/// more can a single member.
fn verdict(
    node: NodeId,
    control: &ControlState,
    introduced: &BTreeSet<NodeId>,
    told_by: &BTreeSet<NodeId>,
    vouches: impl Fn(NodeId) -> bool,
) -> Verdict {
    let full = control.members.values().filter(|member| member.role == MemberRole::Full).map(|member| member.id);
    // A node that was let in and removed before the control group reached it knows those it was introduced to.
    let is_shown = control.members.contains_key(&node);
    let mut counted: BTreeSet<NodeId> = if is_shown { full.collect() } else { introduced.clone() };
    counted.remove(&node);
    let saying = told_by.intersection(&counted).count();
    if control.departed.contains_key(&node) || saying > counted.len() / 2 {
        Verdict::Removed
    } else if saying > 0 && !counted.difference(told_by).any(|other| vouches(*other)) {
        Verdict::Doubted
    } else {
        Verdict::Stays
    }
}

#[cfg(test)]
#[path = "removal_tests.rs"]
mod tests;
