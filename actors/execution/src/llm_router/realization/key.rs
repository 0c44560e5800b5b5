//! The key of a provider.

use octopussy_core::ports::{LlmError, SecretName, SecretValue, SecretsPort};
use parking_lot::Mutex;
use std::sync::Arc;

/// Fetches a key when it is first needed and keeps it until it is rotated.
pub(super) struct Key {
    name: Option<SecretName>,
    secrets: Arc<dyn SecretsPort>,
    /// The key, and how often it has been forgotten: a fetch that a rotation overtook must not bring the old one back.
    cached: Mutex<(u64, Option<SecretValue>)>,
}

impl Key {
    pub(super) fn new(name: Option<SecretName>, secrets: Arc<dyn SecretsPort>) -> Self {
        Self { name, secrets, cached: Mutex::default() }
    }

    /// Forgets the key when it is this secret's.
    pub(super) fn rotated(&self, name: &SecretName) {
        if self.name.as_ref() == Some(name) {
            self.forget();
        }
    }

    /// Fetches the key anew on the next call.
    pub(super) fn forget(&self) {
        let mut cached = self.cached.lock();
        *cached = (cached.0 + 1, None);
    }

    /// The key; empty when the provider needs none.
    pub(super) async fn get(&self, provider: &str) -> Result<SecretValue, LlmError> {
        let Some(name) = &self.name else { return Ok(SecretValue::new(Vec::new())) };
        let generation = {
            let cached = self.cached.lock();
            if let Some(value) = &cached.1 {
                return Ok(value.clone());
            }
            cached.0
        };
        let value = self.secrets.get(name).await.map_err(|error| LlmError::Unauthorized {
            provider: provider.to_owned(),
            detail: format!("its key cannot be read: {error}; `octopussy secret set {name}` sets it"),
        })?;
        let mut cached = self.cached.lock();
        if cached.0 == generation {
            cached.1 = Some(value.clone());
        }
        Ok(value)
    }
}
