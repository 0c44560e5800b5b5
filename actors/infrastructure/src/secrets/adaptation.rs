//! Secrets as a port.

use super::realization::FileStore;
use crate::streams::stream_of;
use async_trait::async_trait;
use futures::stream::BoxStream;
use octopussy_core::ports::{SecretError, SecretName, SecretValue, SecretsPort};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::broadcast;
use zeroize::Zeroizing;

/// How many rotations a listener may be behind: there are a handful of secrets, and only the newest news matters.
const ROTATIONS_BOUND: usize = 64;

/// The handle on the secret store. Cloning is cheap.
#[derive(Clone)]
pub struct SecretsHandle {
    store: Arc<Mutex<FileStore>>,
    rotations: broadcast::Sender<SecretName>,
}

impl SecretsHandle {
    pub(super) fn new(store: FileStore) -> Self {
        Self { store: Arc::new(Mutex::new(store)), rotations: broadcast::channel(ROTATIONS_BOUND).0 }
    }

    /// Opens the store in `directory` outside of a running node, creating it with a fresh key when neither is there. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// [`SecretError`]; nothing was changed. Another process that has it open is named as the reason.
    pub fn open(directory: &std::path::Path) -> Result<Self, SecretError> {
        FileStore::open(directory).map(Self::new)
    }

    /// Gives the store back; secrets can still be read, no longer changed.
    pub fn close(&self) {
        self.store.lock().close();
    }

    /// Runs `work` on the store where blocking is allowed.
    async fn on_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut FileStore) -> Result<T, SecretError> + Send + 'static,
    ) -> Result<T, SecretError> {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || work(&mut store.lock()))
            .await
            .unwrap_or_else(|error| Err(SecretError::Io(std::io::Error::other(error))))
    }

    fn announce(&self, name: &SecretName) {
        // Nobody listening is not an error.
        let _ = self.rotations.send(name.clone());
    }
}

#[async_trait]
impl SecretsPort for SecretsHandle {
    async fn get(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        let name = name.clone();
        self.on_store(move |store| store.get(&name)).await
    }

    async fn set(&self, name: &SecretName, value: SecretValue) -> Result<(), SecretError> {
        let key = name.clone();
        let replaced = self.on_store(move |store| store.set(&key, &value)).await?;
        if replaced {
            self.announce(name);
        }
        Ok(())
    }

    async fn get_or_generate(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        let name = name.clone();
        self.on_store(move |store| store.get_or_generate(&name)).await
    }

    async fn delete(&self, name: &SecretName) -> Result<(), SecretError> {
        let name = name.clone();
        self.on_store(move |store| store.delete(&name)).await
    }

    async fn list(&self) -> Result<Vec<SecretName>, SecretError> {
        self.on_store(|store| Ok(store.list())).await
    }

    fn derived_key(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        self.store.lock().derived_key(purpose)
    }

    fn rotations(&self) -> BoxStream<'static, SecretName> {
        stream_of(self.rotations.subscribe())
    }
}
