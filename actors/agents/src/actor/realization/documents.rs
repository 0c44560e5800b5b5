//! Documents in memory: read from the blob store once, shared by all agents that have them, bounded in bytes.

use octopussy_core::agent::Document;
use octopussy_core::ids::BlobId;
use octopussy_core::ports::{BlobError, BlobPort};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Documents by name, as retrieval takes them.
pub(crate) type Documents = Arc<[(String, Arc<str>)]>;

/// A document cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    /// The blob is not there; trying again does not help.
    #[error("the document '{0}' is not in the blob store")]
    Missing(String),
    /// It is not text.
    #[error("the document '{0}' is not UTF-8 text")]
    NotText(String),
    /// The store failed.
    #[error("the document '{name}' cannot be read: {source}")]
    Store {
        /// Which.
        name: String,
        /// Why.
        source: BlobError,
    },
}

impl DocumentError {
    /// Whether it may be there a little later.
    pub(crate) const fn is_transient(&self) -> bool {
        match self {
            Self::Missing(_) | Self::NotText(_) => false,
            Self::Store { source, .. } => match source {
                BlobError::Io(_) | BlobError::DiskFull => true,
                BlobError::TooLarge { .. } | BlobError::Damaged(_) => false,
            },
        }
    }
}

/// Keeps the texts that were used last.
pub(crate) struct DocumentCache {
    limit: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    bytes: usize,
    clock: u64,
    texts: HashMap<BlobId, (Arc<str>, u64)>,
    by_use: BTreeMap<u64, BlobId>,
}

impl DocumentCache {
    /// A cache of at most `limit` bytes of text.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, inner: Mutex::default() }
    }

    /// The texts of `documents`, in order.
    pub(crate) async fn load(
        &self,
        documents: &[Document],
        blobs: &dyn BlobPort,
    ) -> Result<Vec<(String, Arc<str>)>, DocumentError> {
        let mut texts = Vec::with_capacity(documents.len());
        for document in documents {
            let kept = self.inner.lock().touch(document.blob);
            let text = match kept {
                Some(text) => text,
                None => self.read(document, blobs).await?,
            };
            texts.push((document.name.clone(), text));
        }
        Ok(texts)
    }

    async fn read(&self, document: &Document, blobs: &dyn BlobPort) -> Result<Arc<str>, DocumentError> {
        let name = || document.name.clone();
        let content = blobs
            .get(document.blob)
            .await
            .map_err(|source| DocumentError::Store { name: name(), source })?
            .ok_or_else(|| DocumentError::Missing(name()))?;
        let text: Arc<str> = std::str::from_utf8(&content).map_err(|_| DocumentError::NotText(name()))?.into();
        self.inner.lock().insert(document.blob, &text, self.limit);
        Ok(text)
    }
}

impl Inner {
    fn touch(&mut self, id: BlobId) -> Option<Arc<str>> {
        self.clock += 1;
        let (text, used) = self.texts.get_mut(&id)?;
        self.by_use.remove(used);
        *used = self.clock;
        self.by_use.insert(self.clock, id);
        Some(Arc::clone(text))
    }

    fn insert(&mut self, id: BlobId, text: &Arc<str>, limit: usize) {
        if text.len() > limit || self.touch(id).is_some() {
            return;
        }
        while self.bytes + text.len() > limit {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            if let Some((gone, _)) = self.texts.remove(&oldest) {
                self.bytes -= gone.len();
            }
        }
        self.bytes += text.len();
        self.texts.insert(id, (Arc::clone(text), self.clock));
        self.by_use.insert(self.clock, id);
    }
}
