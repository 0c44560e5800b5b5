//! What an active agent shares with the runs, the ledger's observer and its callers.

use super::agent::AgentMsg;
use super::documents::Documents;
use super::run_control::{Interrupt, RunControl};
use crate::actor::essence::{Inbox, Memory};
use octopussy_core::agent::AgentState;
use octopussy_core::ids::{AgentId, Epoch, ShardId, TaskId};
use octopussy_core::ports::LlmPort;
use parking_lot::Mutex;
use ractor::ActorRef;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{OnceCell, watch};
use tokio::time::Instant;

/// What the runs of one version of an agent share.
#[derive(Default)]
pub(crate) struct Material {
    /// Of which version; 0 before there was a run.
    version: u32,
    /// The agent's own documents, read once.
    pub(crate) documents: OnceCell<Documents>,
    /// Its model, resolved once.
    pub(crate) llm: OnceLock<Arc<dyn LlmPort>>,
}

/// One activation of an agent.
pub(crate) struct AgentShared {
    /// Which agent.
    pub(crate) id: AgentId,
    /// Its shard.
    pub(crate) shard: ShardId,
    /// The leadership it is active under; every command carries it.
    pub(crate) epoch: Epoch,
    /// Live messages.
    pub(crate) inbox: Mutex<Inbox>,
    /// Where it is in its life.
    pub(crate) state: watch::Sender<AgentState>,
    /// What runs of one version share; the one that was asked for last.
    material: Mutex<Arc<Material>>,
    /// What a stateful agent remembers, beside the text it is stored as: spares reading it back for the next task.
    pub(crate) memory: Mutex<Option<(Arc<str>, Memory)>>,
    /// How long it may be without work before it is put to sleep.
    pub(crate) idle_limit: Duration,
    /// Whether a task hands live messages on.
    pub(crate) delivering: AtomicBool,
    actor: OnceLock<ActorRef<AgentMsg>>,
    woken: AtomicBool,
    stale: AtomicBool,
    failed: AtomicBool,
    fenced: AtomicBool,
    runs: Mutex<Vec<Arc<RunControl>>>,
    idle_since: Mutex<Option<Instant>>,
}

impl AgentShared {
    pub(crate) fn new(id: AgentId, shard: ShardId, epoch: Epoch, idle_limit: Duration) -> Self {
        Self {
            id,
            shard,
            epoch,
            inbox: Mutex::default(),
            state: watch::Sender::new(AgentState::Created),
            material: Mutex::default(),
            memory: Mutex::new(None),
            idle_limit,
            delivering: AtomicBool::new(false),
            actor: OnceLock::new(),
            // True until the actor is there: whoever wakes it before need not cast.
            woken: AtomicBool::new(true),
            stale: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            fenced: AtomicBool::new(false),
            runs: Mutex::default(),
            idle_since: Mutex::new(None),
        }
    }

    /// What the runs of this version share.
    pub(crate) fn material(&self, version: u32) -> Arc<Material> {
        let mut last = self.material.lock();
        if last.version != version {
            *last = Arc::new(Material { version, ..Material::default() });
        }
        Arc::clone(&last)
    }

    /// Ties the actor to it and wakes it for the first time.
    pub(crate) fn attach(&self, actor: ActorRef<AgentMsg>) {
        let _ = actor.cast(AgentMsg::Wake);
        let _ = self.actor.set(actor);
    }

    /// The actor, once attached.
    pub(crate) fn actor(&self) -> Option<&ActorRef<AgentMsg>> {
        self.actor.get()
    }

    /// There may be something to do. Any number of calls before the actor looks are one entry of its mailbox.
    pub(crate) fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.cast(AgentMsg::Wake);
        }
    }

    /// The agent's record has changed.
    pub(crate) fn refresh(&self) {
        self.stale.store(true, Ordering::Release);
        self.wake();
    }

    /// The actor looks now: later wake-ups are cast again.
    pub(crate) fn looking(&self) {
        self.woken.store(false, Ordering::Release);
    }

    /// Whether a wake-up is on its way.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// Whether the record has to be read anew; asks once.
    pub(crate) fn take_stale(&self) -> bool {
        self.stale.swap(false, Ordering::AcqRel)
    }

    /// Sends to the actor; one that is gone needs no message.
    pub(crate) fn cast(&self, message: AgentMsg) {
        if let Some(actor) = self.actor.get() {
            let _ = actor.cast(message);
        }
    }

    /// Silences the agent: this node does not lead its shard any more.
    pub(crate) fn fence(&self) {
        self.fenced.store(true, Ordering::Release);
        self.interrupt_all(Interrupt::Fence);
    }

    /// Whether it has been silenced.
    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    /// Adds a run.
    pub(crate) fn add_run(&self, run: Arc<RunControl>) {
        self.runs.lock().push(run);
        *self.idle_since.lock() = None;
    }

    /// A run is over; whether it failed. Any number of them before the actor looks are one wake-up.
    pub(crate) fn run_is_over(&self, task: TaskId, failed: bool) {
        if failed {
            self.failed.store(true, Ordering::Release);
        }
        self.runs.lock().retain(|run| run.task != task);
        self.wake();
    }

    /// Whether a run has failed since this was last asked.
    pub(crate) fn take_failed(&self) -> bool {
        self.failed.swap(false, Ordering::AcqRel)
    }

    /// How many runs there are, and how many of them still take a place.
    pub(crate) fn run_counts(&self) -> (usize, usize) {
        let runs = self.runs.lock();
        (runs.len(), runs.iter().filter(|run| !run.is_sealed()).count())
    }

    /// Whether the task is being run.
    pub(crate) fn runs(&self, task: TaskId) -> bool {
        self.runs.lock().iter().any(|run| run.task == task)
    }

    /// The tasks of the other runs.
    pub(crate) fn other_runs(&self, task: TaskId) -> Vec<TaskId> {
        self.runs.lock().iter().map(|run| run.task).filter(|other| *other != task).collect()
    }

    /// Interrupts one run.
    pub(crate) fn interrupt(&self, task: TaskId, reason: Interrupt) {
        if let Some(run) = self.runs.lock().iter().find(|run| run.task == task) {
            run.interrupt(reason);
        }
    }

    /// Interrupts every run.
    pub(crate) fn interrupt_all(&self, reason: Interrupt) {
        for run in self.runs.lock().iter() {
            run.interrupt(reason);
        }
    }

    /// Marks it idle from now on, unless it already is.
    pub(crate) fn mark_idle(&self) {
        self.idle_since.lock().get_or_insert_with(Instant::now);
    }

    /// For how long it has been idle; zero when it is not.
    pub(crate) fn idle_for(&self) -> Duration {
        self.idle_since.lock().map_or(Duration::ZERO, |since| since.elapsed())
    }
}
