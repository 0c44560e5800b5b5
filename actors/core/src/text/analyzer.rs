//! From text to terms.

use super::stop_words;
use rust_stemmers::{Algorithm, Stemmer};
use std::collections::HashSet;

/// The longest word that is stemmed, in bytes; what is longer is a key or a hash, not a word.
const MAX_STEMMED: usize = 48;
/// How much of a text the guess of its language looks at, in bytes.
const GUESS_BYTES: usize = 4096;

/// A language whose words can be brought to their stems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English; also what a text is taken for when nothing else is clear.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// The language that the beginning of `text` seems to be in, by its stop words.
    #[must_use]
    pub fn guess(text: &str) -> Self {
        let mut end = text.len().min(GUESS_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (mut english, mut german) = (0u32, 0u32);
        each_word(&text[..end], |word| {
            let (in_english, in_german) =
                (stop_words::contains(stop_words::ENGLISH, word), stop_words::contains(stop_words::GERMAN, word));
            english += u32::from(in_english && !in_german);
            german += u32::from(in_german && !in_english);
        });
        if german > english { Self::German } else { Self::English }
    }
}

/// A word's stem, as its hash: terms are only ever compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term(u64);

/// A term with the word it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    /// What is compared.
    pub term: Term,
    /// What is shown, lower-case.
    pub word: String,
}

/// Turns text into terms: lower-case words without stop words, brought to their stems.
pub struct Analyzer {
    language: Language,
    stemmer: Stemmer,
}

impl std::fmt::Debug for Analyzer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analyzer").field("language", &self.language).finish_non_exhaustive()
    }
}

impl Analyzer {
    /// An analyzer for texts of `language`.
    #[must_use]
    pub fn new(language: Language) -> Self {
        let algorithm = match language {
            Language::English => Algorithm::English,
            Language::German => Algorithm::German,
        };
        Self { language, stemmer: Stemmer::create(algorithm) }
    }

    /// An analyzer for the language that `sample` seems to be in.
    #[must_use]
    pub fn for_text(sample: &str) -> Self {
        Self::new(Language::guess(sample))
    }

    /// The language it works in.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.language
    }

    /// The terms of `text`, in order, repetitions included.
    #[must_use]
    pub fn terms(&self, text: &str) -> Vec<Term> {
        let mut terms = Vec::new();
        self.each(text, |term, _| terms.push(term));
        terms
    }

    /// The different terms of `text` with the words they came from, in order of appearance.
    #[must_use]
    pub fn keywords(&self, text: &str) -> Vec<Keyword> {
        let mut seen = HashSet::new();
        let mut keywords = Vec::new();
        self.each(text, |term, word| {
            if seen.insert(term) {
                keywords.push(Keyword { term, word: word.to_owned() });
            }
        });
        keywords
    }

    fn each(&self, text: &str, mut take: impl FnMut(Term, &str)) {
        let stop = match self.language {
            Language::English => stop_words::ENGLISH,
            Language::German => stop_words::GERMAN,
        };
        each_word(text, |word| {
            if !stop_words::contains(stop, word) {
                take(self.term(word), word);
            }
        });
    }

    /// Only words of letters are stemmed, and English ones only where they are ASCII: the algorithms know no others.
    fn term(&self, word: &str) -> Term {
        let stems = word.len() <= MAX_STEMMED
            && match self.language {
                Language::English => word.bytes().all(|byte| byte.is_ascii_lowercase()),
                Language::German => word.chars().all(|c| c.is_ascii_lowercase() || "äöüß".contains(c)),
            };
        let hash = |text: &str| Term(xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
        if stems { hash(&self.stemmer.stem(word)) } else { hash(word) }
    }
}

/// Hands every word of `text` to `take`, lower-case. A word is a run of letters, digits and combining marks; an ideograph is a
/// word of its own, because such scripts do not put spaces between words. Identifiers fall into their parts.
fn each_word(text: &str, mut take: impl FnMut(&str)) {
    let mut word = String::with_capacity(32);
    let mut flush = |word: &mut String| {
        if !word.is_empty() {
            take(word);
            word.clear();
        }
    };
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        } else if c.is_ascii() {
            flush(&mut word);
        } else if is_ideograph(c) {
            flush(&mut word);
            word.push(c);
            flush(&mut word);
        } else if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if ('\u{300}'..='\u{36f}').contains(&c) && !word.is_empty() {
            word.push(c);
        } else {
            flush(&mut word);
        }
    }
    flush(&mut word);
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}
