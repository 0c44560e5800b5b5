//! Words, sentences and their ranking: what retrieval and the embedded model share.
//!
//! Everything in here is a pure function of its arguments and yields the same on every machine.

mod analyzer;
mod bm25;
mod index;
mod passages;
mod question;
mod sentences;
mod stop_words;
#[cfg(test)]
mod tests;

pub use analyzer::{Analyzer, Keyword, Language, Term};
pub use bm25::{Bm25, Hit};
pub use index::DocumentIndex;
pub use passages::{Chunk, chunks};
pub use question::{MAX_QUESTION_TERMS, QuestionTerm, asks_for_summary, question_terms};
pub use sentences::{Sentence, SentenceKind, sentences};
