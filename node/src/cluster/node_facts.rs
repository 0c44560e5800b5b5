//! What this node tells of itself: gathered every few seconds.

use super::machine;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::NodeFactsView;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often facts are gathered: load changes within seconds, nothing else does.
const GATHER_EVERY: Duration = Duration::from_secs(5);
/// How many models are named: a node's facts have to stay small.
const MAX_MODELS: usize = 16;

/// What nodes tell of themselves.
pub(crate) trait KnownFacts: Send + Sync {
    /// What is known, by node.
    fn known(&self) -> BTreeMap<NodeId, NodeFactsView>;
    /// Tells this to the others.
    fn tell(&self, facts: &NodeFactsView);
}

/// How many agents are active; there is no answer before the node serves.
pub(crate) type ActiveAgents = Arc<OnceLock<Box<dyn Fn() -> u64 + Send + Sync>>>;

/// What does not change while the node runs, and where the rest is asked.
pub(crate) struct Gatherer {
    /// The profile in force.
    pub(crate) profile: String,
    /// Local models, as `provider/model`.
    pub(crate) models: Vec<String>,
    /// Where the gateway listens, once it does.
    pub(crate) api: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// How many agents are active.
    pub(crate) active_agents: ActiveAgents,
}

impl Gatherer {
    /// Tells `facts` what there is to tell, until it is told to stop.
    pub(crate) async fn run(self, facts: Arc<dyn KnownFacts>, stopping: CancellationToken) {
        let Ok(gpus) = tokio::task::spawn_blocking(machine::gpus).await else { return };
        let mut every = tokio::time::interval(GATHER_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = every.tick() => {}
            }
            facts.tell(&self.gather(&gpus));
        }
    }

    fn gather(&self, gpus: &[String]) -> NodeFactsView {
        NodeFactsView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: self.profile.clone(),
            cpus: machine::cpus(),
            memory_mib: machine::memory_mib(),
            load: machine::load(),
            active_agents: self.active_agents.get().map_or(0, |count| count()),
            gpus: gpus.to_vec(),
            models: self.models.iter().take(MAX_MODELS).cloned().collect(),
            api: (self.api)().unwrap_or_default(),
        }
    }
}
