//! Asks the other members again and again what their clocks show.

use crate::groups::core::Core;
use futures::future::join_all;
use octopussy_control::ControlState;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MemberRole;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How often is looked whose clock is to be asked for.
const LOOK: Duration = Duration::from_millis(500);

/// How often each member's clock is asked for.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// How long an answer may take: one that takes longer tells little of when it was given.
const WITHIN: Duration = Duration::from_secs(1);

/// How many members are asked at a time.
const AT_ONCE: usize = 32;

/// For how long after its start a node waits for a member to answer before it trusts its own clock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs until the node stops.
pub(in crate::groups) async fn run(core: Arc<Core>) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let started = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            _ = look.tick() => {}
        }
        let members = full_members(&core.control());
        let clocks = &core.context.clocks;
        let mut due = clocks.unmeasured(connected(&core, &members), ASK_EVERY);
        due.truncate(AT_ONCE);
        join_all(due.into_iter().map(|peer| ask(&core, peer))).await;
        clocks.judge(&members, &connected(&core, &members), started.elapsed() < PATIENCE);
    }
}

/// The full members, this node included.
pub(in crate::groups) fn full_members(control: &ControlState) -> Vec<NodeId> {
    let full = control.members.values().filter(|member| member.role == MemberRole::Full);
    full.map(|member| member.id).collect()
}

fn connected(core: &Core, members: &[NodeId]) -> Vec<NodeId> {
    members.iter().copied().filter(|node| *node != core.me() && core.mesh.is_connected(*node)).collect()
}

async fn ask(core: &Core, peer: NodeId) {
    let asked = Instant::now();
    let shows = core.context.wires.clock_of(peer, WITHIN).await.ok();
    core.context.clocks.take_in(peer, shows, asked.elapsed());
}
