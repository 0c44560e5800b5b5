//! Blanks secrets in what an agent is about to say.

use aho_corasick::AhoCorasick;
use octopussy_core::ports::GuardrailVerdict;
use regex::Regex;

/// Each rule: its name, a literal without which it cannot match, and the pattern. A group called `s` is what is blanked;
/// without one it is the whole match.
const RULES: [(&str, &[&str], &str); 14] = [
    (
        "private_key",
        &["-----BEGIN"],
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\z)",
    ),
    ("jwt", &["eyJ"], r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{16,}"),
    ("aws_access_key", &["AKIA", "ASIA"], r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("aws_secret_key", &["aws"], r#"(?i)aws_?secret[a-z_]{0,20}["']?\s{0,4}[:=]\s{0,4}["']?(?P<s>[A-Za-z0-9/+]{40})"#),
    ("anthropic_key", &["sk-ant-"], r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    ("openai_key", &["sk-"], r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{20,}"),
    ("github_token", &["gh", "github_pat_"], r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    ("gitlab_token", &["glpat-"], r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("slack_token", &["xox"], r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("google_key", &["AIza"], r"\bAIza[A-Za-z0-9_-]{35}"),
    ("stripe_key", &["_live_"], r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
    ("hugging_face_token", &["hf_"], r"\bhf_[A-Za-z0-9]{30,}"),
    ("password_in_url", &["://"], r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]+:(?P<s>[^\s/@]+)@"),
    ("bearer_token", &["earer"], r"\b[Bb]earer\s{1,4}(?P<s>[A-Za-z0-9_\-.=+/]{24,})"),
];

/// The output guardrail, compiled once.
pub struct Guardrail {
    rules: Vec<(&'static str, Regex)>,
    /// Finds the rules' literals in one pass, so that clean text never meets a regular expression.
    literals: AhoCorasick,
    /// The rule of each literal.
    owners: Vec<usize>,
}

impl Default for Guardrail {
    fn default() -> Self {
        Self::new()
    }
}

impl Guardrail {
    /// Compiles the rules.
    #[must_use]
    pub fn new() -> Self {
        let rules = RULES.iter().map(|(name, _, pattern)| (*name, compiled(pattern))).collect();
        let literals: Vec<(usize, &str)> = RULES
            .iter()
            .enumerate()
            .flat_map(|(rule, (_, literals, _))| literals.iter().map(move |literal| (rule, *literal)))
            .collect();
        Self {
            rules,
            owners: literals.iter().map(|(rule, _)| *rule).collect(),
            literals: AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .build(literals.iter().map(|(_, literal)| literal))
                .unwrap_or_else(|error| unreachable!("a handful of short literals is an automaton: {error}")),
        }
    }

    /// Blanks what must not leave.
    #[must_use]
    pub fn validate(&self, text: &str) -> GuardrailVerdict {
        let mut candidates = 0_u32;
        for found in self.literals.find_overlapping_iter(text) {
            candidates |= 1 << self.owners[found.pattern().as_usize()];
        }
        if candidates == 0 {
            return GuardrailVerdict::Pass;
        }
        let mut blanked: Option<String> = None;
        let mut rules = Vec::new();
        for (index, (name, pattern)) in self.rules.iter().enumerate() {
            if candidates & (1 << index) == 0 {
                continue;
            }
            if let Some(next) = blank(blanked.as_deref().unwrap_or(text), name, pattern) {
                blanked = Some(next);
                rules.push(*name);
            }
        }
        match blanked {
            Some(text) => GuardrailVerdict::Redacted { text, rules },
            None => GuardrailVerdict::Pass,
        }
    }
}

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("the rule {pattern} does not compile: {error}"))
}

fn blank(text: &str, name: &str, pattern: &Regex) -> Option<String> {
    let mut result = String::new();
    let mut kept = 0;
    for captures in pattern.captures_iter(text) {
        let Some(secret) = captures.name("s").or_else(|| captures.get(0)) else { continue };
        result.push_str(&text[kept..secret.start()]);
        result.push_str("[redacted ");
        result.push_str(name);
        result.push(']');
        kept = secret.end();
    }
    if kept == 0 {
        return None;
    }
    result.push_str(&text[kept..]);
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> (String, Vec<&'static str>) {
        match Guardrail::new().validate(text) {
            GuardrailVerdict::Pass => (text.to_owned(), Vec::new()),
            GuardrailVerdict::Redacted { text, rules } => (text, rules),
        }
    }

    #[test]
    fn secrets_are_blanked_and_the_rest_stays() {
        // Put together here, so that no scanner takes this file for a leak.
        let anthropic = format!("key sk-{}-{}.", "ant", "a1B2".repeat(8));
        let cases = [
            ("use AKIAIOSFODNN7EXAMPLE now", "use [redacted aws_access_key] now", "aws_access_key"),
            ("postgres://ada:s3cret@db/x", "postgres://ada:[redacted password_in_url]@db/x", "password_in_url"),
            (anthropic.as_str(), "key [redacted anthropic_key].", "anthropic_key"),
            ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[redacted github_token]", "github_token"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nbye",
                "[redacted private_key]\nbye",
                "private_key",
            ),
            (
                "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "aws_secret_access_key = [redacted aws_secret_key]",
                "aws_secret_key",
            ),
            ("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ", "[redacted jwt]", "jwt"),
        ];
        for (text, expected, rule) in cases {
            assert_eq!(redacted(text), (expected.to_owned(), vec![rule]), "{text}");
        }
    }

    #[test]
    fn a_cut_off_private_key_is_blanked_to_the_end() {
        assert_eq!(redacted("-----BEGIN PRIVATE KEY-----\nMIIEv").0, "[redacted private_key]");
    }

    #[test]
    fn ordinary_answers_pass() {
        for text in [
            "The bearer of good news came by https://example.org:8080/path.",
            "Use a sk- prefix; AWS keys begin with AKIA.",
            "Set the password with `passwd`, see ssh://git@host/repo.",
        ] {
            assert_eq!(Guardrail::new().validate(text), GuardrailVerdict::Pass, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic_and_twice_is_once(text in "(\\PC|AKIA[A-Z0-9]{16}|sk-[a-z]{24}| |://a:b@){0,20}") {
            let (once, _) = redacted(&text);
            proptest::prop_assert_eq!(redacted(&once).0, once);
        }
    }
}
