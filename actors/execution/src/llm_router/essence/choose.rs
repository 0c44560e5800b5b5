//! Which model answers when the agent names none.

use super::RoutingTable;
use octopussy_core::agent::Strategy;

/// A provider that can be asked now.
#[derive(Debug, Clone)]
pub struct Offer<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its protocol.
    pub kind: &'a str,
    /// Its default model.
    pub model: &'a str,
    /// Whether it runs on machines of our own.
    pub local: bool,
    /// US dollars per million tokens sent, where the table does not know better.
    pub cost_in: f64,
    /// US dollars per million tokens answered, where the table does not know better.
    pub cost_out: f64,
}

/// A model at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The provider's name.
    pub provider: String,
    /// The model's name there.
    pub model: String,
}

struct Rated {
    choice: Choice,
    price: f64,
    quality: f64,
    local: bool,
    size: f64,
}

/// The models to ask, best first. Models of providers that are not on offer, and models that do not see when images have to be
/// understood, are not among them. LOCAL and CLOUD are promises, not wishes: the other kind is left out.
#[must_use]
pub fn choose(
    table: &RoutingTable,
    offers: &[Offer<'_>],
    strategy: Strategy,
    model: Option<&str>,
    vision: bool,
    gpu: bool,
) -> Vec<Choice> {
    let mut rated: Vec<Rated> = offers.iter().flat_map(|offer| rate(table, offer, model, vision)).collect();
    match strategy {
        Strategy::Local => rated.retain(|rated| rated.local),
        Strategy::Cloud => rated.retain(|rated| !rated.local),
        Strategy::Cost | Strategy::Quality | Strategy::Balanced => {}
    }
    let value = |rated: &Rated| rated.quality - 0.12 * rated.price.ln_1p();
    rated.sort_by(|a, b| {
        let by_quality = b.quality.total_cmp(&a.quality);
        let by_price = a.price.total_cmp(&b.price);
        match strategy {
            Strategy::Cost => by_price.then(by_quality),
            Strategy::Quality => by_quality.then(by_price),
            Strategy::Balanced | Strategy::Cloud => value(b).total_cmp(&value(a)).then(by_price),
            Strategy::Local if gpu => by_quality,
            Strategy::Local => a.size.total_cmp(&b.size).then(by_quality),
        }
        .then_with(|| (&a.choice.provider, &a.choice.model).cmp(&(&b.choice.provider, &b.choice.model)))
    });
    rated.into_iter().map(|rated| rated.choice).collect()
}

/// All models of one provider. One that the table does not know has its default model, of middling quality.
fn rate(table: &RoutingTable, offer: &Offer<'_>, model: Option<&str>, vision: bool) -> Vec<Rated> {
    // Of a name and a protocol that both have entries the name's are meant.
    let owner = if table.models.iter().any(|entry| entry.provider == offer.name) { offer.name } else { offer.kind };
    let mut rated: Vec<Rated> = table
        .models
        .iter()
        .filter(|entry| entry.provider == owner && model.is_none_or(|model| model == entry.model))
        // A machine of our own only has the models that somebody put there: the configured one.
        .filter(|entry| !offer.local || entry.model == offer.model || model.is_some())
        .filter(|entry| entry.vision || !vision)
        .map(|entry| Rated {
            choice: Choice { provider: offer.name.to_owned(), model: entry.model.clone() },
            price: blended(entry.cost_in, entry.cost_out),
            quality: entry.quality,
            local: entry.local.unwrap_or(offer.local),
            size: entry.size_b,
        })
        .collect();
    let default_is_known = table.entry(offer.name, offer.kind, offer.model).is_some();
    let wanted = model.is_none_or(|model| model == offer.model);
    if !default_is_known && wanted && !vision && !offer.model.is_empty() {
        rated.push(Rated {
            choice: Choice { provider: offer.name.to_owned(), model: offer.model.to_owned() },
            price: blended(offer.cost_in, offer.cost_out),
            quality: 0.5,
            local: offer.local,
            size: 0.0,
        });
    }
    rated
}

/// One price for both directions: agents send about three times of what they get.
fn blended(cost_in: f64, cost_out: f64) -> f64 {
    (3.0 * cost_in + cost_out) / 4.0
}
