//! The sentences that can be quoted.

use super::ask::{Ask, Dialogue};
use octopussy_core::ports::{ChatRequest, Passage, Role};
use octopussy_core::text::{Analyzer, QuestionTerm, Sentence, SentenceKind, Term, sentences};
use std::collections::HashMap;
use std::fmt;

/// The most sentences that are looked at; retrieval has left out the rest before.
const MAX_UNITS: usize = 4000;
/// What passages are worth less, each than the one that fits better.
const PER_RANK: f32 = 0.04;
/// The rank from which on passages are worth the same.
const LAST_RANK: u8 = 6;

/// A sentence of the material.
#[derive(Debug, Clone)]
pub(super) struct Unit<'a> {
    pub(super) source: &'a str,
    pub(super) line: u32,
    pub(super) text: &'a str,
    pub(super) kind: SentenceKind,
    /// Which passage it is from, and which block of it.
    pub(super) block: (usize, u32),
    /// The first row of the table that it is a row of.
    pub(super) header: Option<&'a str>,
    /// Whether it begins with a word that points back to the sentence before.
    pub(super) points_back: bool,
    /// Its own terms.
    pub(super) terms: Vec<Term>,
    /// Which of the material's headings it stands under.
    pub(super) heading: Option<usize>,
    /// What its passage counts: retrieval has seen all documents and knows better than the few passages what is rare.
    pub(super) worth: f32,
}

impl fmt::Display for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:{}]", self.source, self.line)
    }
}

/// Everything that can be quoted.
pub(super) struct Material<'a> {
    pub(super) units: Vec<Unit<'a>>,
    pub(super) analyzer: Analyzer,
    /// The terms of the headings.
    pub(super) headings: Vec<Vec<Term>>,
    /// How many sentences and headings have a term.
    frequency: HashMap<Term, u32>,
}

impl<'a> Material<'a> {
    /// Gathers the passages, then what the task itself brought, then what was said before. Passages of one document are put in the
    /// order of the document.
    pub(super) fn of(request: &'a ChatRequest, ask: &Ask<'a>, dialogue: &Dialogue<'a>) -> Self {
        let longest = request.passages.iter().map(|passage| passage.text.as_str()).max_by_key(|text| text.len());
        let sample =
            longest.or_else(|| ask.material.first().map(|sentence| sentence.text)).unwrap_or(dialogue.question);
        let analyzer = Analyzer::for_text(sample);
        let mut material = Self { units: Vec::new(), analyzer, headings: Vec::new(), frequency: HashMap::new() };
        let mut ordered: Vec<(usize, f32, &Passage)> = Vec::with_capacity(request.passages.len());
        for (rank, passage) in (0u8..=u8::MAX).chain(std::iter::repeat(u8::MAX)).zip(&request.passages) {
            let first = request.passages.iter().position(|other| other.source == passage.source).unwrap_or(0);
            ordered.push((first, 1.0 - PER_RANK * f32::from(rank.min(LAST_RANK)), passage));
        }
        ordered.sort_by_key(|(first, _, passage)| (*first, passage.line));
        for (number, (_, worth, passage)) in ordered.iter().enumerate() {
            material.add(number, &passage.source, passage.line, *worth, &sentences(&passage.text));
        }
        let mut number = ordered.len();
        material.add(number, "task", 1, 1.0, &ask.material);
        for turn in dialogue.history.iter().filter(|turn| turn.role == Role::User) {
            number += 1;
            material.add(number, "conversation", 1, 1.0, &sentences(&turn.text));
        }
        material.count();
        material
    }

    fn add(&mut self, number: usize, source: &'a str, first_line: u32, worth: f32, sentences: &[Sentence<'a>]) {
        let mut heading = None;
        let mut header = None;
        for (at, sentence) in sentences.iter().enumerate() {
            let mut unit = Unit {
                source,
                line: first_line.saturating_add(sentence.line - 1),
                text: sentence.text,
                kind: sentence.kind,
                block: (number, sentence.block),
                header: None,
                points_back: sentence.kind == SentenceKind::Prose && points_back(sentence.text),
                terms: Vec::new(),
                heading,
                worth,
            };
            if sentence.kind != SentenceKind::TableRow {
                header = None;
            }
            match sentence.kind {
                SentenceKind::Rule => {}
                SentenceKind::Heading => {
                    heading = Some(self.headings.len());
                    self.headings.push(self.analyzer.terms(sentence.text));
                }
                SentenceKind::TableRow if sentences.get(at + 1).is_some_and(is_separator) => {
                    header = Some(sentence.text)
                }
                SentenceKind::TableRow => {
                    unit.header = header;
                    self.push(unit);
                }
                SentenceKind::Code if is_shell(sentence.text) => {
                    for (number, line) in (0u32..).zip(sentence.text.lines()).skip(1) {
                        let line_number = unit.line.saturating_add(number);
                        if !line.trim_start().starts_with(['`', '~']) {
                            self.push(Unit { text: line.trim(), line: line_number, ..unit.clone() });
                        }
                    }
                }
                SentenceKind::Prose | SentenceKind::ListItem | SentenceKind::Code => self.push(unit),
            }
        }
    }

    /// Takes a sentence in, unless it has no words: a table's separating row cannot be quoted.
    fn push(&mut self, mut unit: Unit<'a>) {
        unit.terms = self.analyzer.terms(unit.text);
        if self.units.len() < MAX_UNITS && !unit.terms.is_empty() {
            self.units.push(unit);
        }
    }

    fn count(&mut self) {
        let mut own = Vec::new();
        for terms in self.units.iter().map(|unit| &unit.terms).chain(&self.headings) {
            own.clone_from(terms);
            own.sort_unstable();
            own.dedup();
            for term in &own {
                *self.frequency.entry(*term).or_default() += 1;
            }
        }
    }

    /// How many sentences and headings have a term.
    pub(super) fn frequency(&self, term: Term) -> u32 {
        self.frequency.get(&term).copied().unwrap_or(0)
    }

    /// Whether a term of a question, or one like it, is there.
    pub(super) fn knows(&self, asked: &QuestionTerm) -> bool {
        self.frequency(asked.term) > 0 || asked.alike.iter().any(|term| self.frequency(*term) > 0)
    }

    /// How telling a term of a question is: the rarer, the more; most when it is not there at all.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than 24 bits")]
    pub(super) fn rarity(&self, asked: &QuestionTerm) -> f32 {
        let all = (self.units.len() + self.headings.len()) as f32;
        let alike = asked.alike.iter().map(|term| self.frequency(*term)).max().unwrap_or(0);
        let having = self.frequency(asked.term).max(alike) as f32;
        (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
    }
}

/// Whether a table's row separates its first row from the others.
fn is_separator(row: &Sentence<'_>) -> bool {
    row.kind == SentenceKind::TableRow && row.text.bytes().all(|byte| b"|-: ".contains(&byte))
}

/// Whether a code block is a list of commands, each of which can be quoted by itself.
fn is_shell(block: &str) -> bool {
    let language = block.lines().next().unwrap_or_default().trim_start_matches(['`', '~']).trim();
    ["sh", "shell", "bash", "console"].contains(&language)
}

/// Words that point back to the sentence before, lower-case.
const POINTING: &[&str] = &[
    "it", "its", "this", "these", "that", "those", "they", "their", "then", "he", "she", "dies", "diese", "dieser",
    "dieses", "er",
];

fn points_back(text: &str) -> bool {
    let first =
        text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default().to_lowercase();
    POINTING.contains(&first.as_str())
}
