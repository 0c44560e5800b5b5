//! What a text is mainly about.

use super::cues::Cue;
use super::material::Material;
use super::score::{fragment_factor, kind_factor};
use octopussy_core::text::SentenceKind;

/// How much a sentence speaks of what the whole material speaks of, and whether it opens its passage. With `relevance`, only the
/// sentences that have some are in question.
#[expect(clippy::cast_precision_loss, reason = "a score needs no more than 24 bits")]
pub(super) fn central(material: &Material<'_>, relevance: &[f32]) -> Vec<f32> {
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
            let common: f32 = own.iter().map(|term| (material.frequency(*term) as f32 - 1.0).max(0.0).sqrt()).sum();
            let opens = last_block != Some(unit.block.0);
            last_block = Some(unit.block.0);
            let lead = if opens { 1.5 } else { 1.0 } * if index == 0 { 1.3 } else { 1.0 };
            let prose = if unit.kind == SentenceKind::Prose { 1.0 } else { 0.7 };
            // Below a dozen words length is a virtue, above it is not.
            let base = (0.5 + common) / (own.len().max(10) as f32).powf(0.7);
            let fits = relevance.get(index).map_or(1.0, |relevance| relevance / strongest);
            base * lead * prose * fits * kind_factor(unit.kind, Cue::Plain) * fragment_factor(unit)
        })
        .collect()
}
