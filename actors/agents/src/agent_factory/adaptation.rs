//! The handle that offers the factory to others.

use super::essence::{self, Blueprint};
use async_trait::async_trait;
use bytes::Bytes;
use octopussy_core::agent::{AgentContent, AgentRecord, AgentSpec, AgentVersion, Desired, Document, UsageWindow};
use octopussy_core::ids::{AgentId, BlobId};
use octopussy_core::ports::{AgentBundle, AgentChange, AgentFactoryPort, BlobError, BlobPort, LedgerPort};
use octopussy_core::problem::{Code, Finding, Problem};
use octopussy_core::task::{Applied, Command, Refusal};
use octopussy_core::time::Clock;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tracing::{info, warn};

/// A cheap handle of the factory.
#[derive(Clone)]
pub struct AgentFactoryHandle {
    ledger: Arc<dyn LedgerPort>,
    blobs: Arc<dyn BlobPort>,
    clock: Arc<dyn Clock>,
    checks: Arc<Semaphore>,
}

/// Directories that are checked at once. Whoever waits for a place holds no thread.
const CHECKS: usize = 2;

impl AgentFactoryHandle {
    pub(super) fn new(ledger: Arc<dyn LedgerPort>, blobs: Arc<dyn BlobPort>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, blobs, clock, checks: Arc::new(Semaphore::new(CHECKS)) }
    }

    /// Checks a directory beside the runtime's threads: it may have megabytes.
    async fn check(&self, bundle: AgentBundle) -> Result<(AgentBundle, Result<Blueprint, Vec<Finding>>), Problem> {
        let failed = || Problem::new(Code::Internal, "the directory could not be checked: see the node's log");
        let place = self.checks.clone().acquire_owned().await.map_err(|_| failed())?;
        let checked = tokio::task::spawn_blocking(move || {
            // Held by the work and not by whoever waits for it, who may be gone before it is done.
            let _place = place;
            let bundle = essence::without_marks(bundle);
            let checked = essence::validate(&bundle);
            (bundle, checked)
        });
        checked.await.map_err(|_| failed())
    }

    /// What a directory says that an agent of this version can be made of, beside the directory without byte order marks.
    async fn blueprint(&self, bundle: AgentBundle) -> Result<(AgentBundle, Blueprint), Problem> {
        let (bundle, checked) = self.check(bundle).await?;
        let blueprint = checked.map_err(|findings| {
            let detail = format!("the agent's directory has {} error(s)", findings.len());
            Problem::new(Code::InvalidAgent, detail).findings(findings)
        })?;
        essence::not_run_yet(&blueprint.spec).map_or(Ok((bundle, blueprint)), Err)
    }

    /// Stores the documents; when this returns they survive a crash.
    async fn store(&self, bundle: AgentBundle, paths: Vec<String>) -> Result<Arc<[Document]>, Problem> {
        let mut documents = Vec::with_capacity(paths.len());
        let mut texts: HashMap<String, String> = bundle.files.into_iter().map(|file| (file.path, file.text)).collect();
        for name in paths {
            let Some(text) = texts.remove(&name) else { continue };
            let content = Bytes::from(text);
            let bytes = content.len() as u64;
            let blob = self.blobs.put(content).await.map_err(|error| blob_problem(&name, &error))?;
            documents.push(Document { name, blob, bytes });
        }
        Ok(documents.into())
    }

    /// Stores what a version says and makes its entry of the history.
    async fn version(
        &self,
        number: u32,
        by: &str,
        spec: &AgentSpec,
        documents: &Arc<[Document]>,
    ) -> Result<AgentVersion, Problem> {
        let content = self.blobs.put(encode(spec, documents)?.into()).await;
        let content = content.map_err(|error| blob_problem("the agent's version", &error))?;
        Ok(AgentVersion { number, at: self.clock.now(), by: by.into(), content, documents: Arc::clone(documents) })
    }

    async fn record(&self, id: AgentId) -> Result<Arc<AgentRecord>, Problem> {
        self.ledger.agent(id).await?.ok_or_else(|| Refusal::UnknownAgent(id).into())
    }

    /// What a remembered version says.
    async fn content(&self, agent: &AgentRecord, number: u32) -> Result<AgentContent, Problem> {
        let version = agent.version_at(number).ok_or_else(|| {
            let (first, last) = (agent.versions.first().map_or(1, |version| version.number), agent.version());
            let detail = format!("version {number} of agent '{}' is not remembered", agent.spec.name);
            Problem::new(Code::NotFound, detail).hint(format!("there are versions {first} to {last}"))
        })?;
        let unread = |why: String| {
            let detail = format!("version {number} of agent '{}' cannot be read: {why}", agent.spec.name);
            Problem::new(Code::StoreUnavailable, detail)
        };
        let bytes = self.blobs.get(version.content).await.map_err(|error| unread(error.to_string()))?;
        let bytes = bytes.ok_or_else(|| unread("it is at none of the nodes that answer".to_owned()))?;
        serde_json::from_slice(&bytes).map_err(|error| unread(error.to_string()))
    }

    /// Commits a command about an agent.
    async fn commit(&self, id: AgentId, command: Command) -> Result<Arc<AgentRecord>, Problem> {
        match self.ledger.propose(self.ledger.shards().shard_of(id), command).await? {
            Applied::Agent(record) => Ok(record),
            Applied::Done | Applied::Activated(_) | Applied::Task(_) | Applied::Duplicate(_) | Applied::Count(_) => {
                self.record(id).await
            }
        }
    }
}

#[async_trait]
impl AgentFactoryPort for AgentFactoryHandle {
    async fn validate(&self, bundle: AgentBundle) -> Result<Vec<Finding>, Problem> {
        let (_, checked) = self.check(bundle).await?;
        Ok(checked.err().unwrap_or_default())
    }

    async fn create(&self, bundle: AgentBundle, by: &str) -> Result<Arc<AgentRecord>, Problem> {
        let (bundle, Blueprint { spec, documents }) = self.blueprint(bundle).await?;
        let id = AgentId::from_name(&spec.name);
        // Asked before the documents are stored, so that a taken name costs nothing; the ledger has the last word.
        if self.ledger.agent(id).await?.is_some() {
            return Err(taken(&spec.name));
        }
        let documents = self.store(bundle, documents).await?;
        let version = self.version(1, by, &spec, &documents).await?;
        let agent = Box::new(AgentRecord {
            id,
            spec: Arc::new(spec),
            documents,
            created_at: version.at,
            desired: Desired::Active,
            usage: UsageWindow::default(),
            memory: None,
            tasks_ended: 0,
            versions: [version].into(),
        });
        let record = self.commit(id, Command::CreateAgent { agent }).await?;
        info!(agent.id = %id, agent.name = %record.spec.name, "agent created");
        warn_of_dormant(&record.spec);
        Ok(record)
    }

    async fn update(&self, id: AgentId, bundle: AgentBundle, by: &str) -> Result<Arc<AgentRecord>, Problem> {
        let (bundle, Blueprint { spec, documents }) = self.blueprint(bundle).await?;
        if AgentId::from_name(&spec.name) != id {
            let detail = format!("the directory is of an agent called '{}'", spec.name);
            return Err(Problem::new(Code::Unprocessable, detail).hint("an agent's name stays; create another agent"));
        }
        let present = self.record(id).await?;
        if present.desired == Desired::Stopped {
            return Err(Problem::from(Refusal::AgentStopped(id)).hint("delete it first; its name is free after that"));
        }
        let documents = self.store(bundle, documents).await?;
        let from = present.version();
        let same = present.spec.as_ref() == &spec && present.documents == documents;
        if same {
            return Ok(present);
        }
        let version = Box::new(self.version(from.saturating_add(1), by, &spec, &documents).await?);
        let command = Command::UpdateAgent { agent: id, from, spec: Arc::new(spec), version };
        let record = self.commit(id, command).await?;
        info!(agent.id = %id, agent.name = %record.spec.name, version = record.version(), "agent updated");
        warn_of_dormant(&record.spec);
        Ok(record)
    }

    async fn diff(&self, id: AgentId, from: u32, to: u32) -> Result<Vec<AgentChange>, Problem> {
        let agent = self.record(id).await?;
        let (before, after) = (self.content(&agent, from).await?, self.content(&agent, to).await?);
        Ok(essence::changes((&before.spec, &before.documents), (&after.spec, &after.documents)))
    }

    async fn diff_with(&self, id: AgentId, bundle: AgentBundle) -> Result<Vec<AgentChange>, Problem> {
        let (bundle, Blueprint { spec, documents }) = self.blueprint(bundle).await?;
        let agent = self.record(id).await?;
        let documents: Vec<_> = documents.into_iter().filter_map(|name| described(&bundle, name)).collect();
        Ok(essence::changes((&agent.spec, &agent.documents), (&spec, &documents)))
    }

    fn schema(&self) -> serde_json::Value {
        essence::schema()
    }
}

/// A document as it would be stored.
fn described(bundle: &AgentBundle, name: String) -> Option<Document> {
    let text = bundle.file(&name)?.text.as_bytes();
    Some(Document { name, blob: BlobId::of(text), bytes: text.len() as u64 })
}

fn encode(spec: &AgentSpec, documents: &[Document]) -> Result<Vec<u8>, Problem> {
    let content = AgentContent { schema: AgentContent::SCHEMA, spec: spec.clone(), documents: documents.to_vec() };
    serde_json::to_vec(&content).map_err(|error| Problem::new(Code::Internal, format!("the agent's version: {error}")))
}

fn warn_of_dormant(spec: &AgentSpec) {
    let dormant = essence::dormant_settings(spec);
    if !dormant.is_empty() {
        warn!(agent.name = %spec.name, settings = ?dormant, "settings without effect in this version");
    }
}

fn taken(name: &str) -> Problem {
    Problem::new(Code::AgentExists, format!("an agent called '{name}' exists already"))
        .hint("`octopussy agent update DIR` changes it; or choose another name in agent.yaml")
}

fn blob_problem(name: &str, error: &BlobError) -> Problem {
    let code = match error {
        BlobError::DiskFull => Code::DiskFull,
        BlobError::TooLarge { .. } => Code::PayloadTooLarge,
        BlobError::Damaged(_) | BlobError::Io(_) => Code::StoreUnavailable,
    };
    Problem::new(code, format!("'{name}' cannot be stored: {error}"))
}
