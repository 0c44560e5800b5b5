//! Sees to it that this start of the node is the only one that takes part under its identity.
//!
//! A start that cannot be sure yet neither votes nor stands for election. It is sure once every full member has let it in, or has
//! had the time to; and once nobody answers under its own id where it was reached before. From then on the control group is told
//! of it, and of how far it has come. As soon as anybody knows better, it falls silent and ends.

use super::acquaintances::Acquaintances;
use super::control_group::ControlGroup;
use super::lives::HomeLives;
use async_trait::async_trait;
use octopussy_control::{ControlCommand, ControlRefusal, ControlState};
use octopussy_core::ids::NodeId;
use octopussy_core::lineage::Lineage;
use octopussy_core::ports::MemberRole;
use octopussy_core::time::Clock;
use octopussy_mesh::Mesh;
use octopussy_shard::ControlError;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long full members that are not connected are waited for: those that run answer within a fraction of it.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long somebody at this node's former addresses may take to answer.
const LOOK_FOR: Duration = Duration::from_secs(2);
/// How often it is looked who is connected.
const POLL: Duration = Duration::from_millis(20);
/// How often the cluster is told how far this life has come, while something is written. What was acknowledged since could be
/// forgotten unnoticed by a copy of the home that was taken meanwhile.
const MARK_EVERY: Duration = Duration::from_secs(30);
/// For each member, that many milliseconds more: the control group commits every mark.
const MARK_EACH: Duration = Duration::from_millis(500);
/// The pause before what was not taken is said again.
const AGAIN_AFTER: Duration = Duration::from_secs(3);

/// What is asked of the mesh.
#[async_trait]
pub(crate) trait Neighbours: Send + Sync {
    /// Whether the node is connected: it has let this one in.
    fn is_connected(&self, node: NodeId) -> bool;
    /// Who says that this node was removed.
    fn forgotten_by(&self) -> BTreeSet<NodeId>;
    /// Who says that this start must not be, and why.
    fn disowned_by(&self) -> watch::Receiver<BTreeMap<NodeId, Arc<str>>>;
    /// Finds another start of this node at these addresses.
    async fn look_for_itself(&self, addresses: &[SocketAddr]);
    /// Says from now on how far this life has come.
    fn tell_lineage(&self, lineage: Lineage);
    /// Says and hears nothing any more.
    async fn fall_silent(&self);
}

#[async_trait]
impl Neighbours for Mesh {
    fn is_connected(&self, node: NodeId) -> bool {
        octopussy_core::ports::MeshPort::is_connected(self, node)
    }

    fn forgotten_by(&self) -> BTreeSet<NodeId> {
        self.watch_forgotten_by().borrow().clone()
    }

    fn disowned_by(&self) -> watch::Receiver<BTreeMap<NodeId, Arc<str>>> {
        self.watch_disowned_by()
    }

    async fn look_for_itself(&self, addresses: &[SocketAddr]) {
        Self::look_for_itself(self, addresses).await;
    }

    fn tell_lineage(&self, lineage: Lineage) {
        Self::tell_lineage(self, lineage);
    }

    async fn fall_silent(&self) {
        self.close().await;
    }
}

/// This start of the node.
pub(crate) struct SoleStart {
    /// This node.
    pub(crate) me: NodeId,
    /// The lives of its home.
    pub(crate) lives: Arc<HomeLives>,
    /// Those of the others.
    pub(crate) acquaintances: Arc<Acquaintances>,
    /// The mesh.
    pub(crate) mesh: Arc<dyn Neighbours>,
    /// The control group.
    pub(crate) group: Arc<dyn ControlGroup>,
    /// Where this node is reached now.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Grows with what is written here.
    pub(crate) written: Box<dyn Fn() -> u64 + Send + Sync>,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether the groups here may vote.
    pub(crate) may_vote: watch::Sender<bool>,
    /// Why this start must not be, once that is known.
    pub(crate) disowned: Arc<OnceLock<String>>,
}

impl SoleStart {
    /// Runs until the node stops; cancels `ended` when this start must not be.
    pub(crate) async fn run(self, ended: CancellationToken, stopping: CancellationToken) {
        let reason = tokio::select! {
            () = stopping.cancelled() => return,
            reason = self.disowning() => reason,
            reason = self.taking_part() => reason,
        };
        self.may_vote.send_replace(false);
        tracing::error!("this start of the node must not be: {reason}");
        let written = self.lives.clone();
        let noted = tokio::task::spawn_blocking(move || written.judged(true)).await;
        if let Ok(Err(error)) = noted {
            tracing::warn!(%error, "that this start was refused cannot be written down");
        }
        let _first = self.disowned.set(reason);
        self.mesh.fall_silent().await;
        ended.cancel();
    }

    /// Ends when somebody whose word counts knows that this start must not be, or the control group does.
    async fn disowning(&self) -> String {
        let (mut control, mut told) = (self.group.watch(), self.mesh.disowned_by());
        loop {
            let state = control.borrow_and_update().clone();
            let acquaintances = self.acquaintances.clone();
            let followed = state.clone();
            let _panicked = tokio::task::spawn_blocking(move || acquaintances.follow(&followed)).await;
            let known = state.lives.get(&self.me);
            if let Some(conflict) = known.and_then(|known| self.lives.lineage().goes_on_from(known).err()) {
                return format!("this node's own copy of the control group says: {conflict}");
            }
            if let Some(reason) = word(self.me, &state, &told.borrow_and_update()) {
                return reason;
            }
            let changed = tokio::select! {
                changed = control.changed() => changed,
                changed = told.changed() => changed,
            };
            if changed.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Waits until this start is sure, lets the groups vote, and tells the control group from then on.
    async fn taking_part(&self) -> String {
        tokio::join!(self.nobody_at_home(), self.let_in());
        // A recovery may have gone on without this node. It must not make a quorum of those that were left behind: the cluster that
        // there is has to take this start first.
        if self.is_doubted() {
            tracing::warn!(
                "a member says that this node was removed: it votes once the cluster has taken this start of it"
            );
        }
        while self.is_doubted() {
            match self.tell(false).await {
                Ok(()) => break,
                Err(Some(reason)) => return reason,
                Err(None) => tokio::time::sleep(AGAIN_AFTER).await,
            }
        }
        self.may_vote.send_replace(true);
        self.telling().await
    }

    /// Whether a full member says that this node was removed.
    fn is_doubted(&self) -> bool {
        let control = self.group.control();
        let is_full = |node: &NodeId| control.members.get(node).is_some_and(|other| other.role == MemberRole::Full);
        self.mesh.forgotten_by().iter().any(is_full)
    }

    /// Looks whether another start of this node answers where this one was reached before.
    async fn nobody_at_home(&self) {
        let control = self.group.control();
        let Some(record) = control.members.get(&self.me) else { return };
        let former: Vec<SocketAddr> =
            record.addresses.iter().filter(|address| !self.addresses.contains(address)).copied().collect();
        if !former.is_empty() {
            let _late = tokio::time::timeout(LOOK_FOR, self.mesh.look_for_itself(&former)).await;
        }
    }

    /// Waits until every full member is connected or has had the time to.
    async fn let_in(&self) {
        let control = self.group.control();
        let others: Vec<NodeId> = control
            .members
            .values()
            .filter(|member| member.role == MemberRole::Full && member.id != self.me)
            .map(|member| member.id)
            .collect();
        let connected = async {
            while !others.iter().all(|node| self.mesh.is_connected(*node)) {
                tokio::time::sleep(POLL).await;
            }
        };
        let _late = tokio::time::timeout(PATIENCE, connected).await;
    }

    /// Tells the control group of this life, and again when something was written since; ends when it is refused.
    async fn telling(&self) -> String {
        let (mut told, mut noted) = (false, None);
        loop {
            let written = (self.written)();
            let fresh = noted != Some(written);
            if !told || fresh {
                told = match self.tell(noted.is_some() && fresh).await {
                    Ok(()) => true,
                    Err(Some(reason)) => return reason,
                    Err(None) => false,
                };
                noted = Some(written);
            }
            tokio::time::sleep(if told { self.mark_every() } else { AGAIN_AFTER }).await;
        }
    }

    fn mark_every(&self) -> Duration {
        let members = u32::try_from(self.group.control().members.len()).unwrap_or(u32::MAX);
        MARK_EVERY + MARK_EACH.saturating_mul(members)
    }

    /// Says it once; the reason when this start must not be, nothing when it is to be said again.
    async fn tell(&self, advance: bool) -> Result<(), Option<String>> {
        let lives = self.lives.clone();
        let noted = tokio::task::spawn_blocking(move || {
            lives.judged(false)?;
            if advance { lives.advance() } else { Ok(lives.lineage()) }
        });
        let lineage = match noted.await {
            Ok(Ok(lineage)) => lineage,
            Ok(Err(error)) => {
                tracing::warn!(%error, "how far this node has come cannot be written down");
                return Err(None);
            }
            Err(_) => return Err(None),
        };
        self.mesh.tell_lineage(lineage.clone());
        let command = ControlCommand::Start { node: self.me, lineage, now: self.clock.now() };
        match self.group.propose(command).await {
            Ok(_) => Ok(()),
            Err(ControlError::Refused(ControlRefusal::OtherLife(conflict))) => {
                Err(Some(format!("the control group says: {conflict}")))
            }
            Err(error) => {
                tracing::debug!(%error, "the control group has not taken that this node has started; it is told again");
                Err(None)
            }
        }
    }
}

/// Why this start must not be, as somebody whose word counts has said it: a full member, or this node itself.
fn word(me: NodeId, control: &ControlState, told: &BTreeMap<NodeId, Arc<str>>) -> Option<String> {
    told.iter().find_map(|(node, reason)| {
        if *node == me {
            return Some(format!("another start of this node answers: {reason}"));
        }
        let member = control.members.get(node);
        // A node that was let in and has not been reached by the control group yet knows nobody's role.
        let counts = control.cluster.is_none() || member.is_some_and(|member| member.role == MemberRole::Full);
        let name = member.map_or_else(|| node.to_string(), |member| member.name.clone());
        counts.then(|| format!("{name} says: {reason}"))
    })
}

#[cfg(test)]
#[path = "sole_start_tests.rs"]
mod tests;
