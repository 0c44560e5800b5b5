//! What the halves of messaging share.

use super::Hub;
use super::remote::Relays;
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::{
    AgentHost, AgentLifecyclePort, LedShardsPort, LedgerPort, MeshPort, ObservabilityPort, SecurityPort, Subscription,
    Topic,
};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::time::Clock;
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Duration;

/// The first wait before something is tried again at a leader that was not there.
pub(super) const RETRY_FIRST: Duration = Duration::from_millis(50);

/// The longest such wait: shorter than an election, so that the next leader is found soon after it is there.
pub(super) const RETRY_MOST: Duration = Duration::from_millis(500);

/// The hub and the ports around it.
pub(crate) struct Parts {
    pub(crate) hub: Arc<Hub>,
    pub(crate) ledger: Arc<dyn LedgerPort>,
    pub(crate) led: Arc<dyn LedShardsPort>,
    pub(crate) mesh: Arc<dyn MeshPort>,
    pub(crate) security: Arc<dyn SecurityPort>,
    pub(crate) observability: Arc<dyn ObservabilityPort>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) host: RwLock<Option<Arc<dyn AgentHost>>>,
    pub(crate) lifecycle: RwLock<Option<Arc<dyn AgentLifecyclePort>>>,
    pub(crate) relays: Relays,
}

impl Parts {
    /// Whether this node leads the shard.
    pub(super) fn leads(&self, shard: ShardId) -> bool {
        self.led.epoch(shard).is_some()
    }

    /// The other node that leads the shard, as far as is known.
    pub(super) fn leader_elsewhere(&self, shard: ShardId) -> Option<NodeId> {
        self.ledger.leader(shard).filter(|leader| *leader != self.mesh.incarnation().node)
    }

    /// News as they arise on this node.
    pub(crate) fn here(
        &self,
        topic: Topic,
        after: Option<octopussy_core::ports::EventId>,
    ) -> Result<Subscription, Problem> {
        let agent = match topic {
            Topic::Task(task) => self.led.task(task).ok().flatten().map(|task| task.agent),
            Topic::Agent(agent) => Some(agent),
            Topic::Agents | Topic::All => None,
        };
        self.hub.subscribe(topic, agent, after)
    }

    /// The agents' host, once it has been attached.
    pub(super) fn host(&self) -> Result<Arc<dyn AgentHost>, Problem> {
        self.host.read().clone().ok_or_else(|| {
            Problem::new(Code::NotReady, "no agents are hosted on this node yet").retry_after(Duration::from_secs(1))
        })
    }
}

/// The waits between attempts: each twice as long as the one before, up to a bound.
#[derive(Debug)]
pub(super) struct Waits(Duration);

impl Waits {
    pub(super) const fn new() -> Self {
        Self(RETRY_FIRST)
    }

    /// How long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(RETRY_MOST);
        wait
    }
}
