//! The linear model: logistic regression over hashed words, word pairs and triples. `training/train_injection.py` is its
//! other half; the features of both have to stay the same.

/// The weights: magic, version, log2 of the bucket count, scale, bias, then one signed byte a bucket.
const WEIGHTS: &[u8] = include_bytes!("weights.bin");
const HEADER: usize = 14;
const LOG2: u8 = 16;
const BUCKETS: usize = 1 << LOG2;

/// How many words are looked at: instructions that hide further behind are found by the rules.
const MAX_WORDS: usize = 512;

/// The model over the shipped weights.
pub(super) struct Model {
    weights: &'static [u8],
    scale: f32,
    bias: f32,
}

impl Model {
    pub(super) fn new() -> Self {
        let number = |at: usize| f32::from_le_bytes([WEIGHTS[at], WEIGHTS[at + 1], WEIGHTS[at + 2], WEIGHTS[at + 3]]);
        assert!(WEIGHTS.starts_with(&[b'O', b'I', b'N', b'J', 1, LOG2]), "the shipped weights have another format");
        assert!(WEIGHTS.len() == HEADER + BUCKETS, "the shipped weights have another size");
        Self { weights: &WEIGHTS[HEADER..], scale: number(6), bias: number(10) }
    }

    /// The log-odds that a text is an injection.
    pub(super) fn score(&self, text: &str) -> f32 {
        let mut sum = Sum { model: self, seen: Box::new([0; BUCKETS / 64]), total: 0, distinct: 0 };
        let (mut before, mut last) = (None, None);
        let mut word = WordHash::new();
        let mut words = 0;
        for c in text.chars().chain([' ']) {
            if c.is_alphanumeric() {
                c.to_lowercase().for_each(|c| word.push(c));
            } else if let Some((hash, prefix)) = word.take() {
                sum.add(hash);
                if let Some(prefix) = prefix {
                    sum.add(prefix);
                }
                if let Some(last) = last {
                    sum.add(pair(last, hash).wrapping_add(1));
                    if let Some(before) = before {
                        let triple = u32::wrapping_mul(before, 961).wrapping_add(pair(last, hash)).wrapping_add(2);
                        sum.add(triple);
                    }
                }
                (before, last) = (last, Some(hash));
                words += 1;
                if words == MAX_WORDS {
                    break;
                }
            }
        }
        if sum.distinct == 0 {
            return self.bias;
        }
        #[expect(clippy::cast_precision_loss, reason = "both are far below 2^24")]
        let (total, distinct) = (sum.total as f32, sum.distinct as f32);
        self.bias + total * self.scale / distinct.sqrt()
    }
}

const fn pair(last: u32, hash: u32) -> u32 {
    last.wrapping_mul(31).wrapping_add(hash)
}

struct Sum<'a> {
    model: &'a Model,
    seen: Box<[u64; BUCKETS / 64]>,
    total: i32,
    distinct: u32,
}

impl Sum<'_> {
    /// Adds a feature's weight, once a bucket.
    fn add(&mut self, hash: u32) {
        let mixed = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
        let bucket = ((mixed ^ (mixed >> 12)) as usize) & (BUCKETS - 1);
        let (cell, bit) = (bucket / 64, 1_u64 << (bucket % 64));
        if self.seen[cell] & bit == 0 {
            self.seen[cell] |= bit;
            self.distinct += 1;
            self.total += i32::from(self.model.weights[bucket].cast_signed());
        }
    }
}

const FNV_BASIS: u32 = 0x811C_9DC5;
const PREFIX_SEED: u32 = 7;

/// FNV-1a over a word and over its first five bytes.
struct WordHash {
    whole: u32,
    prefix: u32,
    length: usize,
}

impl WordHash {
    const fn new() -> Self {
        Self { whole: FNV_BASIS, prefix: FNV_BASIS ^ PREFIX_SEED, length: 0 }
    }

    fn push(&mut self, c: char) {
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            let step = |hash: u32| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            self.whole = step(self.whole);
            if self.length < 5 {
                self.prefix = step(self.prefix);
            }
            self.length += 1;
        }
    }

    /// The hashes of the word so far, if there is one; begins the next.
    fn take(&mut self) -> Option<(u32, Option<u32>)> {
        let word = std::mem::replace(self, Self::new());
        (word.length > 0).then_some((word.whole, (word.length > 5).then_some(word.prefix)))
    }
}
