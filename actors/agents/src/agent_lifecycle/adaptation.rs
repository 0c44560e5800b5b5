//! The handle that offers the states of active agents to others.

use super::essence::Registry;
use octopussy_core::agent::{AgentEvent, AgentState, IllegalTransition};
use octopussy_core::ids::AgentId;
use octopussy_core::ports::{AgentLifecyclePort, AgentStatus, EventKind};
use octopussy_core::time::Clock;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::warn;

/// A cheap handle of the registry of active agents.
#[derive(Clone)]
pub struct AgentLifecycleHandle(Arc<Shared>);

struct Shared {
    registry: Mutex<Registry>,
    clock: Arc<dyn Clock>,
    warned_full: AtomicBool,
}

impl AgentLifecycleHandle {
    pub(super) fn new(registry: Registry, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { registry: Mutex::new(registry), clock, warned_full: AtomicBool::new(false) }))
    }

    /// Takes one piece of news.
    pub(super) fn heard(&self, agent: AgentId, kind: &EventKind) {
        let now = self.0.clock.now();
        let mut registry = self.0.registry.lock();
        let followed = match kind {
            EventKind::Agent(state) => registry.announced(agent, *state, now),
            EventKind::Heartbeat(state) => registry.heartbeat(agent, Some(*state), now),
            EventKind::Passivated => {
                registry.deregister(agent);
                true
            }
            EventKind::Gap => {
                registry.doubt();
                true
            }
            EventKind::Token { .. }
            | EventKind::Step(_)
            | EventKind::Task(_)
            | EventKind::Ended(_)
            | EventKind::BudgetExhausted(_) => return,
        };
        drop(registry);
        self.warn_when_full(followed);
    }

    /// Forgets agents whose end was lost.
    pub(super) fn forget_lost(&self) {
        self.0.registry.lock().forget_lost(self.0.clock.now());
    }

    fn warn_when_full(&self, followed: bool) {
        if !followed && !self.0.warned_full.swap(true, Ordering::Relaxed) {
            warn!("more agents are active than are followed: raise agent_lifecycle.max_agents");
        }
    }
}

impl AgentLifecyclePort for AgentLifecycleHandle {
    fn register(&self, agent: AgentId) {
        let followed = self.0.registry.lock().register(agent, self.0.clock.now());
        self.warn_when_full(followed);
    }

    fn transition(&self, agent: AgentId, event: AgentEvent) -> Result<AgentState, IllegalTransition> {
        self.0.registry.lock().transition(agent, event, self.0.clock.now())
    }

    fn status(&self, agent: AgentId) -> Option<AgentStatus> {
        self.0.registry.lock().status(agent, self.0.clock.now())
    }

    fn heartbeat(&self, agent: AgentId) {
        self.0.registry.lock().heartbeat(agent, None, self.0.clock.now());
    }

    fn deregister(&self, agent: AgentId) {
        self.0.registry.lock().deregister(agent);
    }

    fn list(&self) -> Vec<(AgentId, AgentStatus)> {
        self.0.registry.lock().list(self.0.clock.now())
    }
}
