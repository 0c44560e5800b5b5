//! What is in force: providers, table, and how a call goes through them.

use super::peer_wire::Lent;
use super::peers::{Borrowing, PeerModel, Peers};
use super::provider::Provider;
use super::{gpu, span, table_file};
use crate::llm_router::essence::{Offer, RoutingTable, choose, cost_micros, extractive};
use crate::llm_router::{BUILTIN, EXTRACTIVE, LlmRouterConfig};
use octopussy_core::agent::{Intelligence, Strategy, Usage};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{
    ChatRequest, Completion, ConfigurationPort, LlmError, Metric, ObservabilityPort, SecretsPort, TokenSink,
};
use octopussy_core::time::Clock;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing::Instrument;

/// How many models are asked for one call when the agent names none.
const MAX_CHOICES: usize = 3;

/// Up to how many tokens the embedded model answers where it is asked; beyond, beside the runtime's threads.
const ANSWERED_HERE: u64 = 16 * 1024;

/// What is in force; replaced as a whole.
pub(in crate::llm_router) struct State {
    pub(in crate::llm_router) providers: BTreeMap<String, Arc<Provider>>,
    pub(in crate::llm_router) config: LlmRouterConfig,
    table: RoutingTable,
}

/// What every handle shares.
pub(in crate::llm_router) struct Shared {
    state: RwLock<Arc<State>>,
    configuration: Arc<dyn ConfigurationPort>,
    secrets: Arc<dyn SecretsPort>,
    observability: Arc<dyn ObservabilityPort>,
    clock: Arc<dyn Clock>,
    home: PathBuf,
    gpu: bool,
    pub(super) peers: Peers,
}

/// Who is asked next.
enum Step {
    Builtin,
    Provider(Arc<Provider>, String),
    Peer(PeerModel),
    Missing(LlmError),
}

impl Shared {
    /// Reads the table (blocking) and sets the providers up.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub(in crate::llm_router) fn open(
        config: LlmRouterConfig,
        configuration: Arc<dyn ConfigurationPort>,
        secrets: Arc<dyn SecretsPort>,
        observability: Arc<dyn ObservabilityPort>,
        clock: Arc<dyn Clock>,
        home: PathBuf,
        peers: Peers,
    ) -> Result<Self, String> {
        let empty =
            State { providers: BTreeMap::new(), config: LlmRouterConfig::default(), table: RoutingTable::default() };
        let gpu = gpu::present();
        let shared = Self {
            state: RwLock::new(Arc::new(empty)),
            configuration,
            secrets,
            observability,
            clock,
            home,
            gpu,
            peers,
        };
        shared.install(config)?;
        Ok(shared)
    }

    pub(in crate::llm_router) fn state(&self) -> Arc<State> {
        self.state.read().clone()
    }

    /// Takes the configuration as it now is (blocking). On an error what was in force stays.
    pub(in crate::llm_router) fn reload(&self) -> Result<(), String> {
        let section = self.configuration.section("llm_router");
        let config = if section.is_null() {
            LlmRouterConfig::default()
        } else {
            serde_json::from_value(section).map_err(|error| format!("llm_router: {error}"))?
        };
        self.install(config)
    }

    /// Providers whose configuration has not changed stay as they are, with what is known of their health.
    fn install(&self, config: LlmRouterConfig) -> Result<(), String> {
        config.check()?;
        let table = table_file::read(config.routing_table.as_ref().map(|path| self.home.join(path)).as_deref())?;
        let before = self.state();
        let mut providers = BTreeMap::new();
        for (name, wanted) in &config.providers {
            let provider = match before.providers.get(name) {
                Some(known) if known.is_like(wanted) => known.clone(),
                Some(_) | None => Arc::new(Provider::new(name, wanted, self.secrets.clone(), self.clock.clone())?),
            };
            providers.insert(name.clone(), provider);
        }
        *self.state.write() = Arc::new(State { providers, config, table });
        Ok(())
    }

    /// Whether there is such a provider.
    pub(in crate::llm_router) fn check(&self, name: &str) -> Result<(), LlmError> {
        let state = self.state();
        let is_lent = || {
            let anybody = Borrowing { from: &state.config.borrow_from, full_only: false };
            !self.peers.find(anybody, Some(name), None).is_empty()
        };
        if name == BUILTIN || state.providers.contains_key(name) || is_lent() {
            return Ok(());
        }
        Err(unknown(&state, name))
    }

    /// Asks one after another until one answers.
    pub(in crate::llm_router) async fn complete(
        &self,
        intelligence: &Intelligence,
        request: &ChatRequest,
        tokens: TokenSink<'_>,
    ) -> Result<Completion, LlmError> {
        let state = self.state();
        let model = request.model.as_deref().or(intelligence.model.as_deref());
        let mut tried: Vec<LlmError> = Vec::new();
        for step in self.steps(&state, intelligence, model) {
            let error = match step {
                Step::Builtin => return self.extract(request, tokens).await,
                Step::Missing(error) => error,
                Step::Provider(provider, model) => {
                    let streamed = AtomicBool::new(false);
                    match self.ask(&state, &provider, &model, request, tokens, &streamed).await {
                        Ok(completion) => return Ok(completion),
                        Err(error) if streamed.load(Ordering::Relaxed) => return Err(error),
                        Err(error) => error,
                    }
                }
                Step::Peer(peer) => {
                    let streamed = AtomicBool::new(false);
                    match self.ask_peer(&peer, request, tokens, &streamed).await {
                        Ok(completion) => return Ok(completion),
                        Err(error) if streamed.load(Ordering::Relaxed) => return Err(error),
                        Err(error) => error,
                    }
                }
            };
            tried.push(error);
        }
        match (tried.pop(), tried.is_empty()) {
            (Some(only), true) => Err(only),
            (last, _) => Err(exhausted(tried.into_iter().chain(last).collect())),
        }
    }

    /// Who is asked, in order: the named provider or whoever the strategy prefers, then the fallback.
    fn steps(&self, state: &State, intelligence: &Intelligence, model: Option<&str>) -> Vec<Step> {
        let mut steps = Vec::new();
        // LOCAL is a promise: a guest's machine is not one of our own.
        let full_only = intelligence.strategy == Strategy::Local;
        let borrowing = Borrowing { from: &state.config.borrow_from, full_only };
        let default = state.config.default_provider.as_deref();
        match intelligence.provider.as_deref().or(default) {
            Some(name) => {
                let default_model = state.config.default_model.as_deref().filter(|_| Some(name) == default);
                steps.extend(self.named(state, borrowing, name, model.or(default_model)));
            }
            None => {
                let choices = self.choices(state, intelligence, model);
                steps.extend(choices.into_iter().map(|(provider, model)| Step::Provider(provider, model)));
                // What a neighbour lends stands on machines of our own, which CLOUD rules out; and it does not see.
                if intelligence.strategy != Strategy::Cloud && !intelligence.vlm {
                    let lent = self.peers.find(borrowing, None, model).into_iter();
                    let left = MAX_CHOICES.saturating_sub(steps.len());
                    steps.extend(lent.take(left).map(Step::Peer));
                }
                if steps.is_empty() && !state.providers.values().any(|provider| provider.config.enabled) {
                    steps.push(Step::Builtin);
                } else if steps.is_empty() {
                    steps.push(Step::Missing(nobody(state)));
                }
            }
        }
        if let Some(fallback) = &intelligence.fallback {
            steps.extend(self.named(state, borrowing, &fallback.provider, fallback.model.as_deref()));
        }
        steps
    }

    /// The provider of that name here; without one, those of that name at nodes whose models may be used.
    fn named(&self, state: &State, borrowing: Borrowing<'_>, name: &str, model: Option<&str>) -> Vec<Step> {
        if name == BUILTIN || state.providers.contains_key(name) {
            return vec![named(state, name, model)];
        }
        let lent: Vec<Step> =
            self.peers.find(borrowing, Some(name), model).into_iter().take(MAX_CHOICES).map(Step::Peer).collect();
        if lent.is_empty() { vec![Step::Missing(unknown(state, name))] } else { lent }
    }

    /// Asks a model of this machine on behalf of another node; who pays for it counts it there.
    pub(super) async fn lend(
        &self,
        to: NodeId,
        lent: &Lent,
        request: &ChatRequest,
        tokens: TokenSink<'_>,
    ) -> Result<Completion, LlmError> {
        let state = self.state();
        let Lent { provider: name, model } = lent;
        // What is lent is the model that is configured, not whatever the server has.
        let provider = state.providers.get(name).filter(|provider| {
            provider.is_lent() && provider.config.model == *model && self.peers.may_use(to, name, &state.config.lend_to)
        });
        let Some(provider) = provider.cloned() else { return Err(not_lent(name, model)) };
        self.ask(&state, &provider, model, request, tokens, &AtomicBool::new(false)).await
    }

    async fn ask_peer(
        &self,
        peer: &PeerModel,
        request: &ChatRequest,
        tokens: TokenSink<'_>,
        streamed: &AtomicBool,
    ) -> Result<Completion, LlmError> {
        let (began, span) = (std::time::Instant::now(), peer.span());
        let result = self.peers.ask(peer, request, tokens, streamed).instrument(span.clone()).await;
        self.observability.observe(Metric::ModelCallSeconds, "peer", began.elapsed().as_secs_f64());
        self.observability.count(Metric::ModelCalls, outcome(result.as_ref().err()), 1);
        let completion = result?;
        span::used(&span, completion.usage);
        self.observability.count(Metric::Tokens, "peer", completion.usage.tokens());
        Ok(completion)
    }

    fn choices(&self, state: &State, intelligence: &Intelligence, model: Option<&str>) -> Vec<(Arc<Provider>, String)> {
        let offers: Vec<Offer<'_>> = state
            .providers
            .values()
            .filter(|provider| provider.is_on_offer())
            .map(|provider| Offer {
                name: &provider.name,
                kind: provider.config.kind.name(),
                model: &provider.config.model,
                local: provider.local,
                cost_in: provider.config.cost_in,
                cost_out: provider.config.cost_out,
            })
            .collect();
        choose(&state.table, &offers, intelligence.strategy, model, intelligence.vlm, self.gpu)
            .into_iter()
            .filter_map(|choice| Some((state.providers.get(&choice.provider)?.clone(), choice.model)))
            .take(MAX_CHOICES)
            .collect()
    }

    async fn ask(
        &self,
        state: &State,
        provider: &Provider,
        model: &str,
        request: &ChatRequest,
        tokens: TokenSink<'_>,
        streamed: &AtomicBool,
    ) -> Result<Completion, LlmError> {
        let kind = provider.config.kind.name();
        let (began, span) = (std::time::Instant::now(), span::chat(&provider.name, model));
        let result = provider.ask(model, request, tokens, streamed).instrument(span.clone()).await;
        self.observability.observe(Metric::ModelCallSeconds, kind, began.elapsed().as_secs_f64());
        self.observability.count(Metric::ModelCalls, outcome(result.as_ref().err()), 1);
        let (text, mut usage) = result?;
        if usage.tokens() == 0 {
            // Servers that do not count are counted for: a budget that sees nothing protects nobody.
            usage.prompt_tokens = extractive::request_tokens(request);
            usage.completion_tokens = extractive::tokens(&text);
        }
        let (cost_in, cost_out) = match state.table.entry(&provider.name, kind, model) {
            Some(entry) => (entry.cost_in, entry.cost_out),
            None => (provider.config.cost_in, provider.config.cost_out),
        };
        usage.cost_micros = cost_micros(usage, cost_in, cost_out);
        span::used(&span, usage);
        self.observability.count(Metric::Tokens, kind, usage.tokens());
        Ok(Completion { text, by: format!("{}/{model}", provider.name), usage })
    }

    /// The embedded model answers on the spot. It reads no tokens and sells none, so a budget never stands in its way.
    async fn extract(&self, request: &ChatRequest, tokens: TokenSink<'_>) -> Result<Completion, LlmError> {
        let text = if extractive::request_tokens(request) <= ANSWERED_HERE {
            extractive::answer(request)
        } else {
            let request = request.clone();
            let broken = |error: tokio::task::JoinError| LlmError::Unavailable {
                provider: BUILTIN.to_owned(),
                detail: format!("the answer broke off: {error}"),
            };
            tokio::task::spawn_blocking(move || extractive::answer(&request)).await.map_err(broken)?
        };
        for piece in extractive::pieces(&text) {
            tokens(piece);
        }
        self.observability.count(Metric::ModelCalls, outcome(None), 1);
        Ok(Completion { text, by: format!("{BUILTIN}/{EXTRACTIVE}"), usage: Usage::default() })
    }
}

fn named(state: &State, name: &str, model: Option<&str>) -> Step {
    if name == BUILTIN {
        return Step::Builtin;
    }
    let Some(provider) = state.providers.get(name) else { return Step::Missing(unknown(state, name)) };
    let missing =
        |detail: &str| Step::Missing(LlmError::Unavailable { provider: name.to_owned(), detail: detail.to_owned() });
    if !provider.config.enabled {
        return missing("it is disabled in the configuration");
    }
    // A provider without a model of its own takes the first that the table knows of it.
    let owned_by = |owner: &str| state.table.models.iter().find(|entry| entry.provider == owner);
    let known = || owned_by(name).or_else(|| owned_by(provider.config.kind.name())).map_or("", |entry| &entry.model);
    let own = if provider.config.model.is_empty() { known() } else { &provider.config.model };
    match model.unwrap_or(own) {
        "" => missing("no model is named: set `model` for the provider or the agent"),
        model => Step::Provider(provider.clone(), model.to_owned()),
    }
}

/// Why nobody is asked where the strategy chooses.
fn nobody(state: &State) -> LlmError {
    let provider = "the model router".to_owned();
    let enabled = state.providers.values().filter(|provider| provider.config.enabled);
    let soonest = enabled.filter_map(|one| one.rest(&one.config.model).map(|(wait, why)| (wait, &one.name, why))).min();
    match soonest {
        Some((wait, name, why)) => LlmError::Resting { provider: name.clone(), reason: why, wait },
        None => LlmError::Unavailable {
            provider,
            detail: "no enabled provider fits the agent's strategy, or all are unhealthy".to_owned(),
        },
    }
}

/// Does not say which providers there are: whoever asks may use those that are offered to it.
fn not_lent(name: &str, model: &str) -> LlmError {
    let detail = format!("the model {model} is not lent to this node");
    LlmError::Rejected { provider: name.to_owned(), detail }
}

fn unknown(state: &State, name: &str) -> LlmError {
    let known = state.providers.keys().cloned().chain([BUILTIN.to_owned()]).collect();
    LlmError::UnknownProvider { name: name.to_owned(), known }
}

/// What each one said. When none of it may pass, neither may the whole: the last refusal then stands for it.
fn exhausted(tried: Vec<LlmError>) -> LlmError {
    let texts: Vec<String> = tried.iter().map(ToString::to_string).collect();
    if tried.iter().any(LlmError::is_transient) {
        // With one among them that may answer at any moment, there is nothing to wait for.
        let waits: Option<Vec<Duration>> =
            tried.iter().filter(|error| error.is_transient()).map(LlmError::retry_after).collect();
        return LlmError::Exhausted { tried: texts, retry_after: waits.and_then(|waits| waits.into_iter().min()) };
    }
    LlmError::Rejected { provider: "every model provider".to_owned(), detail: texts.join("; ") }
}

const fn outcome(error: Option<&LlmError>) -> &'static str {
    match error {
        None => "ok",
        Some(LlmError::Unauthorized { .. }) => "unauthorized",
        Some(LlmError::Rejected { .. }) => "rejected",
        Some(LlmError::RateLimited { .. }) => "rate_limited",
        Some(LlmError::Timeout { .. }) => "timeout",
        Some(LlmError::Unusable { .. }) => "unusable",
        Some(LlmError::Resting { .. }) => "resting",
        Some(LlmError::Unavailable { .. } | LlmError::Exhausted { .. } | LlmError::UnknownProvider { .. }) => {
            "unavailable"
        }
    }
}
