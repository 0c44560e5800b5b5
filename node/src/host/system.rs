//! The system of this node: which capabilities there are, and what each is made from.

use super::Prepared;
use super::access::{AccessCapability, AccessConfig};
use anyhow::Context;
use octopussy_agents::actor::ActorCapability;
use octopussy_agents::agent_factory::AgentFactoryCapability;
use octopussy_agents::agent_lifecycle::AgentLifecycleCapability;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{BlobPort, LedgerPort};
use octopussy_core::time::Clock;
use octopussy_execution::llm_router::LlmRouterCapability;
use octopussy_gateway::{Addresses, GatewayConfig, NodeFacts, OrchestratorCapability, OrchestratorConfig, TlsMode};
use octopussy_infrastructure::configuration::{ConfigurationCapability, ConfigurationConfig};
use octopussy_infrastructure::messaging::MessagingCapability;
use octopussy_infrastructure::observability::ObservabilityCapability;
use octopussy_infrastructure::secrets::SecretsCapability;
use octopussy_infrastructure::security::SecurityCapability;
use octopussy_knowledge::prompt_engine::PromptEngineCapability;
use octopussy_knowledge::token_budget::TokenBudgetCapability;
use octopussy_lifecycle::{Host, Registry, Sealed, StatusBoard, System};
use octopussy_shard::{FileBlobs, OpenError, ShardConfig, SingleNode};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long the store may be held by another process: a node that was killed takes a moment to disappear.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether the store is free.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// What a system is started for.
pub(super) enum Purpose {
    /// To serve until it is stopped.
    Serve,
    /// To prepare a home directory; `planned` is how it will listen later.
    Bootstrap {
        /// The gateway's settings without the bootstrap's own.
        planned: GatewayConfig,
    },
}

impl Prepared {
    /// Opens the shards and starts everything. Gives up, and undoes what had started, when `interrupt` ends first.
    pub(super) async fn start(
        self,
        purpose: Purpose,
        interrupt: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<(System, Arc<SingleNode>)> {
        let (config, clock, node) = (self.settings.shards.clone(), self.clock.clone(), self.identity.node_id);
        // Opening reads files and waits for the disk, for long when there is a log to replay.
        let (shards, blobs) = tokio::task::spawn_blocking(move || {
            let shards = open_shards(&config, &clock, node).context("the store cannot be opened")?;
            let blobs = FileBlobs::open(&config.dir).context("the blobs cannot be opened")?;
            anyhow::Ok((shards, Arc::new(blobs)))
        })
        .await
        .context("opening the store panicked")??;
        let board = Arc::new(StatusBoard::new());
        let host = Host::new(self.clock.clone(), self.home.path().to_owned()).with_board(board.clone());
        let registry = self.register(purpose, shards.clone(), blobs, &board)?;
        let interrupted = host.interrupt.clone();
        let watch = tokio::spawn(async move {
            interrupt.await;
            interrupted.cancel();
        });
        let started = registry.start_all(host).await;
        watch.abort();
        match started {
            Ok(system) => Ok((system, shards)),
            Err(error) => {
                shards.close(super::STOP_WITHIN / 4).await;
                Err(anyhow::anyhow!(error.chain()))
            }
        }
    }

    fn register(
        self,
        purpose: Purpose,
        shards: Arc<SingleNode>,
        blobs: Arc<FileBlobs>,
        board: &Arc<StatusBoard>,
    ) -> anyhow::Result<Registry<Sealed>> {
        let addresses = Arc::new(OnceLock::new());
        let planned = match purpose {
            Purpose::Serve => None,
            Purpose::Bootstrap { planned } => Some(planned_addresses(&planned)),
        };
        let orchestrator = self.orchestrator(board, &addresses);
        let Self { home, source, settings, identity, .. } = self;
        let configuration = ConfigurationConfig {
            section: settings.configuration,
            initial: settings.tree,
            paths: vec![source.file()],
            loader: Arc::new(move || source.load().map(|settings| settings.tree)),
        };
        let access = AccessConfig { home, ca: identity.ca_pem, addresses, planned };
        let registry = Registry::new()
            .with_substrate::<dyn LedgerPort>(shards)
            .with_substrate::<dyn BlobPort>(blobs)
            .register::<SecretsCapability>(settings.secrets)?
            .register::<ConfigurationCapability>(configuration)?
            .register::<ObservabilityCapability>(settings.observability)?
            .register::<SecurityCapability>(settings.security)?
            .register::<MessagingCapability>(settings.messaging)?
            .register::<LlmRouterCapability>(settings.llm_router)?
            .register::<TokenBudgetCapability>(settings.token_budget)?
            .register::<PromptEngineCapability>(settings.prompt_engine)?
            .register::<ActorCapability>(settings.actor)?
            .register::<AgentLifecycleCapability>(settings.agent_lifecycle)?
            .register::<AgentFactoryCapability>(settings.agent_factory)?
            .register::<OrchestratorCapability>(orchestrator)?
            .register::<AccessCapability>(access)?;
        Ok(registry.seal()?)
    }

    fn orchestrator(&self, board: &Arc<StatusBoard>, addresses: &Arc<OnceLock<Addresses>>) -> OrchestratorConfig {
        let (views, waits, listening) = (board.clone(), board.clone(), addresses.clone());
        OrchestratorConfig {
            gateway: self.settings.gateway.clone(),
            tls: (self.settings.gateway.tls == TlsMode::On).then(|| self.identity.server_config.clone()),
            node: NodeFacts {
                id: self.identity.node_id,
                version: env!("CARGO_PKG_VERSION"),
                profile: self.settings.profile.clone(),
                capabilities: Arc::new(move || views.views()),
                not_ready: Arc::new(move || waits.waits_for().map(|(id, phase)| format!("{id} is in phase {phase}"))),
                listening: Arc::new(move |at| {
                    if listening.set(at).is_err() {
                        tracing::error!("the gateway has started to listen a second time");
                    }
                }),
            },
        }
    }
}

/// Opens the shards; waits a little for a process that is just ending to let go of them.
fn open_shards(config: &ShardConfig, clock: &Arc<dyn Clock>, node: NodeId) -> Result<Arc<SingleNode>, OpenError> {
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        match SingleNode::open(config.clone(), clock.clone(), node) {
            Err(error) if error.is_locked() && Instant::now() < patience => std::thread::sleep(LOCK_POLL),
            opened => return opened,
        }
    }
}

/// Where a node with these settings will listen.
fn planned_addresses(gateway: &GatewayConfig) -> Addresses {
    let at = |port: u16| SocketAddr::new(gateway.bind, port.saturating_add(gateway.port_offset));
    Addresses {
        rest: at(gateway.rest_port),
        ws: at(gateway.ws_port),
        metrics: at(gateway.metrics_port),
        tls: gateway.tls == TlsMode::On,
    }
}
