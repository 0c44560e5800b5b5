//! A node's facts in two parts: what rarely changes and what changes all the time, so that news of the load do not carry the list
//! of models with them.

use crate::FactsError;
use octopussy_core::codec;
use octopussy_core::ports::NodeFactsView;
use serde::{Deserialize, Serialize};

/// The most a node's facts may take, encoded, in bytes: those of a thousand nodes are then 4 MB.
pub const MAX_FACTS_BYTES: usize = 4_096;

/// What rarely changes. Fields are appended only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeRecord {
    version: String,
    profile: String,
    cpus: u16,
    memory_mib: u64,
    gpus: Vec<String>,
    api: String,
    models: Vec<String>,
}

/// What changes all the time. Fields are appended only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LoadRecord {
    load: f32,
    active_agents: u64,
    stuck_groups: u16,
}

impl LoadRecord {
    fn of(facts: &NodeFactsView) -> Self {
        let load = if facts.load.is_finite() { facts.load.max(0.0) } else { 0.0 };
        Self { load, active_agents: facts.active_agents, stuck_groups: facts.stuck_groups }
    }

    /// Whether it is a load that a machine may have. One that equals nothing would be news for ever.
    pub(crate) fn is_plausible(&self) -> bool {
        self.load.is_finite() && self.load >= 0.0
    }
}

/// Facts, fit to be told.
#[derive(Debug, PartialEq)]
pub(crate) struct Fitted {
    pub(crate) node: NodeRecord,
    pub(crate) load: LoadRecord,
    /// How many models did not fit.
    pub(crate) models_left_out: usize,
}

/// Fits `facts` into their bound; of the models, as many as fit, from the first.
pub(crate) fn fit(facts: &NodeFactsView) -> Result<Fitted, FactsError> {
    let load = LoadRecord::of(facts);
    let mut node = NodeRecord {
        version: facts.version.clone(),
        profile: facts.profile.clone(),
        cpus: facts.cpus,
        memory_mib: facts.memory_mib,
        gpus: facts.gpus.clone(),
        api: facts.api.clone(),
        models: Vec::new(),
    };
    let bare = codec::encoded_len(&node)? + codec::encoded_len(&load)?;
    if bare > MAX_FACTS_BYTES {
        return Err(FactsError::TooLarge { actual: bare, limit: MAX_FACTS_BYTES });
    }
    // A model takes its name and one or two bytes of length; the list's own length may grow by a byte or two.
    let mut left = (MAX_FACTS_BYTES - bare).saturating_sub(2);
    for model in &facts.models {
        let Some(rest) = left.checked_sub(model.len() + if model.len() < 128 { 1 } else { 2 }) else { break };
        left = rest;
        node.models.push(model.clone());
    }
    Ok(Fitted { models_left_out: facts.models.len() - node.models.len(), node, load })
}

/// The two parts as one.
pub(crate) fn view(node: &NodeRecord, load: LoadRecord) -> NodeFactsView {
    NodeFactsView {
        version: node.version.clone(),
        profile: node.profile.clone(),
        cpus: node.cpus,
        memory_mib: node.memory_mib,
        load: load.load,
        active_agents: load.active_agents,
        gpus: node.gpus.clone(),
        models: node.models.clone(),
        api: node.api.clone(),
        stuck_groups: load.stuck_groups,
    }
}
