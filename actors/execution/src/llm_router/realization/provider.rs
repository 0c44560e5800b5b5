//! A configured provider: its client, its key, its circuit breaker, its health.

use super::http::LazyClient;
use super::key::Key;
use super::wire::{Target, call};
use crate::llm_router::ProviderConfig;
use crate::llm_router::essence::{Breaker, backoff};
use octopussy_core::agent::Usage;
use octopussy_core::ports::{
    ChatRequest, LlmError, ProviderHealth, ProviderStatus, SecretName, SecretsPort, TokenSink,
};
use octopussy_core::time::{Clock, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How many models of one provider may be left alone at once: far more than anybody names.
const RESTING_MODELS: usize = 256;

/// A provider that is asked over the network.
pub(in crate::llm_router) struct Provider {
    pub(super) name: String,
    pub(super) config: ProviderConfig,
    pub(super) url: String,
    pub(super) local: bool,
    pub(super) http: LazyClient,
    pub(super) key: Key,
    clock: Arc<dyn Clock>,
    breaker: Mutex<Breaker>,
    /// Until when it has asked to be left alone, by model: another may have room.
    rests: Mutex<HashMap<String, Timestamp>>,
    /// Its last failure.
    complaint: Mutex<String>,
    health: Mutex<(ProviderHealth, Option<String>)>,
}

impl Provider {
    /// A provider as configured; nothing is connected.
    ///
    /// # Errors
    /// What does not fit in its configuration, in words.
    pub(in crate::llm_router) fn new(
        name: &str,
        config: &ProviderConfig,
        secrets: Arc<dyn SecretsPort>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        Ok(Self {
            name: name.to_owned(),
            url: config.base_url()?,
            local: config.is_local(),
            key: Key::new(config.secret()?, secrets),
            config: config.clone(),
            http: LazyClient::default(),
            clock,
            breaker: Mutex::default(),
            rests: Mutex::default(),
            complaint: Mutex::default(),
            health: Mutex::new((ProviderHealth::Unknown, None)),
        })
    }

    /// Whether it is configured like this.
    pub(super) fn is_like(&self, config: &ProviderConfig) -> bool {
        self.config == *config
    }

    /// A secret has changed.
    pub(in crate::llm_router) fn rotated(&self, name: &SecretName) {
        self.key.rotated(name);
    }

    /// Whether it is worth asking now.
    pub(super) fn is_on_offer(&self) -> bool {
        let tripped = self.breaker.lock().is_tripped();
        // Once the circuit is half open a call is the way to see, whatever was thought of its health before.
        let seems_well = tripped || self.health.lock().0 != ProviderHealth::Unhealthy;
        self.config.enabled && seems_well && self.rest(&self.config.model).is_none()
    }

    /// For how long the model is left alone from now on, and why, when it is.
    pub(super) fn rest(&self, model: &str) -> Option<(Duration, String)> {
        let now = self.clock.now();
        let open = self.breaker.lock().wait(now);
        if let Some(wait) = open {
            return Some((wait, self.complaint.lock().clone()));
        }
        let left = self.rests.lock().get(model)?.since(now);
        (!left.is_zero()).then(|| (left, "it asked for that".to_owned()))
    }

    fn resting(&self, model: &str) -> Option<LlmError> {
        self.rest(model).map(|(wait, reason)| LlmError::Resting { provider: self.name.clone(), reason, wait })
    }

    /// Whether other nodes may use it: a server of this machine's or its network's own, with a model, that answers.
    pub(super) fn is_lent(&self) -> bool {
        self.local && self.config.lend && !self.config.model.is_empty() && self.is_on_offer()
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.health.lock().0 == ProviderHealth::Healthy
    }

    pub(super) fn set_health(&self, health: ProviderHealth, detail: Option<String>) {
        let mut current = self.health.lock();
        if current.0 != health {
            tracing::info!(provider = %self.name, ?health, detail = detail.as_deref().unwrap_or(""), "model provider health");
        }
        *current = (health, detail);
    }

    pub(in crate::llm_router) fn status(&self) -> ProviderStatus {
        let (health, detail) = self.health.lock().clone();
        let disabled = (!self.config.enabled).then(|| "disabled in the configuration".to_owned());
        ProviderStatus {
            name: self.name.clone(),
            kind: self.config.kind.name().to_owned(),
            url: Some(self.url.clone()),
            model: self.config.model.clone(),
            local: self.local,
            health,
            detail: disabled.or(detail),
        }
    }

    /// Asks, and asks again after errors that may pass. All of it takes no longer than the request's timeout, or the provider's own
    /// where that is shorter. Once a piece of the answer has been handed out, nothing is repeated: whoever reads along would see it
    /// twice. The flag tells the caller, who must then not go on to another provider either.
    pub(super) async fn ask(
        &self,
        model: &str,
        request: &ChatRequest,
        tokens: TokenSink<'_>,
        streamed: &AtomicBool,
    ) -> Result<(String, Usage), LlmError> {
        let limit = self.limit(request);
        let until = Instant::now() + limit;
        let mut retry = 0;
        let mut before: Option<LlmError> = None;
        loop {
            let error = match self.attempt(model, request, tokens, streamed, until, limit).await {
                Ok(answer) => return Ok(answer),
                // What it said is worth more than that it is left alone for that.
                Err(error @ LlmError::Resting { .. }) => return Err(before.unwrap_or(error)),
                Err(error) => error,
            };
            let requested = match &error {
                LlmError::RateLimited { retry_after, .. } => *retry_after,
                LlmError::Unavailable { .. } => None,
                LlmError::Timeout { .. }
                | LlmError::Unauthorized { .. }
                | LlmError::Rejected { .. }
                | LlmError::Exhausted { .. }
                | LlmError::Resting { .. }
                | LlmError::Unusable { .. }
                | LlmError::UnknownProvider { .. } => return Err(error),
            };
            if streamed.load(Ordering::Relaxed) {
                return Err(error);
            }
            match backoff(retry, requested, rand::random()) {
                Some(pause) if Instant::now() + pause < until => tokio::time::sleep(pause).await,
                Some(_) | None => {
                    self.leave_alone(model, requested);
                    return Err(error);
                }
            }
            before = Some(error);
            retry += 1;
        }
    }

    fn limit(&self, request: &ChatRequest) -> Duration {
        let own = self.config.timeout_seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(u64::from(seconds)));
        // Bounded so that adding it to the present moment cannot overflow.
        request.timeout.min(own).min(Duration::from_secs(24 * 3600))
    }

    async fn attempt(
        &self,
        model: &str,
        request: &ChatRequest,
        tokens: TokenSink<'_>,
        streamed: &AtomicBool,
        until: Instant,
        limit: Duration,
    ) -> Result<(String, Usage), LlmError> {
        if let Some(resting) = self.resting(model) {
            return Err(resting);
        }
        // Another may have become the one that is let through in between.
        if !self.breaker.lock().permits(self.clock.now())
            && let Some(resting) = self.resting(model)
        {
            return Err(resting);
        }
        let sink = |piece: &str| {
            streamed.store(true, Ordering::Relaxed);
            tokens(piece);
        };
        let one = async {
            let key = self.key.get(&self.name).await?;
            let http = self.http.get(&self.name, &self.url)?;
            let target =
                Target { provider: &self.name, kind: self.config.kind, url: &self.url, model, key, local: self.local };
            call(http, target, request, &sink).await
        };
        let result = tokio::time::timeout_at(until.into(), one)
            .await
            .unwrap_or_else(|_| Err(LlmError::Timeout { provider: self.name.clone(), limit }));
        self.learn(result.as_ref().err());
        result
    }

    /// Every call says something about the provider's health.
    fn learn(&self, error: Option<&LlmError>) {
        match error {
            None => {
                self.breaker.lock().succeeded();
                self.set_health(ProviderHealth::Healthy, None);
            }
            Some(error @ (LlmError::Timeout { .. } | LlmError::Unavailable { .. })) => {
                *self.complaint.lock() = error.to_string();
                let mut breaker = self.breaker.lock();
                breaker.failed(self.clock.now());
                if !breaker.would_permit(self.clock.now()) {
                    drop(breaker);
                    self.set_health(ProviderHealth::Unhealthy, Some(error.to_string()));
                }
            }
            Some(error @ LlmError::Unauthorized { .. }) => {
                // The key may have been set meanwhile without an announcement reaching us.
                self.key.forget();
                self.breaker.lock().succeeded();
                self.set_health(ProviderHealth::Unhealthy, Some(error.to_string()));
            }
            // It answers, if only to refuse.
            Some(
                LlmError::Rejected { .. }
                | LlmError::Unusable { .. }
                | LlmError::RateLimited { .. }
                | LlmError::Resting { .. }
                | LlmError::Exhausted { .. }
                | LlmError::UnknownProvider { .. },
            ) => self.breaker.lock().succeeded(),
        }
    }

    /// It has asked to be left alone for so long: until then nobody asks it for that model.
    fn leave_alone(&self, model: &str, wait: Option<Duration>) {
        let Some(wait) = wait.filter(|wait| !wait.is_zero()) else { return };
        let now = self.clock.now();
        let mut rests = self.rests.lock();
        rests.retain(|_, until| *until > now);
        if rests.len() < RESTING_MODELS {
            let until = rests.entry(model.to_owned()).or_insert(now);
            *until = (*until).max(now.plus(wait));
        }
    }
}
