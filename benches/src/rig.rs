//! The agents' runtime with everything below it, without a process or an interface around it: what a message costs from the
//! moment it is signed.

use crate::alone::alone;
use anyhow::{Context, Result, anyhow};
use octopussy_agents::actor::ActorCapability;
use octopussy_core::agent::{AgentRecord, AgentSpec, Desired, UsageWindow};
use octopussy_core::ids::AgentId;
use octopussy_core::ports::{
    ActorPort, ApiTokensPort, BlobPort, LedShardsPort, LedgerPort, MeasuresPort, MeshPort, NoApiTokens, NoMeasures,
    SecurityPort,
};
use octopussy_core::task::Command;
use octopussy_core::time::Clock;
use octopussy_execution::llm_router::LlmRouterCapability;
use octopussy_infrastructure::configuration::{ConfigurationCapability, ConfigurationConfig, ConfigurationSection};
use octopussy_infrastructure::messaging::MessagingCapability;
use octopussy_infrastructure::observability::ObservabilityCapability;
use octopussy_infrastructure::secrets::SecretsCapability;
use octopussy_infrastructure::security::SecurityCapability;
use octopussy_knowledge::prompt_engine::PromptEngineCapability;
use octopussy_knowledge::token_budget::TokenBudgetCapability;
use octopussy_lifecycle::{Capability, PortTable, Provides, Requires, StartContext, SystemClock, Wired};
use octopussy_shard::{FileBlobs, ShardHost};
use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The runtime of agents on a ledger of its own.
pub struct Rig {
    /// The durable truth.
    pub ledger: Arc<dyn LedgerPort>,
    /// What keeps it.
    pub shards: Arc<ShardHost>,
    /// The running agents.
    pub actors: Arc<dyn ActorPort>,
    /// Signs messages.
    pub security: Arc<dyn SecurityPort>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    _running: Vec<Box<dyn Any + Send>>,
}

impl Rig {
    /// Starts everything in `home`, with the defaults of every capability.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(home: &Path) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let (shards, mesh) = alone(&home.join("data"), &clock).await?;
        let ledger = shards.ledger();
        let mut table = PortTable::default();
        table.insert::<dyn Clock>(Arc::clone(&clock));
        table.insert::<dyn LedgerPort>(Arc::clone(&ledger));
        table.insert::<dyn LedShardsPort>(shards.led());
        table.insert::<dyn MeshPort>(mesh);
        table.insert::<dyn BlobPort>(Arc::new(FileBlobs::open(&home.join("data"))?));
        table.insert::<dyn MeasuresPort>(Arc::new(NoMeasures));
        table.insert::<dyn ApiTokensPort>(Arc::new(NoApiTokens));
        let cx = StartContext { clock: Arc::clone(&clock), home: home.to_owned(), stopping: CancellationToken::new() };
        let nothing = serde_json::Value::Object(serde_json::Map::new());
        let unchanged = nothing.clone();
        let configuration = ConfigurationConfig {
            section: ConfigurationSection::default(),
            initial: nothing,
            loader: Arc::new(move || Ok(unchanged.clone())),
            paths: Vec::new(),
        };
        let running = vec![
            start::<SecretsCapability>(Default::default(), &mut table, &cx).await?,
            start::<ConfigurationCapability>(configuration, &mut table, &cx).await?,
            start::<ObservabilityCapability>(Default::default(), &mut table, &cx).await?,
            start::<SecurityCapability>(Default::default(), &mut table, &cx).await?,
            start::<MessagingCapability>(Default::default(), &mut table, &cx).await?,
            start::<LlmRouterCapability>(Default::default(), &mut table, &cx).await?,
            start::<TokenBudgetCapability>(Default::default(), &mut table, &cx).await?,
            start::<PromptEngineCapability>(Default::default(), &mut table, &cx).await?,
            start::<ActorCapability>(Default::default(), &mut table, &cx).await?,
        ];
        let (actors, security) = (table.get::<dyn ActorPort>()?, table.get::<dyn SecurityPort>()?);
        Ok(Self { ledger, shards, actors, security, clock, _running: running })
    }

    /// Creates an agent of the given name.
    ///
    /// # Errors
    /// When the ledger refuses.
    pub async fn create_agent(&self, name: &str) -> Result<AgentId> {
        let id = AgentId::from_name(name);
        let record = AgentRecord {
            id,
            spec: Arc::new(spec(name)),
            documents: Arc::new([]),
            created_at: self.clock.now(),
            desired: Desired::Active,
            usage: UsageWindow::default(),
            memory: None,
            tasks_ended: 0,
            versions: Arc::new([]),
        };
        let command = Command::CreateAgent { agent: Box::new(record) };
        self.ledger.propose(self.ledger.shards().shard_of(id), command).await?;
        Ok(id)
    }
}

/// Takes one capability through its phases and publishes what it gives.
async fn start<C: Capability>(
    config: C::Config,
    table: &mut PortTable,
    cx: &StartContext,
) -> Result<Box<dyn Any + Send>> {
    let inner = C::initialize(config).map_err(|error| anyhow!("{}: {error}", C::CONTRACT.id))?;
    let ports = C::Requires::resolve(table)?;
    let started = C::start(Wired { inner, ports }, cx.clone()).await;
    let (provides, running) = started.with_context(|| format!("{} does not start", C::CONTRACT.id))?;
    provides.publish(table);
    Ok(Box::new(running))
}

fn spec(name: &str) -> AgentSpec {
    AgentSpec {
        name: name.to_owned(),
        description: "An agent that is sent messages.".to_owned(),
        persona: "A listener.".to_owned(),
        goal: "Listen.".to_owned(),
        ..AgentSpec::default()
    }
}
