//! What a question is about, word by word.

use super::{Analyzer, Language, Term};
use std::collections::HashMap;
use std::sync::LazyLock;

/// How many different terms of a question count: everything that ranks goes through all texts with each of them, and a
/// question of more is no question but material.
pub const MAX_QUESTION_TERMS: usize = 128;

/// What a word counts that stands in many questions and says little about any subject.
const LITTLE: f32 = 0.25;

/// Words of questions that say little about their subject, sorted.
const GENERIC: &[&str] = &[
    "available",
    "benutzt",
    "brauche",
    "braucht",
    "call",
    "called",
    "can",
    "come",
    "comes",
    "detail",
    "different",
    "done",
    "exist",
    "exists",
    "find",
    "funktioniert",
    "get",
    "gets",
    "gibt",
    "give",
    "given",
    "gives",
    "go",
    "goes",
    "handle",
    "handled",
    "handles",
    "happen",
    "happened",
    "happens",
    "keep",
    "keeps",
    "kind",
    "know",
    "known",
    "like",
    "look",
    "looks",
    "macht",
    "make",
    "makes",
    "mean",
    "means",
    "need",
    "needed",
    "needs",
    "passiert",
    "possible",
    "put",
    "run",
    "see",
    "set",
    "show",
    "supported",
    "take",
    "taken",
    "takes",
    "thing",
    "things",
    "tun",
    "use",
    "used",
    "uses",
    "verwendet",
    "want",
    "way",
    "work",
    "works",
];

/// Words that only say of which kind the answer is, sorted.
const ASKING: &[&str] = &["lange", "many", "much", "oft", "often", "viel", "viele"];

/// Words that only say of which kind the answer is when they stand behind "how", sorted.
const MEASURES: &[&str] = &[
    "big", "far", "fast", "groß", "high", "hoch", "large", "long", "old", "quick", "quickly", "schnell", "slow",
    "slowly", "small", "soon", "weit",
];

/// What a name counts, or in German a noun: questions have verbs in common with any text.
const NAME: f32 = 1.3;

/// Words that ask for a summary, by how they begin.
const SUMMARY: &[&str] =
    &["abstract", "fasse", "gist", "outline", "overview", "recap", "summar", "tldr", "zusammenfass", "überblick"];

/// Words that speak of the text itself or of the answer's shape, sorted: they are no subject.
const ABOUT_TEXT: &[&str] = &[
    "article",
    "beschreibe",
    "brief",
    "briefly",
    "bullet",
    "bullets",
    "content",
    "contents",
    "datei",
    "describe",
    "document",
    "documents",
    "dokument",
    "dokumente",
    "erkläre",
    "everything",
    "explain",
    "file",
    "files",
    "folgende",
    "folgenden",
    "following",
    "gib",
    "give",
    "inhalt",
    "key",
    "kurz",
    "main",
    "material",
    "page",
    "points",
    "punkte",
    "said",
    "say",
    "says",
    "sentences",
    "short",
    "tell",
    "text",
    "texts",
    "whole",
    "wichtigsten",
    "write",
    "zusammen",
];

/// Verbs in two words, and the noun that documents use for them; their parts alone mean something else.
const TWO_WORDS: &[(&str, &str, &str)] =
    &[("back", "up", "backup"), ("log", "in", "login"), ("set", "up", "setup"), ("shut", "down", "shutdown")];

/// Words of different stems that mean nearly the same; a question with one is answered by a sentence with another.
const ALIKE: &[&[&str]] = &[
    &["fail", "failure", "crash", "die", "vanish"],
    &["delete", "remove", "discard", "erase"],
    &["start", "begin", "launch"],
    &["upgrade", "update", "replace"],
    &["backup", "copy"],
    &["recognise", "recognize", "detect", "notice", "check"],
    &["price", "cost"],
    &["library", "crate", "dependency"],
    &["wrote", "publish", "author"],
    &["break", "broken", "damage", "corrupt"],
    &["restart", "recover", "resume"],
    &["quick", "fast", "speed"],
    &["temperature", "hot", "cooling", "heat"],
];

/// A term of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionTerm {
    /// The term.
    pub term: Term,
    /// What it counts: a plain word 1, a name more; words such as "happens" or "need", which stand in questions on anything,
    /// little. How rare it is in the documents is another matter; ranking multiplies both.
    pub counts: f32,
    /// Terms that mean nearly the same.
    pub alike: Vec<Term>,
}

/// The different terms of a question, in order, without those that say nothing about its subject, such as "many" in "how many";
/// at most [`MAX_QUESTION_TERMS`].
#[must_use]
pub fn question_terms(analyzer: &Analyzer, question: &str) -> Vec<QuestionTerm> {
    let about_text = if asks_for_summary(question) { 0.0 } else { LITTLE };
    let mut terms: Vec<QuestionTerm> = Vec::new();
    let mut before = String::new();
    let mut words =
        question.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).enumerate().peekable();
    while terms.len() < MAX_QUESTION_TERMS
        && let Some((at, mut word)) = words.next()
    {
        let follower = words.peek().map_or("", |(_, next)| *next);
        let joined = TWO_WORDS
            .iter()
            .find(|(first, second, _)| first.eq_ignore_ascii_case(word) && second.eq_ignore_ascii_case(follower));
        if let Some((.., noun)) = joined {
            words.next();
            word = noun;
        }
        let lower = word.to_lowercase();
        let counts = if ABOUT_TEXT.binary_search(&lower.as_str()).is_ok() || is_summary(&lower) {
            about_text
        } else if at > 0 && word.starts_with(char::is_uppercase) {
            NAME
        } else {
            weight(&lower, &before)
        };
        before = lower;
        if counts <= 0.0 {
            continue;
        }
        for term in analyzer.terms(word) {
            match terms.iter_mut().find(|known| known.term == term) {
                Some(known) => known.counts = known.counts.max(counts),
                None => terms.push(QuestionTerm { term, counts, alike: alike(analyzer, term) }),
            }
        }
    }
    terms.truncate(MAX_QUESTION_TERMS);
    terms
}

/// Whether a question asks for a summary.
#[must_use]
pub fn asks_for_summary(question: &str) -> bool {
    question.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(is_summary)
}

fn is_summary(word: &str) -> bool {
    SUMMARY.iter().any(|start| word.starts_with(start))
}

/// [`ALIKE`] by terms.
static ALIKE_TERMS: LazyLock<HashMap<Term, Vec<Term>>> = LazyLock::new(|| {
    let analyzer = Analyzer::new(Language::English);
    let mut all: HashMap<Term, Vec<Term>> = HashMap::new();
    for group in ALIKE {
        let terms: Vec<Term> = group.iter().flat_map(|word| analyzer.terms(word)).collect();
        for term in &terms {
            all.entry(*term).or_default().extend(terms.iter().filter(|other| *other != term));
        }
    }
    all
});

fn alike(analyzer: &Analyzer, term: Term) -> Vec<Term> {
    match analyzer.language() {
        Language::English => ALIKE_TERMS.get(&term).cloned().unwrap_or_default(),
        Language::German => Vec::new(),
    }
}

/// What a lower-case word of a question counts, behind the word before it.
fn weight(word: &str, before: &str) -> f32 {
    let is_in = |list: &[&str]| list.binary_search(&word).is_ok();
    if is_in(ASKING) {
        0.0
    } else if is_in(GENERIC) || (matches!(before, "how" | "wie") && is_in(MEASURES)) {
        LITTLE
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(GENERIC.is_sorted() && ASKING.is_sorted() && MEASURES.is_sorted() && ABOUT_TEXT.is_sorted());
    }

    #[test]
    fn a_question_of_very_many_words_is_bounded() {
        let analyzer = Analyzer::new(Language::English);
        let question: String = (0..40_000).map(|n| format!("w{n} ")).collect();
        assert_eq!(question_terms(&analyzer, &question).len(), MAX_QUESTION_TERMS);
    }

    #[test]
    fn the_subject_counts_most() {
        let analyzer = Analyzer::new(Language::English);
        let terms = question_terms(&analyzer, "How many nodes happen to need a leader?");
        let count =
            |word: &str| terms.iter().find(|found| analyzer.terms(word)[0] == found.term).map(|found| found.counts);
        assert_eq!((count("node"), count("leader")), (Some(1.0), Some(1.0)));
        let named = question_terms(&analyzer, "How large is Raft in large systems?");
        assert_eq!(named.iter().map(|found| found.counts).collect::<Vec<_>>(), [1.0, NAME, 1.0]);
        assert!(
            asks_for_summary("Give me an overview.")
                && question_terms(&analyzer, "Summarize this document.").is_empty()
        );
        assert_eq!(
            question_terms(&analyzer, "Back up a node?").iter().map(|found| found.term).collect::<Vec<_>>(),
            analyzer.terms("backup node")
        );
        let [fails] = &question_terms(&analyzer, "What fails?")[..] else { panic!("one term") };
        assert!(fails.alike.contains(&analyzer.terms("crashed")[0]));
        assert_eq!((count("needs"), count("happening"), count("many")), (Some(LITTLE), Some(LITTLE), None));
    }
}
