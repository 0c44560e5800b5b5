//! Looks after the providers: rotations, new configuration, and whether they are there.

use super::errors::from_status;
use super::provider::Provider;
use super::routing::Shared;
use crate::llm_router::ProviderKind;
use futures::StreamExt as _;
use octopussy_core::ports::{ConfigurationPort, LlmError, ProviderHealth, SecretsPort};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest a provider may take to say that it is there.
const PROBE: Duration = Duration::from_secs(5);
/// How many providers are asked at once.
const PROBES_AT_ONCE: usize = 4;
/// How often it is looked whether asking has been switched on.
const SWITCHED_OFF: Duration = Duration::from_secs(30);

/// How often the neighbours are asked what they lend: a model server is missed for no longer than this.
const NEIGHBOURS: Duration = Duration::from_secs(5);

/// Runs until it is told to stop.
pub(in crate::llm_router) async fn watch(
    shared: Arc<Shared>,
    configuration: Arc<dyn ConfigurationPort>,
    secrets: Arc<dyn SecretsPort>,
    stopping: CancellationToken,
) {
    let mut rotations = secrets.rotations();
    let mut reloads = configuration.subscribe();
    let mut pause = jittered(Duration::from_secs(1));
    let timer = tokio::time::sleep(pause);
    tokio::pin!(timer);
    let mut neighbours = tokio::time::interval(NEIGHBOURS);
    neighbours.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = neighbours.tick() => shared.peers.refresh().await,
            Some(name) = rotations.next() => {
                for provider in shared.state().providers.values() {
                    provider.rotated(&name);
                }
            }
            Some(reloaded) = reloads.next() => {
                if reloaded.sections.iter().any(|section| section == "llm_router") {
                    let shared = shared.clone();
                    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || shared.reload()).await {
                        tracing::warn!(%error, "the model router keeps its configuration");
                    }
                }
            }
            () = &mut timer => {
                let state = shared.state();
                let seconds = u64::from(state.config.health_interval_seconds);
                if seconds > 0 {
                    tokio::select! {
                        () = stopping.cancelled() => return,
                        () = probe_all(state.providers.values().cloned().collect()) => {}
                    }
                }
                pause = if seconds == 0 { SWITCHED_OFF } else { jittered(Duration::from_secs(seconds)) };
                timer.as_mut().reset(tokio::time::Instant::now() + pause);
            }
        }
    }
}

/// Between three and five quarters, so that nodes that started together do not ask together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + 0.5 * rand::random::<f64>())
}

async fn probe_all(providers: Vec<Arc<Provider>>) {
    let enabled = providers.into_iter().filter(|provider| provider.config.enabled);
    futures::stream::iter(enabled)
        .for_each_concurrent(PROBES_AT_ONCE, |provider| async move {
            let was_healthy = provider.is_healthy();
            match probe(&provider).await {
                Ok(()) => provider.set_health(ProviderHealth::Healthy, None),
                Err(error) => {
                    if was_healthy {
                        tracing::warn!(provider = %provider.name, %error, "a model provider does not answer");
                    }
                    provider.set_health(ProviderHealth::Unhealthy, Some(error.to_string()));
                }
            }
        })
        .await;
}

/// Asks for the list of models. A server that has no such list is there all the same.
pub(super) async fn probe(provider: &Provider) -> Result<(), LlmError> {
    let unavailable = |error: reqwest::Error| {
        let mut detail = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            detail = format!("{detail}: {inner}");
            source = inner.source();
        }
        LlmError::Unavailable { provider: provider.name.clone(), detail }
    };
    let key = provider.key.get(&provider.name).await?;
    let key = key.expose_str().unwrap_or_default();
    let url = &provider.url;
    let http = provider.http.get(&provider.name, url)?;
    let request = match provider.config.kind {
        ProviderKind::Ollama => http.get(format!("{url}api/tags")),
        ProviderKind::Anthropic => {
            http.get(format!("{url}models")).header("x-api-key", key).header("anthropic-version", "2023-06-01")
        }
        ProviderKind::Gemini => http.get(format!("{url}models")).header("x-goog-api-key", key),
        ProviderKind::Azure => http.get(format!("{url}models")).header("api-key", key),
        ProviderKind::OpenAi
        | ProviderKind::LmStudio
        | ProviderKind::Vllm
        | ProviderKind::Sglang
        | ProviderKind::LiteLlm => {
            let request = http.get(format!("{url}models"));
            if key.is_empty() { request } else { request.bearer_auth(key) }
        }
    };
    let response = request.timeout(PROBE).send().await.map_err(unavailable)?;
    let status = response.status();
    if status.is_success() || matches!(status.as_u16(), 404 | 405 | 429) {
        return Ok(());
    }
    Err(from_status(&provider.name, status, None, ""))
}
