//! Rules and model together.

use super::model::Model;
use super::normalise::{decoded_payloads, normalise};
use super::rules::{Finding, Rules};

/// From which sum on a text is an injection. Chosen on the development set so that fewer than one benign text in a hundred
/// is taken for one.
const THRESHOLD: f32 = 0.8;

/// From which sum on a decoded payload is one: honest people do not encode their instructions.
const PAYLOAD_THRESHOLD: f32 = 1.0;

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
        let score = self.model.score(text) + weight;
        if score > THRESHOLD {
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
