//! The agent's actor: decides when to begin which task and follows the agent's state. Never waits for a model.

use super::host::Host;
use super::run_control::{Interrupt, RunControl};
use super::run_task::{self, RunTask};
use super::shared::AgentShared;
use crate::actor::essence::{Wanted, next_event};
use async_trait::async_trait;
use octopussy_core::agent::{AgentEvent, AgentRecord, AgentState, AgentType, Desired};
use octopussy_core::ports::EventKind;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracing::{debug, warn};

/// What the agent's mailbox takes. Every variant is bounded by something outside: a wake-up by its flag, the
/// rest by timers.
#[derive(Debug)]
pub(crate) enum AgentMsg {
    /// Look what there is to do.
    Wake,
    /// Say that the runtime is alive.
    Beat,
    /// Go to sleep when there is nothing to do.
    Sleep,
}

/// What it is activated with.
pub(crate) struct Activation {
    pub(crate) host: Arc<Host>,
    pub(crate) shared: Arc<AgentShared>,
    pub(crate) record: Arc<AgentRecord>,
}

/// The actor of an active agent.
pub(crate) struct AgentActor;

/// Its state.
pub(crate) struct Active {
    host: Arc<Host>,
    shared: Arc<AgentShared>,
    record: Arc<AgentRecord>,
    state: AgentState,
    published: AgentState,
}

#[async_trait]
impl Actor for AgentActor {
    type Msg = AgentMsg;
    type State = Active;
    type Arguments = Activation;

    async fn pre_start(&self, _: ActorRef<AgentMsg>, with: Activation) -> Result<Active, ActorProcessingErr> {
        let Activation { host, shared, record } = with;
        let state = AgentState::Created;
        host.ports.messaging.publish(shared.id, None, EventKind::Agent(state));
        Ok(Active { host, shared, record, state, published: state })
    }

    async fn handle(
        &self,
        myself: ActorRef<AgentMsg>,
        message: AgentMsg,
        agent: &mut Active,
    ) -> Result<(), ActorProcessingErr> {
        if agent.shared.is_fenced() {
            myself.stop(Some("another node leads the shard".to_owned()));
            return Ok(());
        }
        if matches!(message, AgentMsg::Wake) {
            agent.shared.looking();
        }
        if !agent.reread() {
            agent.go();
            myself.stop(Some("deleted".to_owned()));
            return Ok(());
        }
        match message {
            AgentMsg::Wake => agent.look(),
            AgentMsg::Beat => {
                agent.host.ports.messaging.publish(agent.shared.id, None, EventKind::Heartbeat(agent.state));
            }
            AgentMsg::Sleep => {
                if agent.is_at_rest() && agent.host.put_to_sleep(&agent.shared) {
                    myself.stop(Some("idle".to_owned()));
                    return Ok(());
                }
            }
        }
        agent.settle();
        if agent.state == AgentState::Stopped {
            agent.host.forget(&agent.shared);
            myself.stop(Some("stopped".to_owned()));
        }
        Ok(())
    }
}

impl Active {
    /// Reads the record anew when it has changed, so that nothing is begun that is no longer wanted. No, when the agent was
    /// deleted; one that was created under its name since then is another.
    fn reread(&mut self) -> bool {
        if self.shared.take_stale() {
            match self.host.ports.led.agent(self.shared.id) {
                Ok(Some(record)) if record.created_at == self.record.created_at => self.record = record,
                Ok(_) => return false,
                Err(error) => warn!(agent.id = %self.shared.id, %error, "the agent's record cannot be read"),
            }
        }
        true
    }

    /// The agent was deleted: the ledger has ended its tasks, and its runs have nothing to say any more.
    fn go(&mut self) {
        self.shared.fence();
        self.shared.state.send_replace(AgentState::Stopped);
        self.host.ports.messaging.publish(self.shared.id, None, EventKind::Agent(AgentState::Stopped));
        self.host.forget(&self.shared);
        // What came for another agent of its name went to this activation.
        self.host.activate_for_work(self.shared.id);
    }

    /// Takes what there is to do.
    fn look(&mut self) {
        if self.shared.take_failed() && self.state == AgentState::Processing {
            self.apply(AgentEvent::Fail);
            self.publish();
        }
        match self.record.desired {
            Desired::Active => {}
            Desired::Paused => self.shared.interrupt_all(Interrupt::HandBack),
            Desired::Stopped => self.shared.interrupt_all(Interrupt::Stop),
        }
        self.host.deliver_inbox(&self.shared);
        self.pull();
    }

    /// Begins as many tasks as there are places.
    fn pull(&self) {
        let may_begin =
            !self.host.is_draining() && !self.host.is_yielding(self.shared.shard) && !self.shared.is_fenced();
        if self.record.desired != Desired::Active || !may_begin {
            return;
        }
        let limit = self.parallelism();
        let (runs, open) = self.shared.run_counts();
        if open >= limit {
            return;
        }
        // Tasks whose beginning is not committed yet are still among the waiting ones: ask for that many more.
        let waiting = self.host.ports.led.next_tasks(self.shared.id, limit + runs);
        let fresh = waiting.into_iter().filter(|task| !self.shared.runs(task.id));
        for task in fresh.take(limit - open) {
            let control = Arc::new(RunControl::new(task.id));
            self.shared.add_run(Arc::clone(&control));
            run_task::spawn(RunTask {
                host: Arc::clone(&self.host),
                shared: Arc::clone(&self.shared),
                material: self.shared.material(task.version_to_run(&self.record)),
                record: Arc::clone(&self.record),
                task,
                control,
            });
        }
    }

    fn parallelism(&self) -> usize {
        match self.record.spec.agent_type {
            AgentType::StatelessOneShot => self.host.config.one_shot_parallelism,
            AgentType::StatefulLoop | AgentType::ScheduledTaskDaemon | AgentType::UserDefined => 1,
        }
    }

    /// Whether nothing at all is under way.
    fn is_at_rest(&self) -> bool {
        let (runs, _) = self.shared.run_counts();
        let nothing_waits = self.record.desired != Desired::Active || self.host.ports.led.waiting(self.shared.id) == 0;
        runs == 0
            && nothing_waits
            && !self.shared.delivering.load(Ordering::Acquire)
            && self.shared.inbox.lock().is_empty()
    }

    /// Brings the state to where it belongs and tells those who listen.
    fn settle(&mut self) {
        let (runs, _) = self.shared.run_counts();
        let wanted = match (self.record.desired, runs) {
            (Desired::Stopped, 0) => Wanted::Stopped,
            (Desired::Stopped, _) => Wanted::Stopping,
            (Desired::Active | Desired::Paused, 1..) => Wanted::Processing,
            (Desired::Paused, 0) => Wanted::Paused,
            (Desired::Active, 0) => Wanted::Idle,
        };
        while let Some(event) = next_event(self.state, wanted) {
            self.apply(event);
        }
        if runs == 0 {
            self.shared.mark_idle();
        }
        self.publish();
    }

    fn apply(&mut self, event: AgentEvent) {
        match self.state.after(event) {
            Ok(state) => self.state = state,
            // next_event names legal transitions only; a test walks all of them.
            Err(error) => debug!(agent.id = %self.shared.id, %error, "transition left out"),
        }
    }

    fn publish(&mut self) {
        if self.published != self.state {
            self.published = self.state;
            self.shared.state.send_replace(self.state);
            self.host.ports.messaging.publish(self.shared.id, None, EventKind::Agent(self.state));
        }
    }
}
