//! Cuts a document into passages that are small enough to be quoted and large enough to be understood.

use super::{Sentence, SentenceKind, sentences};
use std::ops::Range;

/// A passage is closed at the next paragraph once it has this many bytes. Most sections are shorter, and a section that stays
/// together keeps what its sentences need to be understood.
const TARGET: usize = 900;
/// A passage is closed at the next sentence once it has this many bytes.
const LIMIT: usize = 1600;

/// A passage of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it lies, in bytes.
    pub range: Range<usize>,
    /// The line it begins in, from 1.
    pub line: u32,
    /// The line it ends in, from 1.
    pub last_line: u32,
    /// Where the nearest heading above it lies, unless it begins with one.
    pub heading: Option<Range<usize>>,
}

/// The passages of `text`, in order: whole sentences, whole paragraphs where they are not too long. A heading begins a passage.
#[must_use]
pub fn chunks(text: &str) -> Vec<Chunk> {
    let mut builder = Builder::default();
    for sentence in sentences(text) {
        if sentence.kind == SentenceKind::Rule {
            continue;
        }
        builder.take(&sentence);
    }
    builder.close();
    builder.chunks
}

#[derive(Default)]
struct Builder {
    chunks: Vec<Chunk>,
    open: Option<Chunk>,
    heading: Option<Range<usize>>,
    block: u32,
    only_headings: bool,
}

impl Builder {
    fn take(&mut self, sentence: &Sentence<'_>) {
        let range = sentence.range();
        let is_heading = sentence.kind == SentenceKind::Heading;
        if let Some(open) = &self.open {
            let length = open.range.len();
            let would_be = range.end - open.range.start;
            let full = (sentence.block != self.block && length >= TARGET) || would_be > LIMIT;
            if (is_heading || full) && !self.only_headings {
                self.close();
            }
        }
        self.block = sentence.block;
        match &mut self.open {
            Some(open) => {
                open.range.end = range.end;
                open.last_line = sentence.last_line();
                self.only_headings &= is_heading;
            }
            None => {
                let heading = if is_heading { None } else { self.heading.clone() };
                self.open =
                    Some(Chunk { range: range.clone(), line: sentence.line, last_line: sentence.last_line(), heading });
                self.only_headings = is_heading;
            }
        }
        if is_heading {
            self.heading = Some(range);
        }
    }

    fn close(&mut self) {
        self.chunks.extend(self.open.take());
    }
}
