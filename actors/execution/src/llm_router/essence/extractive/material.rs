//! The sentences that can be quoted.

use super::ask::{Ask, Dialogue};
use octopussy_core::ports::{ChatRequest, Role};
use octopussy_core::text::{Analyzer, Bm25, Sentence, SentenceKind, Term, sentences};
use std::fmt;

/// The most sentences that are looked at; retrieval has left out the rest before.
const MAX_UNITS: usize = 4000;

/// A sentence of the material.
#[derive(Debug, Clone)]
pub(super) struct Unit<'a> {
    pub(super) source: &'a str,
    pub(super) line: u32,
    pub(super) text: &'a str,
    pub(super) kind: SentenceKind,
    /// Which passage it is from, and which block of it.
    pub(super) block: (usize, u32),
    /// Its own terms.
    pub(super) terms: Vec<Term>,
    /// Its terms, those of the heading above it and of the sentence before it in the same block.
    pub(super) context: Vec<Term>,
}

impl fmt::Display for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:{}]", self.source, self.line)
    }
}

/// Everything that can be quoted, with its rankings.
pub(super) struct Material<'a> {
    pub(super) units: Vec<Unit<'a>>,
    pub(super) analyzer: Analyzer,
    /// Ranks sentences by their own words.
    pub(super) own: Bm25,
    /// Ranks sentences by their surroundings.
    pub(super) around: Bm25,
}

impl<'a> Material<'a> {
    /// Gathers the passages, then what the task itself brought, then what was said before. Passages of one document are put in the
    /// order of the document.
    pub(super) fn of(request: &'a ChatRequest, ask: &Ask<'a>, dialogue: &Dialogue<'a>) -> Self {
        let longest = request.passages.iter().map(|passage| passage.text.as_str()).max_by_key(|text| text.len());
        let sample = longest.or_else(|| ask.material.first().map(|sentence| sentence.text)).unwrap_or(dialogue.question);
        let mut material =
            Self { units: Vec::new(), analyzer: Analyzer::for_text(sample), own: Bm25::new(), around: Bm25::new() };
        let mut ordered: Vec<(usize, &octopussy_core::ports::Passage)> = Vec::with_capacity(request.passages.len());
        for passage in &request.passages {
            let first = request.passages.iter().position(|other| other.source == passage.source).unwrap_or(0);
            ordered.push((first, passage));
        }
        ordered.sort_by_key(|(first, passage)| (*first, passage.line));
        for (number, (_, passage)) in ordered.iter().enumerate() {
            material.add(number, &passage.source, passage.line, &sentences(&passage.text));
        }
        let mut number = ordered.len();
        material.add(number, "task", 1, &ask.material);
        for turn in dialogue.history.iter().filter(|turn| turn.role == Role::User) {
            number += 1;
            material.add(number, "conversation", 1, &sentences(&turn.text));
        }
        for unit in &material.units {
            material.own.add(&unit.terms);
            material.around.add(&unit.context);
        }
        material
    }

    fn add(&mut self, number: usize, source: &'a str, first_line: u32, sentences: &[Sentence<'a>]) {
        let mut heading: Vec<Term> = Vec::new();
        let mut before: (Option<u32>, Vec<Term>) = (None, Vec::new());
        for sentence in sentences {
            if self.units.len() >= MAX_UNITS {
                return;
            }
            let terms = self.analyzer.terms(sentence.text);
            match sentence.kind {
                SentenceKind::Rule => continue,
                SentenceKind::Heading => {
                    heading.clone_from(&terms);
                    before = (None, Vec::new());
                    continue;
                }
                SentenceKind::Prose | SentenceKind::ListItem | SentenceKind::TableRow | SentenceKind::Code => {}
            }
            // A table's separating row, a lone word: nothing that could be quoted.
            if terms.is_empty() {
                continue;
            }
            let mut context = terms.clone();
            context.extend(&heading);
            if before.0 == Some(sentence.block) {
                context.extend(&before.1);
            }
            before = (Some(sentence.block), terms.clone());
            self.units.push(Unit {
                source,
                line: first_line.saturating_add(sentence.line - 1),
                text: sentence.text,
                kind: sentence.kind,
                block: (number, sentence.block),
                terms,
                context,
            });
        }
    }
}
