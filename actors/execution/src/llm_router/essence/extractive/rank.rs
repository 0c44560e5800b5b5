//! Chooses the sentences that answer.

use super::ask::{Ask, Dialogue, is_telling};
use super::material::{Material, Unit};
use octopussy_core::ports::ChatRequest;
use octopussy_core::text::{Keyword, SentenceKind, Term};
use std::collections::{HashMap, HashSet};

/// How many sentences an answer is made of at most, before what belongs to them is added.
const QUOTES: usize = 5;
/// How many sentences a summary is made of at most.
const SUMMARY_QUOTES: usize = 7;
/// How many list items follow a sentence that announces them.
const ITEMS: usize = 6;
/// A sentence this much worse than the best one is left out.
const FLOOR: f32 = 0.4;
/// How much likeness to what has been chosen counts against a sentence (maximal marginal relevance, Carbonell and Goldstein 1998).
const DIVERSITY: f32 = 0.5;

/// The sentences that answer, in the order of the material. Empty when nothing fits.
pub(super) fn best<'a>(request: &'a ChatRequest, ask: &Ask<'a>, dialogue: &Dialogue<'a>) -> Vec<Unit<'a>> {
    let material = Material::of(request, ask, dialogue);
    let telling: Vec<Keyword> =
        material.analyzer.keywords(&ask.question).into_iter().filter(|keyword| is_telling(&keyword.word)).collect();
    let known = telling.iter().any(|keyword| material.around.weight(keyword.term) > 0.0);
    let wanted: Vec<Term> = telling.iter().map(|keyword| keyword.term).collect();
    let scores = if ask.summary && (!known || wanted.is_empty()) {
        central(&material, &[])
    } else if ask.summary {
        central(&material, &relevance(&material, &wanted))
    } else if wanted.is_empty() || !covered(&material, &wanted) {
        return Vec::new();
    } else {
        relevance(&material, &wanted)
    };
    let limit = if ask.summary { SUMMARY_QUOTES } else { QUOTES };
    let chosen = diverse(&material, &scores, limit);
    let chosen = complete(&material, chosen);
    chosen.into_iter().map(|index| material.units[index].clone()).collect()
}

/// The sentences that fit `wanted` best, for one who asks for single words.
pub(super) fn for_terms<'a>(material: &Material<'a>, wanted: &[Term], limit: usize) -> Vec<Unit<'a>> {
    let scores = relevance(material, wanted);
    let chosen = complete(material, diverse(material, &scores, limit));
    chosen.into_iter().map(|index| material.units[index].clone()).collect()
}

/// Whether some sentence, with its surroundings, speaks of enough of the question: a third of its words by their weight. One
/// shared word of many is an accident.
fn covered(material: &Material<'_>, wanted: &[Term]) -> bool {
    let count = material.units.iter().map(|unit| {
        let context: HashSet<&Term> = unit.context.iter().collect();
        wanted.iter().filter(|term| context.contains(term)).count()
    });
    let most = count.max().unwrap_or(0);
    most > 0 && most * 3 >= wanted.len()
}

/// By the words of the sentence itself, less by what stands around it, and a little by how early it comes.
fn relevance(material: &Material<'_>, wanted: &[Term]) -> Vec<f32> {
    let own = material.own.scores(wanted);
    let around = material.around.scores(wanted);
    own.iter()
        .zip(&around)
        .zip(&material.units)
        .map(|((own, around), unit)| (own + 0.4 * around) * kind_factor(unit.kind) * length_factor(unit))
        .collect()
}

const fn kind_factor(kind: SentenceKind) -> f32 {
    match kind {
        SentenceKind::Prose | SentenceKind::ListItem => 1.0,
        SentenceKind::TableRow => 0.9,
        SentenceKind::Code => 0.4,
        SentenceKind::Heading | SentenceKind::Rule => 0.0,
    }
}

/// Fragments say little.
fn length_factor(unit: &Unit<'_>) -> f32 {
    match unit.terms.len() {
        0 | 1 => 0.4,
        2 => 0.7,
        _ => 1.0,
    }
}

/// How much a sentence speaks of what the whole material speaks of, and whether it opens its passage. With `relevance`, only the
/// sentences that have some are in question.
#[expect(clippy::cast_precision_loss, reason = "a score needs no more than 24 bits")]
fn central(material: &Material<'_>, relevance: &[f32]) -> Vec<f32> {
    let mut frequency: HashMap<Term, u32> = HashMap::new();
    for unit in &material.units {
        let own: HashSet<Term> = unit.terms.iter().copied().collect();
        for term in own {
            *frequency.entry(term).or_default() += 1;
        }
    }
    let mut last_block = None;
    let strongest = relevance.iter().copied().fold(0.0f32, f32::max).max(f32::EPSILON);
    material
        .units
        .iter()
        .enumerate()
        .map(|(index, unit)| {
            let mut own = unit.terms.clone();
            own.sort_unstable();
            own.dedup();
            let common: f32 = own.iter().map(|term| frequency.get(term).map_or(0.0, |count| (*count as f32 - 1.0).max(0.0).sqrt())).sum();
            let opens = last_block != Some(unit.block.0);
            last_block = Some(unit.block.0);
            let lead = if opens { 1.5 } else { 1.0 } * if index == 0 { 1.3 } else { 1.0 };
            let prose = if unit.kind == SentenceKind::Prose { 1.0 } else { 0.7 };
            // Below a dozen words length is a virtue, above it is not.
            let base = (0.5 + common) / (own.len().max(10) as f32).powf(0.7);
            let fits = relevance.get(index).map_or(1.0, |relevance| relevance / strongest);
            base * lead * prose * fits * kind_factor(unit.kind) * length_factor(unit)
        })
        .collect()
}

/// The best sentences that do not repeat one another, in the order of the material.
fn diverse(material: &Material<'_>, scores: &[f32], limit: usize) -> Vec<usize> {
    let top = scores.iter().copied().fold(0.0f32, f32::max);
    if top <= 0.0 {
        return Vec::new();
    }
    let mut candidates: Vec<usize> = (0..scores.len()).filter(|index| scores[*index] >= FLOOR * top).collect();
    candidates.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    // Likeness is worked out in pairs: what is far down would not be chosen anyway.
    candidates.truncate(8 * limit);
    let sets: Vec<HashSet<Term>> =
        candidates.iter().map(|index| material.units[*index].terms.iter().copied().collect()).collect();
    let mut chosen: Vec<usize> = Vec::new();
    let mut likeness = vec![0.0f32; candidates.len()];
    while chosen.len() < limit {
        let next = (0..candidates.len())
            .filter(|at| !chosen.contains(at) && likeness[*at] < 0.8)
            .map(|at| (at, scores[candidates[at]] / top - DIVERSITY * likeness[at]))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        let Some((next, value)) = next else { break };
        if value <= 0.15 {
            break;
        }
        chosen.push(next);
        for at in 0..candidates.len() {
            likeness[at] = likeness[at].max(jaccard(&sets[at], &sets[next]));
        }
    }
    let mut chosen: Vec<usize> = chosen.into_iter().map(|at| candidates[at]).collect();
    chosen.sort_unstable();
    chosen
}

#[expect(clippy::cast_precision_loss, reason = "a score needs no more than 24 bits")]
fn jaccard(a: &HashSet<Term>, b: &HashSet<Term>) -> f32 {
    let both = a.intersection(b).count();
    both as f32 / (a.len() + b.len() - both).max(1) as f32
}

/// Words that point back to the sentence before, lower-case.
const POINTING: &[&str] = &["it", "its", "this", "these", "that", "those", "they", "he", "she", "dies", "diese", "dieser", "dieses", "er"];

/// Adds what a quote cannot be understood without: the list that it announces, and the sentence that it points back to.
fn complete(material: &Material<'_>, chosen: Vec<usize>) -> Vec<usize> {
    let units = &material.units;
    let mut all: Vec<usize> = Vec::with_capacity(chosen.len() * 2);
    for index in chosen {
        let unit = &units[index];
        let first = unit.text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
        if index > 0 && POINTING.contains(&first.as_str()) && units[index - 1].block == unit.block {
            all.push(index - 1);
        }
        all.push(index);
        if unit.text.ends_with(':') {
            let follows = |at: &usize| {
                units.get(*at).is_some_and(|next| next.kind == SentenceKind::ListItem && next.block.0 == unit.block.0)
            };
            all.extend((index + 1..).take_while(follows).take(ITEMS));
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}
