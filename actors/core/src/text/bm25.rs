//! Okapi BM25: how well each of many short texts fits a question.

use super::{QuestionTerm, Term};
use std::collections::HashMap;

/// How fast repetition saturates (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).
const K1: f32 = 1.2;
/// How much long texts are held back.
const B: f32 = 0.75;
/// What a word counts that only means nearly the same as the one asked for.
const ALIKE: f32 = 0.4;

/// A text that fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Which text, counted from 0 in the order they were given.
    pub index: usize,
    /// How well; above 0.
    pub score: f32,
}

/// An index of texts for ranking.
#[derive(Debug, Clone, Default)]
pub struct Bm25 {
    postings: HashMap<Term, Vec<(u32, u32)>>,
    lengths: Vec<u32>,
    total: u64,
}

impl Bm25 {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next text, by its terms.
    pub fn add(&mut self, terms: &[Term]) {
        let index = u32::try_from(self.lengths.len()).unwrap_or(u32::MAX);
        for term in terms {
            let postings = self.postings.entry(*term).or_default();
            match postings.last_mut() {
                Some((last, count)) if *last == index => *count += 1,
                _ => postings.push((index, 1)),
            }
        }
        let length = u32::try_from(terms.len()).unwrap_or(u32::MAX);
        self.lengths.push(length);
        self.total += u64::from(length);
    }

    /// How many texts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// How telling a term is: the rarer, the more. 0 for a term that no text has.
    #[must_use]
    pub fn weight(&self, term: Term) -> f32 {
        self.postings.get(&term).map_or(0.0, |postings| self.inverse_frequency(postings.len()))
    }

    /// Every text's score for `query`, 0 where nothing fits.
    #[must_use]
    pub fn scores(&self, query: &[QuestionTerm]) -> Vec<f32> {
        let mut scores = vec![0.0; self.lengths.len()];
        let mean = self.mean();
        let asked = query.iter().map(|asked| (asked.term, asked.counts));
        let alike = query.iter().flat_map(|asked| asked.alike.iter().map(|term| (*term, ALIKE * asked.counts)));
        for (term, counts) in asked.chain(alike) {
            let Some(postings) = self.postings.get(&term) else { continue };
            let weight = counts * self.inverse_frequency(postings.len());
            for &(index, count) in postings {
                let index = index as usize;
                scores[index] += weight * saturated(count, self.lengths[index], mean);
            }
        }
        scores
    }

    /// The texts that fit `query` best, best first, at most `limit`; of equals the earlier one first.
    #[must_use]
    pub fn search(&self, query: &[QuestionTerm], limit: usize) -> Vec<Hit> {
        let scores = self.scores(query);
        let mut hits: Vec<Hit> = scores
            .into_iter()
            .enumerate()
            .filter(|(_, score)| *score > 0.0)
            .map(|(index, score)| Hit { index, score })
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.index.cmp(&b.index)));
        hits.truncate(limit);
        hits
    }

    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than 24 bits")]
    fn mean(&self) -> f32 {
        if self.lengths.is_empty() { 1.0 } else { (self.total as f32 / self.lengths.len() as f32).max(1.0) }
    }

    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than 24 bits")]
    fn inverse_frequency(&self, having: usize) -> f32 {
        let (all, having) = (self.lengths.len() as f32, having as f32);
        (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a score needs no more than 24 bits")]
fn saturated(count: u32, length: u32, mean: f32) -> f32 {
    let count = count as f32;
    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length as f32 / mean))
}
