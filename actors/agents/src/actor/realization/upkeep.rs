//! What the host does on its own: activations, heartbeats, putting idle agents to sleep, and the graceful stop.

use super::agent::AgentMsg;
use super::host::Host;
use super::run_control::Interrupt;
use octopussy_core::ids::AgentId;
use octopussy_lifecycle::Deadline;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often all agents with work are looked at, in case a wake-up was lost with an actor that failed.
const RESCAN: Duration = Duration::from_secs(5);

/// What a stopping host keeps of its deadline for handing back the runs that did not reach a step boundary by themselves.
const HAND_BACK: Duration = Duration::from_millis(500);

/// The host's own tasks.
pub(crate) struct Upkeep {
    pub(crate) host: Arc<Host>,
    pub(crate) activations: mpsc::Receiver<AgentId>,
    pub(crate) stopping: CancellationToken,
}

impl Upkeep {
    /// Runs until the capability stops.
    pub(crate) async fn run(mut self) {
        let mut beat = interval(Duration::from_millis(self.host.config.heartbeat_ms));
        let mut sweep = interval(self.sweep_period());
        let mut rescan = interval(RESCAN);
        for timer in [&mut beat, &mut sweep, &mut rescan] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                Some(agent) = self.activations.recv() => self.host.activate_for_work(agent),
                () = self.host.rescan.notified() => self.look_at_all(),
                _ = rescan.tick() => self.look_at_all(),
                _ = beat.tick() => {
                    for shared in self.host.all() {
                        shared.cast(AgentMsg::Beat);
                    }
                }
                _ = sweep.tick() => self.sweep(),
            }
        }
    }

    fn sweep_period(&self) -> Duration {
        let config = &self.host.config;
        Duration::from_millis(config.one_shot_idle_ms.min(config.stateful_idle_ms) / 2)
            .clamp(Duration::from_millis(10), Duration::from_millis(500))
    }

    fn look_at_all(&self) {
        for agent in self.host.ports.led.agents_with_work() {
            match self.host.get(agent) {
                Some(shared) => shared.wake(),
                None => self.host.activate_for_work(agent),
            }
        }
    }

    fn sweep(&self) {
        let shortest = Duration::from_millis(self.host.config.one_shot_idle_ms.min(self.host.config.stateful_idle_ms));
        for shared in self.host.all() {
            let idle = shared.idle_for();
            if idle > shortest && idle >= shared.idle_limit {
                shared.cast(AgentMsg::Sleep);
            }
        }
    }
}

/// Begins nothing any more, lets runs reach a step boundary, and hands back those that do not in time. `false`: some run
/// did not let go before the deadline; its task is taken up again by the next leadership.
pub(crate) async fn drain(host: &Arc<Host>, by: Deadline) -> bool {
    host.start_draining();
    let boundary = Instant::now() + by.remaining().saturating_sub(HAND_BACK);
    if !silent_until(host, boundary).await {
        for shared in host.all() {
            shared.interrupt_all(Interrupt::HandBack);
        }
        if !silent_until(host, Instant::now() + by.remaining()).await {
            return false;
        }
    }
    true
}

async fn silent_until(host: &Host, deadline: Instant) -> bool {
    loop {
        let told = host.quieter.notified();
        tokio::pin!(told);
        // Registered before the look, so that nothing that ends in between is missed.
        told.as_mut().enable();
        if host.all().iter().all(|shared| shared.run_counts().0 == 0) {
            return true;
        }
        if tokio::time::timeout_at(deadline, told).await.is_err() {
            return false;
        }
    }
}
