//! Documents cut into passages and indexed for ranking.

use super::{Analyzer, Bm25, Chunk, chunks, question_terms};
use crate::ports::Passage;
use std::sync::Arc;

/// A set of documents, ready to be asked.
#[derive(Debug)]
pub struct DocumentIndex {
    documents: Vec<(String, Arc<str>)>,
    chunks: Vec<(usize, Chunk)>,
    analyzer: Analyzer,
    ranking: Bm25,
}

impl DocumentIndex {
    /// Cuts and indexes documents, given as (name, text). What stands in the heading above a passage counts for it, too.
    #[must_use]
    pub fn new(documents: &[(String, Arc<str>)]) -> Self {
        let longest = documents.iter().max_by_key(|(_, text)| text.len()).map_or("", |(_, text)| text);
        let analyzer = Analyzer::for_text(longest);
        let mut ranking = Bm25::new();
        let mut all = Vec::new();
        for (number, (name, text)) in documents.iter().enumerate() {
            let from_name = analyzer.terms(name);
            for chunk in chunks(text) {
                let mut terms = analyzer.terms(&text[chunk.range.clone()]);
                if let Some(heading) = &chunk.heading {
                    terms.extend(analyzer.terms(&text[heading.clone()]));
                }
                terms.extend(&from_name);
                ranking.add(&terms);
                all.push((number, chunk));
            }
        }
        Self { documents: documents.to_vec(), chunks: all, analyzer, ranking }
    }

    /// Whether it was made of these documents.
    #[must_use]
    pub fn is_of(&self, documents: &[(String, Arc<str>)]) -> bool {
        self.documents.len() == documents.len()
            && self.documents.iter().zip(documents).all(|((name, text), (other, other_text))| {
                name == other && (Arc::ptr_eq(text, other_text) || text == other_text)
            })
    }

    /// How many bytes of text it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.documents.iter().map(|(_, text)| text.len()).sum()
    }

    /// The passages that fit best, best first. A question that has no word in common with the documents, such as "summarize
    /// this", gets how the documents begin.
    #[must_use]
    pub fn search(&self, question: &str, top_k: usize) -> Vec<Passage> {
        let hits = self.ranking.search(&question_terms(&self.analyzer, question), top_k);
        if hits.is_empty() {
            return self.leads(top_k);
        }
        hits.into_iter().map(|hit| self.passage(hit.index)).collect()
    }

    /// The first passages of each document, by turns.
    fn leads(&self, top_k: usize) -> Vec<Passage> {
        let mut next = 0;
        let mut ranked: Vec<(usize, usize, usize)> = Vec::with_capacity(self.chunks.len());
        for (index, (document, _)) in self.chunks.iter().enumerate() {
            let first = index == 0 || self.chunks[index - 1].0 != *document;
            next = if first { 0 } else { next + 1 };
            ranked.push((next, *document, index));
        }
        ranked.sort_unstable();
        ranked.into_iter().take(top_k).map(|(.., index)| self.passage(index)).collect()
    }

    fn passage(&self, index: usize) -> Passage {
        let (document, chunk) = &self.chunks[index];
        let (name, text) = &self.documents[*document];
        Passage {
            source: name.clone(),
            line: chunk.line,
            text: text[chunk.range.clone()].to_owned(),
            suspicious: false,
        }
    }
}
