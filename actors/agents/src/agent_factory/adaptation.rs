//! The handle that offers the factory to others.

use super::essence::{self, Blueprint};
use async_trait::async_trait;
use bytes::Bytes;
use octopussy_core::agent::{AgentRecord, AgentSpec, Desired, Document, UsageWindow};
use octopussy_core::ids::AgentId;
use octopussy_core::ports::{AgentBundle, AgentFactoryPort, BlobError, BlobPort, LedgerPort};
use octopussy_core::problem::{Code, Finding, Problem};
use octopussy_core::task::{Applied, Command};
use octopussy_core::time::Clock;
use std::sync::Arc;
use tracing::{info, warn};

/// A cheap handle of the factory.
#[derive(Clone)]
pub struct AgentFactoryHandle {
    ledger: Arc<dyn LedgerPort>,
    blobs: Arc<dyn BlobPort>,
    clock: Arc<dyn Clock>,
}

impl AgentFactoryHandle {
    pub(super) const fn new(ledger: Arc<dyn LedgerPort>, blobs: Arc<dyn BlobPort>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, blobs, clock }
    }

    /// Stores the documents; when this returns they survive a crash.
    async fn store(&self, bundle: AgentBundle, paths: Vec<String>) -> Result<Vec<Document>, Problem> {
        let mut documents = Vec::with_capacity(paths.len());
        let mut files = bundle.files;
        for name in paths {
            let Some(file) = files.iter_mut().find(|file| file.path == name) else { continue };
            let content = Bytes::from(std::mem::take(&mut file.text));
            let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
            let blob = self.blobs.put(content).await.map_err(|error| blob_problem(&name, &error))?;
            documents.push(Document { name, blob, bytes });
        }
        Ok(documents)
    }
}

#[async_trait]
impl AgentFactoryPort for AgentFactoryHandle {
    fn validate(&self, bundle: &AgentBundle) -> Result<AgentSpec, Vec<Finding>> {
        essence::validate(bundle).map(|blueprint| blueprint.spec)
    }

    async fn create(&self, bundle: AgentBundle) -> Result<Arc<AgentRecord>, Problem> {
        let Blueprint { spec, documents } = essence::validate(&bundle).map_err(|findings| {
            let detail = format!("the agent's directory has {} error(s)", findings.len());
            Problem::new(Code::InvalidAgent, detail).findings(findings)
        })?;
        if let Some(problem) = essence::not_run_yet(&spec) {
            return Err(problem);
        }
        let dormant = essence::dormant_settings(&spec);
        let id = AgentId::from_name(&spec.name);
        // Asked before the documents are stored, so that a taken name costs nothing; the ledger has the last word.
        if self.ledger.agent(id).await?.is_some() {
            return Err(taken(&spec.name));
        }
        let documents = self.store(bundle, documents).await?;
        let agent = Box::new(AgentRecord {
            id,
            spec: Arc::new(spec),
            documents: documents.into(),
            created_at: self.clock.now(),
            desired: Desired::Active,
            usage: UsageWindow::default(),
            memory: None,
            tasks_ended: 0,
        });
        let shard = self.ledger.shards().shard_of(id);
        let record = match self.ledger.propose(shard, Command::CreateAgent { agent }).await? {
            Applied::Agent(record) => record,
            Applied::Done | Applied::Activated(_) | Applied::Task(_) | Applied::Duplicate(_) | Applied::Count(_) => {
                self.ledger.agent(id).await?.ok_or_else(|| {
                    Problem::new(Code::Internal, "the ledger does not know the agent it has just created")
                })?
            }
        };
        info!(agent.id = %id, agent.name = %record.spec.name, "agent created");
        if !dormant.is_empty() {
            warn!(agent.name = %record.spec.name, settings = ?dormant, "settings without effect in this version");
        }
        Ok(record)
    }

    fn schema(&self) -> serde_json::Value {
        essence::schema()
    }
}

fn taken(name: &str) -> Problem {
    Problem::new(Code::AgentExists, format!("an agent called '{name}' exists already"))
        .hint("choose another name in agent.yaml, or use the agent there is")
}

fn blob_problem(name: &str, error: &BlobError) -> Problem {
    let code = match error {
        BlobError::DiskFull => Code::DiskFull,
        BlobError::TooLarge { .. } => Code::PayloadTooLarge,
        BlobError::Damaged(_) | BlobError::Io(_) => Code::StoreUnavailable,
    };
    Problem::new(code, format!("the document '{name}' cannot be stored: {error}"))
}
