//! The host: which agents are active on this node, and what they share.

use super::agent::{Activation, AgentActor, AgentMsg};
use super::documents::DocumentCache;
use super::run_control::Interrupt;
use super::shared::AgentShared;
use crate::actor::contract::ActorRequires;
use crate::actor::essence::{ActorConfig, Backoff};
use octopussy_core::agent::{AgentRecord, AgentState, AgentType, Desired};
use octopussy_core::ids::{AgentId, ShardId};
use octopussy_core::message::ReplayWindow;
use octopussy_core::ports::{EventKind, Metric};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::time::Clock;
use parking_lot::{Mutex, RwLock};
use ractor::{ActorCell, ActorRuntime};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

/// How many activations may wait to be looked at; beyond it, the whole list of agents with work is read instead.
pub(crate) const ACTIVATION_QUEUE: usize = 4_096;

/// Runs the agents of this node.
pub(crate) struct Host {
    /// The injected ports.
    pub(crate) ports: ActorRequires,
    /// Tells the time that goes into the ledger.
    pub(crate) clock: Arc<dyn Clock>,
    /// How agents run.
    pub(crate) config: ActorConfig,
    /// One permit for each run that may be under way.
    pub(crate) permits: Arc<Semaphore>,
    /// Documents of all agents.
    pub(crate) cache: DocumentCache,
    /// Ids of live messages.
    pub(crate) replay: Mutex<ReplayWindow>,
    /// Asks for a look at all agents with work.
    pub(crate) rescan: Notify,
    /// Told whenever an agent or a run is over, for whoever waits for silence.
    pub(crate) quieter: Notify,
    active: RwLock<HashMap<AgentId, Arc<AgentShared>>>,
    activations: mpsc::Sender<AgentId>,
    root: OnceLock<ActorCell>,
    /// Cancelled when the node stops, for whoever waits for something that may not come before.
    pub(crate) stopping: CancellationToken,
    draining: AtomicBool,
    /// Shards that this node is about to give away.
    yielding: watch::Sender<HashSet<ShardId>>,
}

impl Host {
    /// A host without agents; the receiver feeds its activations.
    pub(crate) fn new(
        ports: ActorRequires,
        clock: Arc<dyn Clock>,
        config: ActorConfig,
    ) -> (Arc<Self>, mpsc::Receiver<AgentId>) {
        let (activations, receiver) = mpsc::channel(ACTIVATION_QUEUE);
        let host = Self {
            permits: Arc::new(Semaphore::new(config.max_concurrent_runs)),
            cache: DocumentCache::new(config.document_cache_bytes),
            replay: Mutex::new(ReplayWindow::new(config.replay_window)),
            rescan: Notify::new(),
            quieter: Notify::new(),
            active: RwLock::default(),
            activations,
            root: OnceLock::new(),
            stopping: CancellationToken::new(),
            draining: AtomicBool::new(false),
            yielding: watch::Sender::default(),
            ports,
            clock,
            config,
        };
        (Arc::new(host), receiver)
    }

    /// Names the actor under which agents run.
    pub(crate) fn set_root(&self, root: ActorCell) {
        let _ = self.root.set(root);
    }

    /// How long to wait before a task is tried again.
    pub(crate) const fn backoff(&self) -> Backoff {
        Backoff {
            base: Duration::from_millis(self.config.retry_base_ms),
            max: Duration::from_millis(self.config.retry_max_ms),
        }
    }

    /// Begins no more tasks from here on.
    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Release);
        self.stopping.cancel();
    }

    /// Whether the node is stopping.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// The shard is about to be given away, or is not any longer. Never blocks.
    pub(crate) fn set_yielding(&self, shard: ShardId, yields: bool) {
        self.yielding
            .send_if_modified(|yielding| if yields { yielding.insert(shard) } else { yielding.remove(&shard) });
        if !yields {
            // Whatever was left waiting meanwhile.
            self.rescan.notify_one();
        }
    }

    /// Whether the shard is about to be given away: nothing is begun in it, and runs end at their next step boundary.
    pub(crate) fn is_yielding(&self, shard: ShardId) -> bool {
        self.yielding.borrow().contains(&shard)
    }

    /// Waits until the shard is about to be given away.
    pub(crate) async fn until_yielding(&self, shard: ShardId) {
        // The sender is this host's own; it does not go away while it is waited for.
        let _ = self.yielding.subscribe().wait_for(|yielding| yielding.contains(&shard)).await;
    }

    /// There may be work for the agent. Cheap and never blocks: called on the ledger's applying thread.
    pub(crate) fn wake(&self, agent: AgentId) {
        if let Some(shared) = self.active.read().get(&agent) {
            shared.wake();
            return;
        }
        if self.activations.try_send(agent).is_err() {
            self.rescan.notify_one();
        }
    }

    /// The agent's record has changed. Never blocks.
    pub(crate) fn refresh(&self, agent: AgentId) {
        match self.active.read().get(&agent) {
            Some(shared) => shared.refresh(),
            None => {
                if self.activations.try_send(agent).is_err() {
                    self.rescan.notify_one();
                }
            }
        }
    }

    /// The agent, when it is active.
    pub(crate) fn get(&self, agent: AgentId) -> Option<Arc<AgentShared>> {
        self.active.read().get(&agent).cloned()
    }

    /// All active agents.
    pub(crate) fn all(&self) -> Vec<Arc<AgentShared>> {
        self.active.read().values().cloned().collect()
    }

    /// How many agents are active.
    pub(crate) fn count(&self) -> usize {
        self.active.read().len()
    }

    /// The state of an active agent.
    pub(crate) fn state(&self, agent: AgentId) -> Option<AgentState> {
        self.active.read().get(&agent).map(|shared| *shared.state.borrow())
    }

    /// Activates the agent if it has work and its owner wants it to work.
    pub(crate) fn activate_for_work(self: &Arc<Self>, agent: AgentId) {
        if self.ports.led.waiting(agent) == 0 || self.is_draining() {
            return;
        }
        match self.ports.led.agent(agent) {
            Ok(Some(record)) if record.desired == Desired::Active => {
                if let Err(problem) = self.activate_as(record) {
                    debug!(agent.id = %agent, %problem, "not activated");
                }
            }
            Ok(_) => {}
            Err(error) => error!(agent.id = %agent, %error, "the agent's record cannot be read"),
        }
    }

    /// The agent's one activation on this node: the present one, or a new one restored from the ledger.
    pub(crate) fn activate(self: &Arc<Self>, agent: AgentId) -> Result<Arc<AgentShared>, Problem> {
        if let Some(shared) = self.get(agent) {
            return Ok(shared);
        }
        let record = self
            .ports
            .led
            .agent(agent)?
            .ok_or_else(|| Problem::new(Code::UnknownAgent, format!("there is no agent {agent}")))?;
        self.activate_as(record)
    }

    /// The agent's one activation, given its record.
    fn activate_as(self: &Arc<Self>, record: Arc<AgentRecord>) -> Result<Arc<AgentShared>, Problem> {
        let agent = record.id;
        if self.is_draining() {
            return Err(Problem::new(Code::NotReady, "the node is stopping").retry_after(Duration::from_secs(1)));
        }
        let root =
            self.root.get().ok_or_else(|| Problem::new(Code::NotReady, "the agents' supervisor is not running"))?;
        if record.desired == Desired::Stopped {
            return Err(Problem::new(Code::AgentStopped, format!("agent '{}' is stopped", record.spec.name)));
        }
        let shard = self.ports.ledger.shards().shard_of(agent);
        let idle = self.config.idle(record.spec.agent_type == AgentType::StatelessOneShot);
        let mut active = self.active.write();
        if let Some(shared) = active.get(&agent) {
            return Ok(Arc::clone(shared));
        }
        // Read under the lock: whoever hears of a lost leadership takes this lock, too, and finds the agent.
        let epoch = self.ports.led.epoch(shard).ok_or_else(|| {
            Problem::new(Code::NotReady, format!("this node does not lead shard {shard}"))
                .retry_after(Duration::from_secs(1))
        })?;
        let shared = Arc::new(AgentShared::new(agent, shard, epoch, idle));
        let activation = Activation { host: Arc::clone(self), shared: Arc::clone(&shared), record };
        let (actor, _) = ActorRuntime::spawn_linked_instant(None, AgentActor, activation, root.clone())
            .map_err(|error| Problem::new(Code::Internal, format!("the agent's actor cannot be started: {error}")))?;
        active.insert(agent, Arc::clone(&shared));
        let count = active.len();
        drop(active);
        shared.attach(actor);
        self.gauge(count);
        Ok(shared)
    }

    /// Takes a resting agent out of the active ones, unless it was woken in the meantime.
    pub(crate) fn put_to_sleep(self: &Arc<Self>, shared: &Arc<AgentShared>) -> bool {
        let count = {
            let mut active = self.active.write();
            if shared.is_woken() {
                return false;
            }
            remove(&mut active, shared);
            active.len()
        };
        self.gauge(count);
        self.ports.messaging.publish(shared.id, None, EventKind::Passivated);
        // Work that arrived while it was still listed was a wake-up to the old activation; look once more.
        self.activate_for_work(shared.id);
        true
    }

    /// The activation is over.
    pub(crate) fn forget(&self, shared: &Arc<AgentShared>) {
        let count = {
            let mut active = self.active.write();
            remove(&mut active, shared);
            active.len()
        };
        self.gauge(count);
    }

    /// An actor ended on its own or failed: its activation must not stay listed.
    pub(crate) fn forget_actor(&self, actor: &ActorCell) {
        let gone = {
            let active = self.active.read();
            let found = active.values().find(|shared| shared.actor().is_some_and(|own| own.get_id() == actor.get_id()));
            found.cloned()
        };
        if let Some(shared) = gone {
            // The runs outlive the actor; handed back, their tasks come to the next activation.
            shared.interrupt_all(Interrupt::HandBack);
            self.forget(&shared);
            self.ports.messaging.publish(shared.id, None, EventKind::Passivated);
        }
    }

    /// Silences every agent of a shard that this node no longer leads.
    pub(crate) fn fence(&self, shard: ShardId) {
        let (lost, count) = {
            let mut active = self.active.write();
            let lost: Vec<_> = active.values().filter(|shared| shared.shard == shard).cloned().collect();
            for shared in &lost {
                shared.fence();
                remove(&mut active, shared);
            }
            (lost, active.len())
        };
        for shared in &lost {
            shared.cast(AgentMsg::Wake);
            self.ports.messaging.publish(shared.id, None, EventKind::Passivated);
        }
        self.gauge(count);
    }

    fn gauge(&self, count: usize) {
        self.ports.observability.gauge(Metric::ActiveAgents, i64::try_from(count).unwrap_or(i64::MAX));
        self.quieter.notify_waiters();
    }
}

/// Removes this activation and no later one.
fn remove(active: &mut HashMap<AgentId, Arc<AgentShared>>, shared: &Arc<AgentShared>) {
    if active.get(&shared.id).is_some_and(|listed| Arc::ptr_eq(listed, shared)) {
        active.remove(&shared.id);
    }
}
