//! Rules and model together.

use super::model::Model;
use super::normalise::{decoded_payloads, normalise, seen};
use super::rules::{Finding, Rules};

/// From which sum on a text is an injection. Chosen on the development set so that fewer than one benign text in a hundred
/// is taken for one.
const THRESHOLD: f32 = 0.6;

/// From which sum on a decoded payload is one: honest people do not encode their instructions.
const PAYLOAD_THRESHOLD: f32 = 1.0;

/// What a rule has to say to condemn a text whatever else is in it.
const TELLING_RULE: f32 = 2.5;

/// What a rule has to say, and what the sum has to be, to condemn a text that is too short for the model alone.
const HINTING_RULE: f32 = 1.0;
const SHORT_THRESHOLD: f32 = 1.5;

/// How many distinct known words a text has at least, and how many of them speak for an injection, before the model alone
/// may condemn it.
const MIN_WORDS: usize = 7;
const MIN_EVIDENCE: usize = 5;

/// What the scan found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// How strongly it looks like an injection, as log-odds.
    pub score: f32,
    /// The rule that decided; `None` when the text is clean.
    pub rule: Option<&'static str>,
}

/// The injection scan, compiled once. Sharing it is free: it has no state.
pub struct Scanner {
    rules: Rules,
    model: Model,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// Compiles the vocabulary and reads the weights.
    #[must_use]
    pub fn new() -> Self {
        Self { rules: Rules::new(), model: Model::new() }
    }

    /// Scans a text.
    #[must_use]
    pub fn scan(&self, text: &str) -> Verdict {
        let Finding { weight, rule } = self.rules.judge(&normalise(text));
        let model = self.model.score(&seen(text));
        let score = model.odds + weight;
        let long_enough = model.words >= MIN_WORDS && model.evidence >= MIN_EVIDENCE;
        let supported = long_enough || weight >= TELLING_RULE || (weight >= HINTING_RULE && score > SHORT_THRESHOLD);
        if score > THRESHOLD && supported {
            return Verdict { score, rule: Some(rule.unwrap_or("statistical_model")) };
        }
        for payload in decoded_payloads(text) {
            let found = self.rules.judge(&normalise(&payload));
            if found.weight > PAYLOAD_THRESHOLD {
                return Verdict { score: score + found.weight, rule: Some("encoded_payload") };
            }
        }
        Verdict { score, rule: None }
    }
}

#[cfg(test)]
#[path = "scanner_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "benign_tests.rs"]
mod benign_tests;

#[cfg(test)]
#[path = "attack_tests.rs"]
mod attack_tests;
