//! Keeps the index of documents that are asked again and again.

use octopussy_core::text::DocumentIndex;
use parking_lot::Mutex;
use std::sync::Arc;

/// How many sets of documents are kept: about as many as agents with documents work at once.
const ENTRIES: usize = 64;
/// How many bytes of documents are kept in all. An index takes a few times its text.
const BYTES: usize = 32 * 1024 * 1024;

/// The most recently used indexes, newest last.
#[derive(Debug, Default)]
pub(in crate::prompt_engine) struct IndexCache(Mutex<Vec<Arc<DocumentIndex>>>);

impl IndexCache {
    /// The index of these documents, from the cache or made now. Two callers may make the same one at once; that is harmless.
    pub(in crate::prompt_engine) fn of(&self, documents: &[(String, Arc<str>)]) -> Arc<DocumentIndex> {
        if let Some(known) = self.find(documents) {
            return known;
        }
        let made = Arc::new(DocumentIndex::new(documents));
        let mut entries = self.0.lock();
        entries.push(made.clone());
        while entries.len() > 1
            && (entries.len() > ENTRIES || entries.iter().map(|entry| entry.bytes()).sum::<usize>() > BYTES)
        {
            entries.remove(0);
        }
        made
    }

    fn find(&self, documents: &[(String, Arc<str>)]) -> Option<Arc<DocumentIndex>> {
        let mut entries = self.0.lock();
        let position = entries.iter().rposition(|entry| entry.is_of(documents))?;
        let found = entries.remove(position);
        entries.push(found.clone());
        Some(found)
    }
}
