//! Tells the control group where this node is reached and what it counts for, at the start and whenever that changes.

use super::control_group::ControlGroup;
use super::{local_addresses, reachable_at};
use octopussy_control::{ControlCommand, MAX_ADDRESSES, VersionRange};
use octopussy_core::ids::NodeId;
use octopussy_core::time::Clock;
use octopussy_membership::Membership;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether this machine has other addresses: a new lease of a home router is noticed within a minute.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The pause before a report that was not taken is made again.
const AGAIN_AFTER: Duration = Duration::from_secs(3);

/// What keeps the member's record true.
pub(crate) struct Reporter {
    /// This node.
    pub(crate) node: NodeId,
    /// What its mesh endpoint is bound to.
    pub(crate) bound: SocketAddr,
    /// Where it is reached, when that was configured.
    pub(crate) advertise: Vec<SocketAddr>,
    /// Its weight.
    pub(crate) capacity: u32,
    /// Its zone.
    pub(crate) zone: Option<String>,
    /// What it understands.
    pub(crate) versions: VersionRange,
    /// The control group.
    pub(crate) group: Arc<dyn ControlGroup>,
    /// Whom others hear the newest address from.
    pub(crate) membership: Weak<Membership>,
    /// The clock.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Reporter {
    /// Runs until it is told to stop.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        let mut told = false;
        loop {
            let pause = match self.round(&mut told).await {
                Ok(()) => LOOK_EVERY,
                Err(error) => {
                    tracing::debug!(%error, "this node's report was not taken; it is made again");
                    AGAIN_AFTER
                }
            };
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Compares what the control group has of this node with what is true, and reports when it differs.
    async fn round(&self, told: &mut bool) -> Result<(), octopussy_shard::ControlError> {
        let control = self.group.control();
        let Some(record) = control.members.get(&self.node) else { return Ok(()) };
        let Some(local) = local_addresses() else { return Ok(()) };
        let mut addresses = reachable_at(self.bound, &self.advertise, &local);
        addresses.truncate(MAX_ADDRESSES);
        let moved = record.addresses != addresses;
        let same =
            !moved && record.capacity == self.capacity && record.zone == self.zone && record.versions == self.versions;
        if same {
            *told = true;
            return Ok(());
        }
        if *told && moved {
            tracing::info!(?addresses, "this node is reached elsewhere now");
        }
        if moved && let Some(membership) = self.membership.upgrade() {
            membership.set_address(addresses.first().copied());
        }
        let command = ControlCommand::Report {
            node: self.node,
            addresses,
            capacity: self.capacity,
            zone: self.zone.clone(),
            versions: self.versions,
            now: self.clock.now(),
        };
        self.group.propose(command).await?;
        *told = true;
        Ok(())
    }
}
