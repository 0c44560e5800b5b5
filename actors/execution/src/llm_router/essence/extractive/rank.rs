//! Chooses the sentences that answer.

use super::ask::{Ask, Dialogue};
use super::central::central;
use super::compose::Quote;
use super::cues::Cue;
use super::intents;
use super::material::{Material, Unit};
use super::score::{Fit, Wanted, fits, headings};
use octopussy_core::ports::ChatRequest;
use octopussy_core::text::{QuestionTerm, SentenceKind, Term, question_terms};
use std::collections::HashSet;
use std::ops::Range;

/// How many quotes an answer is made of at most.
const QUOTES: usize = 4;
/// How many sentences a summary is made of at most.
const SUMMARY_QUOTES: usize = 7;
/// How many list items follow a sentence that announces them.
const ITEMS: usize = 8;
/// A sentence this much worse than the best one is left out of an answer.
const FLOOR: f32 = 0.65;
/// The same for a summary, whose sentences are about different things.
const SUMMARY_FLOOR: f32 = 0.4;
/// The share of a question that some sentence must speak of. One shared word of many is an accident.
const COVERED: f32 = 0.34;
/// How much likeness to what has been chosen counts against a sentence (maximal marginal relevance, Carbonell and Goldstein 1998).
const DIVERSITY: f32 = 0.4;

/// The quotes that answer, best first; for a summary in the order of the material. Empty when nothing fits.
pub(super) fn best<'a>(request: &'a ChatRequest, ask: &Ask<'a>, dialogue: &Dialogue<'a>) -> Vec<Quote<'a>> {
    let material = Material::of(request, ask, dialogue);
    if ask.summary {
        return summary(&material, ask);
    }
    let parts = intents::parts(&ask.question);
    let mut lists: HashSet<usize> = HashSet::new();
    let mut chosen: Vec<usize> = Vec::new();
    let ranked: Vec<Vec<usize>> = parts
        .iter()
        .map(|part| {
            let wanted = wanted(&material, ask, part, parts.len());
            lists.extend(headings(&material, &wanted));
            let fits = fits(&material, &wanted);
            if fits.iter().any(|fit| fit.covers >= COVERED) {
                select(&material, &scores(&fits), QUOTES, FLOOR)
            } else {
                Vec::new()
            }
        })
        .collect();
    // The parts take turns, so that each has its best quote before any has a second one.
    for turn in 0..QUOTES {
        for index in ranked.iter().filter_map(|part| part.get(turn)) {
            if !chosen.contains(index) && (turn == 0 || chosen.len() < QUOTES) {
                chosen.push(*index);
            }
        }
    }
    complete(&material, chosen, &lists)
}

/// The sentences that fit `wanted` best, for one who asks for single words.
pub(super) fn for_terms<'a>(material: &Material<'a>, wanted: &[Term], limit: usize) -> Vec<Quote<'a>> {
    let terms = wanted.iter().map(|term| QuestionTerm { term: *term, counts: 1.0, alike: Vec::new() }).collect();
    let wanted = Wanted { terms, cue: Cue::Plain };
    complete(material, select(material, &scores(&fits(material, &wanted)), limit, FLOOR), &HashSet::new())
}

/// What one part of a question looks for. What the other parts are about counts a little: a part may only say "it".
fn wanted(material: &Material<'_>, ask: &Ask<'_>, part: &str, parts: usize) -> Wanted {
    let mut terms = question_terms(&material.analyzer, part);
    if parts > 1 {
        let share = if terms.len() <= 1 { 0.5 } else { 0.1 };
        for mut other in question_terms(&material.analyzer, &ask.question) {
            if terms.iter().all(|own| own.term != other.term) {
                other.counts *= share;
                terms.push(other);
            }
        }
    }
    Wanted { terms, cue: Cue::of(part) }
}

fn summary<'a>(material: &Material<'a>, ask: &Ask<'_>) -> Vec<Quote<'a>> {
    let fits = fits(material, &wanted(material, ask, &ask.question, 1));
    let about = fits.iter().any(|fit| fit.score > 0.0);
    let scores = if about { central(material, &scores(&fits)) } else { central(material, &[]) };
    let mut chosen = select(material, &scores, SUMMARY_QUOTES, SUMMARY_FLOOR);
    chosen.sort_unstable();
    complete(material, chosen, &HashSet::new())
}

fn scores(fits: &[Fit]) -> Vec<f32> {
    fits.iter().map(|fit| fit.score).collect()
}

/// The best sentences that do not repeat one another, best first.
fn select(material: &Material<'_>, scores: &[f32], limit: usize, floor: f32) -> Vec<usize> {
    let top = scores.iter().copied().fold(0.0f32, f32::max);
    if top <= 0.0 {
        return Vec::new();
    }
    let mut candidates: Vec<usize> = (0..scores.len()).filter(|index| scores[*index] >= floor * top).collect();
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
        if value <= 0.5 * floor {
            break;
        }
        chosen.push(next);
        for at in 0..candidates.len() {
            likeness[at] = likeness[at].max(jaccard(&sets[at], &sets[next]));
        }
    }
    chosen.into_iter().map(|at| candidates[at]).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a score needs no more than 24 bits")]
fn jaccard(a: &HashSet<Term>, b: &HashSet<Term>) -> f32 {
    let both = a.intersection(b).count();
    both as f32 / (a.len() + b.len() - both).max(1) as f32
}

/// Makes quotes of sentences. What a sentence cannot be understood without stands in the same quote: the sentence that it points
/// back to, the list that it announces, and of a list under one of the headings `lists` all of it.
fn complete<'a>(material: &Material<'a>, chosen: Vec<usize>, lists: &HashSet<usize>) -> Vec<Quote<'a>> {
    let mut ranges: Vec<Range<usize>> = Vec::with_capacity(chosen.len());
    for index in chosen {
        let range = completed(&material.units, index, lists);
        match ranges.iter_mut().find(|other| range.start < other.end && other.start < range.end) {
            Some(other) => *other = other.start.min(range.start)..other.end.max(range.end),
            None => ranges.push(range),
        }
    }
    ranges.into_iter().map(|range| Quote::of(&material.units[range])).collect()
}

fn completed(units: &[Unit<'_>], index: usize, lists: &HashSet<usize>) -> Range<usize> {
    let unit = &units[index];
    let is_item = |at: usize| {
        units.get(at).is_some_and(|other| {
            other.kind == SentenceKind::ListItem && other.block.0 == unit.block.0 && other.heading == unit.heading
        })
    };
    let items_behind = || (index + 1..).take_while(|at| is_item(*at)).take(ITEMS).count();
    let mut range = index..index + 1;
    if unit.text.ends_with(':') {
        range.end += items_behind();
    } else if is_item(index) && unit.heading.is_some_and(|heading| lists.contains(&heading)) {
        range.start -= (0..index).rev().take_while(|at| is_item(*at)).take(ITEMS).count();
        range.end += items_behind();
    } else {
        while range.start > 0
            && index - range.start < 2
            && units[range.start - 1].block == unit.block
            && units[range.start].points_back
        {
            range.start -= 1;
        }
    }
    range
}
