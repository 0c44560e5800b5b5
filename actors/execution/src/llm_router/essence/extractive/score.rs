//! How well each sentence answers.

use super::cues::Cue;
use super::material::{Material, Unit};
use octopussy_core::text::{QuestionTerm, SentenceKind, Term};
use std::collections::HashSet;

/// What a word counts that stands in the heading above a sentence.
const HEADING: f32 = 0.5;
/// What a word counts that stands in the sentence before, in the same block.
const BEFORE: f32 = 0.25;
/// The same where the sentence points back to the one before.
const POINTED_AT: f32 = 0.8;
/// What a word counts that stands in the sentence behind, in the same block.
const BEHIND: f32 = 0.1;
/// What it counts when two words that follow one another in the question do so in a sentence, too.
const SIDE_BY_SIDE: f32 = 0.2;
/// The same where another word stands between them, or they are the other way round.
const NEAR: f32 = 0.1;
/// What a word counts that only means nearly the same as the one asked for.
const ALIKE: f32 = 0.4;
/// The share of what is asked that makes it most of it.
const MOST: f32 = 0.6;
/// What the sentence counts that opens a section.
const OPENS: f32 = 1.1;

/// What is looked for.
pub(super) struct Wanted {
    /// In the order of the question.
    pub(super) terms: Vec<QuestionTerm>,
    pub(super) cue: Cue,
}

/// What is known about how a sentence fits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fit {
    /// For comparing sentences.
    pub(super) score: f32,
    /// The share of the question of which it or what stands around it speaks; words that are nowhere in the material count, too.
    /// By the words' weight or by their number, whichever is more: in little material every word that is missing looks rare.
    pub(super) covers: f32,
}

/// Every sentence's fit.
pub(super) fn fits(material: &Material<'_>, wanted: &Wanted) -> Vec<Fit> {
    let weights: Vec<f32> = wanted.terms.iter().map(|asked| asked.counts * material.rarity(asked)).collect();
    let all: f32 = weights.iter().sum();
    let words: f32 = wanted.terms.iter().map(|asked| asked.counts).sum();
    let known = |at: &usize| material.knows(&wanted.terms[*at]);
    let there: f32 = (0..weights.len()).filter(known).map(|at| weights[at]).sum();
    let plain: f32 = (0..weights.len()).filter(known).map(|at| wanted.terms[at].counts).sum();
    if there <= 0.0 {
        return vec![Fit::default(); material.units.len()];
    }
    let mean = mean_length(material);
    (0..material.units.len())
        .map(|index| {
            let unit = &material.units[index];
            let (mut weighted, mut counted, mut around, mut speaks) = (0.0, 0.0, 0.0, 0.0f32);
            for (weight, asked) in weights.iter().zip(&wanted.terms) {
                let alike = asked.alike.iter().map(|term| ALIKE * evidence(material, index, *term)).fold(0.0, f32::max);
                let itself = evidence(material, index, asked.term);
                // Two weak signs are a stronger one.
                let found = itself + alike * (1.0 - itself);
                weighted += weight * found;
                counted += asked.counts * found;
                if found > 0.0 {
                    around += weight;
                    speaks += asked.counts;
                }
            }
            let near = side_by_side(unit, wanted, &weights);
            // Several of the things asked for are better than one, however rare that is.
            let coordination = 0.4 + 0.6 * counted / plain;
            let opens = unit.heading.is_some()
                && index.checked_sub(1).is_none_or(|at| material.units[at].heading != unit.heading);
            let place = if opens { OPENS } else { 1.0 };
            let subject = if speaks_of(unit, wanted) { wanted.cue.subject_factor() } else { 1.0 };
            let looks = place
                * subject
                * wanted.cue.factor(unit)
                * kind_factor(unit.kind, wanted.cue)
                * length_factor(unit, mean)
                * unit.worth;
            Fit { score: (weighted + near) / there * coordination * looks, covers: (around / all).max(speaks / words) }
        })
        .collect()
}

/// The headings that speak of most of what is asked, by weight: what stands under them is the answer.
pub(super) fn headings(material: &Material<'_>, wanted: &Wanted) -> HashSet<usize> {
    let weight = |asked: &QuestionTerm| asked.counts * material.rarity(asked);
    let there: f32 = wanted.terms.iter().filter(|asked| material.knows(asked)).map(weight).sum();
    let speaks = |heading: &Vec<Term>| -> f32 {
        wanted.terms.iter().filter(|asked| heading.contains(&asked.term)).map(weight).sum()
    };
    let all = material.headings.iter().enumerate();
    all.filter(|(_, heading)| there > 0.0 && speaks(heading) >= MOST * there).map(|(at, _)| at).collect()
}

/// Whether a sentence begins with what is asked about: it then most likely says something about it.
fn speaks_of(unit: &Unit<'_>, wanted: &Wanted) -> bool {
    unit.terms.iter().take(2).any(|own| wanted.terms.iter().any(|asked| asked.counts >= 1.0 && asked.term == *own))
}

/// What speaks for a term in a sentence or around it, at most 1.
fn evidence(material: &Material<'_>, index: usize, term: Term) -> f32 {
    let unit = &material.units[index];
    if unit.terms.contains(&term) {
        return 1.0;
    }
    let neighbour = |at: Option<usize>| {
        at.and_then(|at| material.units.get(at))
            .is_some_and(|other| other.block == unit.block && other.terms.contains(&term))
    };
    let before = neighbour(index.checked_sub(1));
    if before && unit.points_back {
        POINTED_AT
    } else if unit.heading.is_some_and(|heading| material.headings[heading].contains(&term)) {
        HEADING
    } else if before {
        BEFORE
    } else if neighbour(Some(index + 1)) {
        BEHIND
    } else {
        0.0
    }
}

/// The weight of the pairs of words that follow one another in the question and nearly so in the sentence.
fn side_by_side(unit: &Unit<'_>, wanted: &Wanted, weights: &[f32]) -> f32 {
    let place = |term: Term| unit.terms.iter().position(|own| *own == term);
    wanted
        .terms
        .windows(2)
        .zip(weights.windows(2))
        .filter_map(|(terms, weights)| {
            let (first, second) = (place(terms[0].term)?, place(terms[1].term)?);
            let share = if second == first + 1 {
                SIDE_BY_SIDE
            } else if first.abs_diff(second) <= 2 {
                NEAR
            } else {
                return None;
            };
            Some(share * (weights[0] + weights[1]))
        })
        .sum()
}

pub(super) const fn kind_factor(kind: SentenceKind, cue: Cue) -> f32 {
    match (kind, cue) {
        (SentenceKind::Code, Cue::Way) => 0.9,
        (SentenceKind::Code, _) => 0.5,
        (SentenceKind::Prose | SentenceKind::ListItem | SentenceKind::TableRow, _) => 1.0,
        (SentenceKind::Heading | SentenceKind::Rule, _) => 0.0,
    }
}

/// Fragments say little, and in a long sentence a word says less.
#[expect(clippy::cast_precision_loss, reason = "a score needs no more than 24 bits")]
fn length_factor(unit: &Unit<'_>, mean: f32) -> f32 {
    fragment_factor(unit) / (0.85 + 0.15 * (unit.terms.len() as f32 / mean).max(0.6))
}

/// Fragments say little.
pub(super) const fn fragment_factor(unit: &Unit<'_>) -> f32 {
    match unit.terms.len() {
        0 | 1 => 0.4,
        2 => 0.8,
        _ => 1.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a score needs no more than 24 bits")]
fn mean_length(material: &Material<'_>) -> f32 {
    let all: usize = material.units.iter().map(|unit| unit.terms.len()).sum();
    (all as f32 / material.units.len().max(1) as f32).max(1.0)
}
