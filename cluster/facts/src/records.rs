//! A node's facts as key-value pairs: what rarely changes and what changes all the time apart, so that news of the load do
//! not carry the list of models with them.

use crate::FactsError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use octopussy_core::codec;
use octopussy_core::ports::NodeFactsView;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The most a node's facts may take, encoded, in bytes: those of a thousand nodes are then 4 MB, and those of sixteen that
/// start together still fit into one message.
pub const MAX_FACTS_BYTES: usize = 4_096;

/// The key of [`NodeRecord`].
pub(crate) const NODE_KEY: &str = "node";
/// The key of [`LoadRecord`].
pub(crate) const LOAD_KEY: &str = "load";

/// What rarely changes. Fields are appended only: an older build reads the ones it knows.
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
    const fn of(facts: &NodeFactsView) -> Self {
        Self { load: facts.load, active_agents: facts.active_agents, stuck_groups: facts.stuck_groups }
    }
}

/// Facts, ready to be told.
#[derive(Debug, PartialEq)]
pub(crate) struct Encoded {
    pub(crate) node: String,
    pub(crate) load: String,
    /// The facts as others will read them.
    pub(crate) view: NodeFactsView,
    /// How many models did not fit.
    pub(crate) models_left_out: usize,
}

/// Encodes `facts`; of the models, as many as fit, from the first.
pub(crate) fn encode(facts: &NodeFactsView) -> Result<Encoded, FactsError> {
    let load = text(&LoadRecord::of(facts))?;
    let mut record = NodeRecord {
        version: facts.version.clone(),
        profile: facts.profile.clone(),
        cpus: facts.cpus,
        memory_mib: facts.memory_mib,
        gpus: facts.gpus.clone(),
        api: facts.api.clone(),
        models: Vec::new(),
    };
    let length = |node: &str| NODE_KEY.len() + node.len() + LOAD_KEY.len() + load.len();
    let bare = length(&text(&record)?);
    if bare > MAX_FACTS_BYTES {
        return Err(FactsError::TooLarge { actual: bare, limit: MAX_FACTS_BYTES });
    }
    // A model takes its name and one or two bytes of length, and base64 makes four of three; the list's own length may grow
    // by a byte or two.
    let mut left = (MAX_FACTS_BYTES - bare).saturating_sub(8) / 4 * 3;
    for model in &facts.models {
        let Some(rest) = left.checked_sub(model.len() + if model.len() < 128 { 1 } else { 2 }) else { break };
        left = rest;
        record.models.push(model.clone());
    }
    let node = text(&record)?;
    let view = view(&record, LoadRecord::of(facts));
    Ok(Encoded { models_left_out: facts.models.len() - record.models.len(), node, load, view })
}

/// Reads what another node told; `None` when it cannot be read, or is longer than it may be.
pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> Option<T> {
    if text.len() > MAX_FACTS_BYTES {
        return None;
    }
    codec::decode(&STANDARD_NO_PAD.decode(text).ok()?).ok()
}

/// The two records as one.
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

fn text<T: Serialize>(record: &T) -> Result<String, FactsError> {
    Ok(STANDARD_NO_PAD.encode(codec::encode(record)?))
}
