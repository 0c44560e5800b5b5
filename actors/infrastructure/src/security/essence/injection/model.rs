//! The linear model: logistic regression over hashed words, word pairs and triples. `training/train_injection.py` is its
//! other half.

use super::features::{Sink, features};

/// The weights: magic, version, count, scale, bias, shrink, then the sorted hashes and one signed byte for each.
const WEIGHTS: &[u8] = include_bytes!("weights.bin");
const HEADER: usize = 21;

/// Bits of the filter before the table; most features of a text are unknown and end there.
const FILTER_BITS: usize = 1 << 17;

/// What the model says of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// The log-odds that it is an injection.
    pub(super) odds: f32,
    /// How many distinct words speak for an injection.
    pub(super) evidence: usize,
    /// How many distinct words of it are known: names and made-up words say nothing.
    pub(super) words: usize,
}

/// The model over the shipped weights.
pub(super) struct Model {
    filter: Box<[u64]>,
    /// Hash and weight, open addressing; zero is no hash.
    slots: Box<[(u32, i32)]>,
    scale: f32,
    bias: f32,
    shrink: f32,
}

impl Model {
    pub(super) fn new() -> Self {
        assert!(WEIGHTS.starts_with(b"OINJ\x02"), "the shipped weights have another format");
        let word = |at: usize| [WEIGHTS[at], WEIGHTS[at + 1], WEIGHTS[at + 2], WEIGHTS[at + 3]];
        let count = u32::from_le_bytes(word(5)) as usize;
        assert!(WEIGHTS.len() == HEADER + 5 * count, "the shipped weights have another size");
        let (hashes, weights) = WEIGHTS[HEADER..].split_at(4 * count);
        let mut model = Self {
            filter: vec![0; FILTER_BITS / 64].into(),
            slots: vec![(0, 0); (2 * count).next_power_of_two()].into(),
            scale: f32::from_le_bytes(word(9)),
            bias: f32::from_le_bytes(word(13)),
            shrink: f32::from_le_bytes(word(17)),
        };
        for (hash, weight) in hashes.chunks_exact(4).zip(weights) {
            let hash = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]);
            model.insert(hash, i32::from(weight.cast_signed()));
        }
        model
    }

    fn insert(&mut self, hash: u32, weight: i32) {
        let (cell, bit) = filter_at(hash);
        self.filter[cell] |= bit;
        let mut at = self.home(hash);
        while self.slots[at].0 != 0 {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = (hash, weight);
    }

    fn home(&self, hash: u32) -> usize {
        mixed(hash) as usize & (self.slots.len() - 1)
    }

    /// The weight of a feature, if it is known.
    fn weight(&self, hash: u32) -> Option<i32> {
        let (cell, bit) = filter_at(hash);
        if self.filter[cell] & bit == 0 || hash == 0 {
            return None;
        }
        let mut at = self.home(hash);
        while self.slots[at].0 != 0 {
            if self.slots[at].0 == hash {
                return Some(self.slots[at].1);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        None
    }

    /// Scores a text. Few known words give a score close to the bias, and so do many unknown ones.
    pub(super) fn score(&self, text: &str) -> Score {
        let mut known = Known { model: self, found: Vec::with_capacity(64), unknown: 0 };
        features(text, &mut known);
        let Known { mut found, unknown, .. } = known;
        found.sort_unstable();
        found.dedup();
        let total: i32 = found.iter().map(|(_, weight, _)| weight).sum();
        let words = found.iter().filter(|(.., word)| *word).count();
        let evidence = found.iter().filter(|(_, weight, word)| *word && *weight > 0).count();
        #[expect(clippy::cast_precision_loss, reason = "all are far below 2^24")]
        let (total, known, unknown) = (total as f32, found.len() as f32, unknown as f32);
        Score { odds: self.bias + total * self.scale / (known + unknown + self.shrink).sqrt(), evidence, words }
    }
}

const fn mixed(hash: u32) -> u32 {
    let mixed = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
    mixed ^ (mixed >> 12)
}

const fn filter_at(hash: u32) -> (usize, u64) {
    let at = mixed(hash) as usize & (FILTER_BITS - 1);
    (at / 64, 1 << (at % 64))
}

/// The known features of a text.
struct Known<'a> {
    model: &'a Model,
    /// Hash, weight, whether it is a word.
    found: Vec<(u32, i32, bool)>,
    unknown: u32,
}

impl Sink for Known<'_> {
    fn word(&mut self, hash: u32) {
        match self.model.weight(hash) {
            Some(weight) => self.found.push((hash, weight, true)),
            None => self.unknown += 1,
        }
    }

    fn phrase(&mut self, hash: u32) {
        if let Some(weight) = self.model.weight(hash) {
            self.found.push((hash, weight, false));
        }
    }
}
