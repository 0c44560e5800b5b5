//! Whom an unaddressed task is for.

use octopussy_core::agent::{AgentRecord, Desired};
use octopussy_core::ids::AgentId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The shortest word that says anything about a topic.
const MIN_WORD: usize = 3;
/// How much of an agent's texts is compared, in bytes: what it is for stands at the beginning.
const COMPARED: usize = 4 * 1024;

/// The active agent whose name, tags, description and goal share most with `input`: words that few agents have count more,
/// and so do words of the name and the tags. With only one active agent that one; `None` when nothing is shared.
pub(in crate::orchestrator) fn choose(agents: &[Arc<AgentRecord>], input: &str) -> Option<AgentId> {
    let active: Vec<_> = agents.iter().filter(|agent| agent.desired == Desired::Active).collect();
    if let [only] = active.as_slice() {
        return Some(only.id);
    }
    let asked: BTreeSet<String> = words(input).collect();
    let weights: Vec<_> = active.iter().map(|agent| weights(agent)).collect();
    let mut holders: BTreeMap<&str, u32> = BTreeMap::new();
    for word in weights.iter().flat_map(BTreeMap::keys) {
        *holders.entry(word).or_default() += 1;
    }
    let score = |index: usize| -> f64 {
        // By the agent's words, which are few, and not by those of the input.
        weights[index]
            .iter()
            .filter(|(word, _)| asked.contains(*word))
            .filter_map(|(word, weight)| Some(f64::from(*weight) / f64::from(*holders.get(word.as_str())?)))
            .sum()
    };
    (0..active.len())
        .map(|index| (score(index), index))
        .filter(|(score, _)| *score > 0.0)
        // The later of two equals wins `max_by`, so the order is reversed: the first agent by id is the answer.
        .max_by(|(a, i), (b, j)| a.total_cmp(b).then(j.cmp(i)))
        .map(|(_, index)| active[index].id)
}

fn weights(agent: &AgentRecord) -> BTreeMap<String, u32> {
    let spec = &agent.spec;
    let mut weights = BTreeMap::new();
    let mut left = COMPARED;
    let mut add = |text: &str, weight: u32| {
        let compared = &text[..text.floor_char_boundary(left)];
        left -= compared.len();
        for word in words(compared) {
            let entry = weights.entry(word).or_insert(0);
            *entry = weight.max(*entry);
        }
    };
    add(&spec.name, 4);
    for tag in &spec.tags {
        add(tag, 4);
    }
    add(&spec.description, 2);
    add(&spec.goal, 1);
    weights
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= MIN_WORD).map(|word| {
        let lower = word.to_lowercase();
        // Enough of a stem to let "tickets" meet "ticket".
        lower.strip_suffix('s').filter(|stem| stem.len() > MIN_WORD).map(str::to_owned).unwrap_or(lower)
    })
}
