//! What this node tells of itself: gathered every few seconds.

use super::machine;
use crate::version::VERSION;
use async_trait::async_trait;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{NodeFactsView, OrchestratorPort};
use octopussy_facts::Facts;
use octopussy_shard::ShardHost;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often facts are gathered: load changes within seconds, nothing else does.
const GATHER_EVERY: Duration = Duration::from_secs(5);
/// How many models are named: a node's facts have to stay small.
const MAX_MODELS: usize = 16;

/// What nodes tell of themselves.
#[async_trait]
pub(crate) trait KnownFacts: Send + Sync {
    /// What is known, by node.
    fn known(&self) -> BTreeMap<NodeId, NodeFactsView>;
    /// Tells this to the others.
    async fn tell(&self, facts: &NodeFactsView);
}

#[async_trait]
impl KnownFacts for Facts {
    fn known(&self) -> BTreeMap<NodeId, NodeFactsView> {
        BTreeMap::clone(&self.all())
    }

    async fn tell(&self, facts: &NodeFactsView) {
        if let Err(error) = self.set(facts) {
            tracing::warn!(%error, "the facts about this node were not told");
        }
    }
}

/// What does not change while the node runs, and where the rest is asked.
pub(crate) struct Gatherer {
    /// The profile in force.
    pub(crate) profile: String,
    /// Local models, as `provider/model`.
    pub(crate) models: Vec<String>,
    /// Where the gateway listens, as `https://host:port`.
    pub(crate) api: String,
    /// Who knows how many agents are active.
    pub(crate) orchestrator: Arc<dyn OrchestratorPort>,
    /// Who knows which groups are stuck.
    pub(crate) shards: Arc<ShardHost>,
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
            let active = u64::try_from(self.orchestrator.status().await.active_agents).unwrap_or(u64::MAX);
            facts.tell(&self.gather(&gpus, active)).await;
        }
    }

    fn gather(&self, gpus: &[String], active_agents: u64) -> NodeFactsView {
        NodeFactsView {
            version: VERSION.to_owned(),
            profile: self.profile.clone(),
            cpus: machine::cpus(),
            memory_mib: machine::memory_mib(),
            load: machine::load(),
            active_agents,
            gpus: gpus.to_vec(),
            models: self.models.iter().take(MAX_MODELS).cloned().collect(),
            api: self.api.clone(),
            stuck_groups: u16::try_from(self.shards.stuck().len()).unwrap_or(u16::MAX),
        }
    }
}
