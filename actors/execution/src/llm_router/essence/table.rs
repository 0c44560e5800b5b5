//! What is known of models: prices, quality, abilities.

use octopussy_core::agent::Usage;
use serde::Deserialize;

/// One model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// The configured provider's name, or a protocol such as `openai` for every provider that speaks it.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// US dollars per million tokens sent.
    #[serde(default)]
    pub cost_in: f64,
    /// US dollars per million tokens answered.
    #[serde(default)]
    pub cost_out: f64,
    /// From 0 to 1, how good its answers are among the others of this table.
    #[serde(default = "middling")]
    pub quality: f64,
    /// How many tokens it can take in; 0: not known.
    #[serde(default)]
    pub context: u32,
    /// Whether it understands images.
    #[serde(default)]
    pub vision: bool,
    /// Billions of parameters; 0: not known. Without a GPU, small local models come first.
    #[serde(default)]
    pub size_b: f64,
    /// Whether it runs on machines of our own; absent: as its provider says.
    #[serde(default)]
    pub local: Option<bool>,
    /// Free words for people.
    #[serde(default)]
    pub tags: Vec<String>,
}

const fn middling() -> f64 {
    0.5
}

/// All models that are known.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingTable {
    /// The models.
    pub models: Vec<ModelEntry>,
}

impl RoutingTable {
    /// What no table may hold: the position and what is wrong with it.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.models.iter().enumerate().find_map(|(index, entry)| {
            let price = |value: f64| value.is_finite() && value >= 0.0;
            let name = format!("models[{index}] ({}/{})", entry.provider, entry.model);
            if !price(entry.cost_in) || !price(entry.cost_out) {
                Some(format!("{name}: cost_in and cost_out must be 0 or more"))
            } else if !(0.0..=1.0).contains(&entry.quality) {
                Some(format!("{name}: quality must be from 0 to 1"))
            } else if entry.provider.is_empty() || entry.model.is_empty() {
                Some(format!("{name}: provider and model must not be empty"))
            } else {
                None
            }
        })
    }

    /// The entry of a model at a provider, by the provider's name, else by its protocol.
    #[must_use]
    pub fn entry(&self, provider: &str, kind: &str, model: &str) -> Option<&ModelEntry> {
        let of = |owner: &str| self.models.iter().find(|entry| entry.provider == owner && entry.model == model);
        of(provider).or_else(|| of(kind))
    }
}

/// What a call cost, in millionths of a dollar, at prices per million tokens. Rounded up: a call that costs is never free.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded by the prices"
)]
pub fn cost_micros(usage: Usage, cost_in: f64, cost_out: f64) -> u64 {
    // Dollars per million tokens are millionths of a dollar per token.
    (usage.prompt_tokens as f64 * cost_in + usage.completion_tokens as f64 * cost_out).ceil().max(0.0) as u64
}
