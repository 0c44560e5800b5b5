//! Configuration as a port.

use super::Loader;
use super::essence::{changed_sections, lookup, secret_references};
use crate::streams::stream_of;
use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use octopussy_core::ports::{ConfigurationError, ConfigurationPort, Reloaded, SecretName, SecretsPort};
use octopussy_core::problem::Finding;
use parking_lot::RwLock;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::broadcast;

/// How many reloads a listener may be behind: people edit files by hand, and the newest is what counts.
const RELOADS_BOUND: usize = 16;

/// The handle on the configuration in force. Cloning is cheap.
#[derive(Clone)]
pub struct ConfigurationHandle {
    inner: Arc<Inner>,
}

struct Inner {
    current: RwLock<Arc<Value>>,
    /// What was wrong with the last attempt to reload; empty when it was taken over.
    findings: RwLock<Vec<Finding>>,
    loader: Loader,
    secrets: Arc<dyn SecretsPort>,
    reloads: broadcast::Sender<Reloaded>,
    /// One reload at a time, so that the last file read is the one in force.
    reloading: tokio::sync::Mutex<()>,
}

impl ConfigurationHandle {
    pub(super) fn new(initial: Value, loader: Loader, secrets: Arc<dyn SecretsPort>) -> Self {
        let inner = Inner {
            current: RwLock::new(Arc::new(initial)),
            findings: RwLock::default(),
            loader,
            secrets,
            reloads: broadcast::channel(RELOADS_BOUND).0,
            reloading: tokio::sync::Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// What was wrong with the last attempt to reload; empty when it was taken over.
    #[must_use]
    pub fn last_findings(&self) -> Vec<Finding> {
        self.inner.findings.read().clone()
    }

    fn current(&self) -> Arc<Value> {
        self.inner.current.read().clone()
    }

    /// The text with its secret references replaced; `None` when a secret is not there, or is not text.
    async fn resolve_text(&self, text: &str) -> Option<String> {
        let mut resolved = text.to_owned();
        for reference in secret_references(text).into_iter().rev() {
            let name = SecretName::new(&reference.name).ok()?;
            match self.inner.secrets.get(&name).await {
                Ok(secret) => resolved.replace_range(reference.range, secret.expose_str()?),
                Err(error) => {
                    tracing::warn!(secret.name = %name, %error, "a secret that the configuration refers to cannot be read");
                    return None;
                }
            }
        }
        Some(resolved)
    }

    fn resolve(&self, value: Value) -> BoxFuture<'_, Option<Value>> {
        Box::pin(async move {
            Some(match value {
                Value::String(text) => Value::String(self.resolve_text(&text).await?),
                Value::Array(items) => {
                    let mut resolved = Vec::with_capacity(items.len());
                    for item in items {
                        resolved.push(self.resolve(item).await?);
                    }
                    Value::Array(resolved)
                }
                Value::Object(entries) => {
                    let mut resolved = serde_json::Map::new();
                    for (key, item) in entries {
                        resolved.insert(key, self.resolve(item).await?);
                    }
                    Value::Object(resolved)
                }
                value @ (Value::Null | Value::Bool(_) | Value::Number(_)) => value,
            })
        })
    }
}

#[async_trait]
impl ConfigurationPort for ConfigurationHandle {
    async fn get(&self, key: &str) -> Option<Value> {
        let value = lookup(&self.current(), key)?.clone();
        self.resolve(value).await
    }

    fn section(&self, name: &str) -> Value {
        self.current().get(name).cloned().unwrap_or(Value::Null)
    }

    async fn reload(&self) -> Result<Reloaded, ConfigurationError> {
        let _one = self.inner.reloading.lock().await;
        let loader = self.inner.loader.clone();
        let loaded = tokio::task::spawn_blocking(move || loader()).await.unwrap_or_else(|error| {
            let message = format!("the configuration could not be read: {error}");
            Err(vec![Finding { file: "config.yaml".to_owned(), line: None, message, hint: None }])
        });
        let next = match loaded {
            Ok(next) => next,
            Err(findings) => {
                for finding in &findings {
                    tracing::error!(%finding, "the changed configuration is not valid; the one in force stays");
                }
                self.inner.findings.write().clone_from(&findings);
                return Err(ConfigurationError { findings });
            }
        };
        self.inner.findings.write().clear();
        let reloaded = Reloaded { sections: changed_sections(&self.current(), &next) };
        if !reloaded.sections.is_empty() {
            *self.inner.current.write() = Arc::new(next);
            tracing::info!(sections = ?reloaded.sections, "a changed configuration is in force");
            // Nobody listening is not an error.
            let _ = self.inner.reloads.send(reloaded.clone());
        }
        Ok(reloaded)
    }

    fn subscribe(&self) -> BoxStream<'static, Reloaded> {
        stream_of(self.inner.reloads.subscribe())
    }
}
