//! Turns what the ledger applied into wake-ups.

use super::host::Host;
use super::run_control::Interrupt;
use octopussy_core::ids::ShardId;
use octopussy_core::ports::LedgerObserver;
use octopussy_core::task::LedgerEvent;
use std::sync::Weak;

/// Listens to the ledger. Holds the host weakly: the ledger outlives it.
pub(crate) struct Observer(pub(crate) Weak<Host>);

impl LedgerObserver for Observer {
    fn on_event(&self, event: &LedgerEvent) {
        // Most of what is told; the runs know it already.
        if matches!(event, LedgerEvent::TaskBegun { .. } | LedgerEvent::StepDone { .. } | LedgerEvent::TaskEnded { .. })
        {
            return;
        }
        let Some(host) = self.0.upgrade() else { return };
        match event {
            LedgerEvent::TaskReady { agent, .. } => host.wake(*agent),
            LedgerEvent::AgentChanged { agent } => host.refresh(*agent),
            LedgerEvent::CancelRequested { agent, task } => {
                if let Some(shared) = host.get(*agent) {
                    shared.interrupt(*task, Interrupt::Cancel);
                }
            }
            LedgerEvent::LeaderGained { .. } => host.rescan.notify_one(),
            LedgerEvent::LeaderLost { shard } => host.fence(*shard),
            LedgerEvent::TaskBegun { .. } | LedgerEvent::StepDone { .. } | LedgerEvent::TaskEnded { .. } => {}
        }
    }

    fn on_yielding(&self, shard: ShardId, yields: bool) {
        if let Some(host) = self.0.upgrade() {
            host.set_yielding(shard, yields);
        }
    }
}
