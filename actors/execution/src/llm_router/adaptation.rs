//! The router as a port.

use super::realization::{Provider, Shared};
use super::{BUILTIN, EXTRACTIVE};
use async_trait::async_trait;
use octopussy_core::agent::Intelligence;
use octopussy_core::ports::{
    ChatRequest, Completion, LlmError, LlmPort, LlmRouterPort, ProviderHealth, ProviderStatus, TokenSink,
};
use std::sync::Arc;

/// The handle on the router. Cloning is cheap.
#[derive(Clone)]
pub struct LlmRouterHandle(Arc<Shared>);

impl LlmRouterHandle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

#[async_trait]
impl LlmRouterPort for LlmRouterHandle {
    fn resolve(&self, intelligence: &Intelligence) -> Result<Arc<dyn LlmPort>, LlmError> {
        if let Some(name) = &intelligence.provider {
            self.0.check(name)?;
        }
        if let Some(fallback) = &intelligence.fallback {
            self.0.check(&fallback.provider)?;
        }
        Ok(Arc::new(RoutedModel { shared: self.0.clone(), intelligence: intelligence.clone() }))
    }

    async fn reload(&self) -> Result<(), LlmError> {
        let shared = self.0.clone();
        let done = tokio::task::spawn_blocking(move || shared.reload()).await;
        done.unwrap_or_else(|error| Err(error.to_string()))
            .map_err(|detail| LlmError::Rejected { provider: "the model router".to_owned(), detail })
    }

    fn providers(&self) -> Vec<ProviderStatus> {
        let builtin = ProviderStatus {
            name: BUILTIN.to_owned(),
            kind: BUILTIN.to_owned(),
            url: None,
            model: EXTRACTIVE.to_owned(),
            local: true,
            health: ProviderHealth::Healthy,
            detail: Some("quotes the material; not a language model".to_owned()),
        };
        let state = self.0.state();
        std::iter::once(builtin).chain(state.providers.values().map(|provider| Provider::status(provider))).collect()
    }
}

/// Answers for one agent's settings; who that is, is decided at each call.
struct RoutedModel {
    shared: Arc<Shared>,
    intelligence: Intelligence,
}

#[async_trait]
impl LlmPort for RoutedModel {
    fn name(&self) -> &str {
        self.intelligence.provider.as_deref().unwrap_or("the default model provider")
    }

    async fn complete(&self, request: &ChatRequest, tokens: TokenSink<'_>) -> Result<Completion, LlmError> {
        self.shared.complete(&self.intelligence, request, tokens).await
    }
}
