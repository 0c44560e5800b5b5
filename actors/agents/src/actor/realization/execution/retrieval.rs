//! What a run looks up before it asks a model.

use super::{Execution, Halt};
use crate::actor::realization::documents::{DocumentError, Documents};
use octopussy_core::agent::Usage;
use octopussy_core::ports::{AuditEvent, AuditOutcome, ScanVerdict};
use octopussy_core::task::{Outcome, StepKind, StepRecord};
use std::sync::Arc;
use std::time::Duration;
use tracing::debug;

/// Beyond this many bytes of documents, passages are chosen on a thread of their own.
const INLINE_RETRIEVAL_BYTES: usize = 256 * 1024;

/// The shortest and the longest wait between two looks for documents that are not there now.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl Execution<'_> {
    /// The agent's documents and the task's.
    async fn load(&self) -> Result<Documents, DocumentError> {
        let cx = self.run_task;
        let blobs = &*cx.host.ports.blobs;
        let own = cx
            .material
            .documents
            .get_or_try_init(|| async { cx.host.cache.load(&cx.record.documents, blobs).await.map(Documents::from) })
            .await?;
        if self.content.documents.is_empty() {
            return Ok(Arc::clone(own));
        }
        let mut all = own.to_vec();
        all.extend(cx.host.cache.load(&self.content.documents, blobs).await?);
        Ok(Documents::from(all))
    }

    /// The documents, once they are there. While a node that may have them is away they are waited for, until the task expires:
    /// what keeps them is no failure of the run.
    async fn wait_for_documents(&self) -> Result<Documents, DocumentError> {
        let cx = self.run_task;
        let mut wait = FIRST_WAIT;
        loop {
            match self.load().await {
                Err(error) if error.is_transient() && cx.host.clock.now() < cx.task.expires_at => {
                    debug!(task.id = %cx.task.id, %error, "the run waits for its documents");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                loaded => return loaded,
            }
        }
    }

    pub(super) async fn documents(&self) -> Result<Documents, Halt> {
        let cx = self.run_task;
        tokio::select! {
            biased;
            reason = cx.control.until_interrupted() => Err(Halt::Interrupted(reason)),
            loaded = self.wait_for_documents() => loaded.map_err(|error| {
                if error.is_transient() {
                    Halt::Transient(error.to_string())
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
                .map_err(|error| Halt::Transient(format!("the retrieval broke off: {error}")))?
        };
        self.look_at_passages();
        let text = serde_json::to_string(&self.passages).unwrap_or_else(|_| "[]".to_owned());
        Ok(self.step(index, StepKind::Retrieve, "passages".into(), "".into(), started, text.into(), Usage::default()))
    }

    /// Marks the passages that read like instructions to a model. They are no reason to refuse the task: a document about such texts
    /// must be readable, and who asks need not be who wrote it.
    fn look_at_passages(&mut self) {
        let cx = self.run_task;
        for passage in &mut self.passages {
            let text = format!("{}\n{}", passage.source, passage.text);
            let ScanVerdict::Injection { rule } = cx.host.ports.security.scan_prompt(&text) else { continue };
            passage.suspicious = true;
            cx.host.ports.observability.audit(AuditEvent {
                action: "passage.scan".to_owned(),
                actor: cx.task.sender.to_string(),
                subject: cx.task.id.to_string(),
                outcome: AuditOutcome::Allowed,
                detail: format!("the injection scan found '{rule}' in {passage}; the model is told"),
                trace_id: Some(cx.task.message.trace_id().to_string()),
            });
        }
    }
}
