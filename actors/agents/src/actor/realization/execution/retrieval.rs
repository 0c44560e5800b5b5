//! What a run looks up before it asks a model.

use super::{Execution, Halt};
use crate::actor::realization::documents::{DocumentError, Documents};
use octopussy_core::agent::Usage;
use octopussy_core::task::{Outcome, StepKind, StepRecord};
use std::sync::Arc;

/// Beyond this many bytes of documents, passages are chosen on a thread of their own.
const INLINE_RETRIEVAL_BYTES: usize = 256 * 1024;

impl Execution<'_> {
    pub(super) async fn documents(&self) -> Result<Documents, Halt> {
        let cx = self.run_task;
        let blobs = &*cx.host.ports.blobs;
        let load = async {
            let own = cx
                .shared
                .documents
                .get_or_try_init(|| async {
                    cx.host.cache.load(&cx.record.documents, blobs).await.map(Documents::from)
                })
                .await?;
            if self.content.documents.is_empty() {
                return Ok(Arc::clone(own));
            }
            let mut all = own.to_vec();
            all.extend(cx.host.cache.load(&self.content.documents, blobs).await?);
            Ok::<_, DocumentError>(Documents::from(all))
        };
        tokio::select! {
            biased;
            reason = cx.control.until_interrupted() => Err(Halt::Interrupted(reason)),
            loaded = load => loaded.map_err(|error| {
                if error.is_transient() {
                    Halt::Transient(error.to_string(), None)
                } else {
                    Halt::Outcome(Outcome::Failed(error.to_string().into()))
                }
            }),
        }
    }

    pub(super) async fn retrieve(&mut self, documents: &Documents, index: u32) -> Result<Arc<StepRecord>, Halt> {
        let cx = self.run_task;
        let started = cx.host.clock.now();
        let top_k = usize::try_from(cx.record.spec.rag.top_k).unwrap_or(usize::MAX);
        let bytes: usize = documents.iter().map(|(_, text)| text.len()).sum();
        self.passages = if bytes <= INLINE_RETRIEVAL_BYTES {
            cx.host.ports.prompt.select_passages(&self.content.input, documents, top_k)
        } else {
            let (prompt, question) = (Arc::clone(&cx.host.ports.prompt), self.content.input.clone());
            let documents = Arc::clone(documents);
            tokio::task::spawn_blocking(move || prompt.select_passages(&question, &documents, top_k))
                .await
                .map_err(|error| Halt::Transient(format!("the retrieval broke off: {error}"), None))?
        };
        let text = serde_json::to_string(&self.passages).unwrap_or_else(|_| "[]".to_owned());
        Ok(self.step(index, StepKind::Retrieve, "passages".into(), "".into(), started, text.into(), Usage::default()))
    }
}
