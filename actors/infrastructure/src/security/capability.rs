//! Security from its configuration to its running half.

use super::realization::{TokenAuthority, TokenKey, load_keyring, load_keys};
use super::{SecurityConfig, SecurityHandle, SecurityNeeds, SecurityProvides};
use futures::StreamExt;
use octopussy_core::contract::Contract;
use octopussy_core::ports::{AuditEvent, AuditOutcome, KeyKind, ObservabilityPort, SecretError, SecretsPort};
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Security \[4\].
pub struct SecurityCapability {
    config: SecurityConfig,
    cache: NonZeroUsize,
}

/// The running half: the task that follows the rotation of keys.
pub struct SecurityRunning {
    following: JoinHandle<()>,
}

impl Capability for SecurityCapability {
    const CONTRACT: &'static Contract = &super::CONTRACT;
    type Config = SecurityConfig;
    type Requires = SecurityNeeds;
    type Provides = SecurityProvides;
    type Running = SecurityRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        if config.issuer.is_empty() || config.audience.is_empty() {
            return Err(InitializeError("security.issuer and security.audience must not be empty".to_owned()));
        }
        let fits = (16..=1_048_576).contains(&config.token_cache);
        let cache = NonZeroUsize::new(config.token_cache).filter(|_| fits).ok_or_else(|| {
            InitializeError(format!("security.token_cache: {} is not between 16 and 1048576", config.token_cache))
        })?;
        Ok(Self { config, cache })
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let SecurityNeeds { secrets, observability, api_tokens } = wired.ports;
        let Self { config, cache } = wired.inner;
        // Listening begins before the keys are read: a rotation in between is then seen twice and never missed.
        let mut rotations = secrets.rotations();
        let failed =
            |error: SecretError| StartError::because(format!("the signing keys cannot be read: {error}"), error);
        let keyring = load_keyring(&*secrets).await.map_err(failed)?;
        let tokens = load_tokens(&*secrets, &config, cache).await.map_err(failed)?;
        record_what_is_off(&config, &*observability);
        let handle = SecurityHandle::new(config, keyring, tokens, (observability, api_tokens), cx.clock.clone());
        let followed = handle.clone();
        let following = tokio::spawn(async move {
            while let Some(Some(name)) = cx.stopping.run_until_cancelled(rotations.next()).await {
                follow(&*secrets, &followed, cache, name.as_str()).await;
            }
        });
        Ok((SecurityProvides { security: Arc::new(handle) }, SecurityRunning { following }))
    }
}

/// Leaves a record of what the configuration has switched off.
fn record_what_is_off(config: &SecurityConfig, observability: &dyn ObservabilityPort) {
    let off = [("security.scan_prompts", config.scan_prompts), ("security.redact_output", config.redact_output)];
    for (setting, _) in off.into_iter().filter(|(_, is_on)| !is_on) {
        tracing::warn!(setting, "switched off by the configuration");
        observability.audit(AuditEvent {
            action: "security.configure".to_owned(),
            actor: "node".to_owned(),
            subject: setting.to_owned(),
            outcome: AuditOutcome::Allowed,
            detail: "switched off by the configuration".to_owned(),
            trace_id: None,
        });
    }
}

async fn load_tokens(
    secrets: &dyn SecretsPort,
    config: &SecurityConfig,
    cache: NonZeroUsize,
) -> Result<TokenAuthority, SecretError> {
    let set = load_keys(secrets, KeyKind::Token).await?;
    let keys = std::iter::once(set.active()).chain(set.others()).map(|seed| TokenKey::from_seed(seed));
    let unusable = || SecretError::Unusable(format!("the secret '{}' is not a key", KeyKind::Token.secret()));
    let keys = keys.collect::<Option<Vec<_>>>().ok_or_else(unusable)?;
    Ok(TokenAuthority::new(keys, &config.issuer, &config.audience, cache))
}

/// Takes over a rotated key; when it cannot be read, the one in force stays.
async fn follow(secrets: &dyn SecretsPort, handle: &SecurityHandle, cache: NonZeroUsize, name: &str) {
    let taken_over = match KeyKind::of_secret(name) {
        Some(KeyKind::Message) => load_keyring(secrets).await.map(|keyring| handle.set_keyring(keyring)),
        Some(KeyKind::Token) => {
            load_tokens(secrets, handle.config(), cache).await.map(|tokens| handle.set_tokens(tokens))
        }
        // Nothing here is signed with it.
        Some(KeyKind::Authority) | None => return,
    };
    match taken_over {
        Ok(()) => tracing::info!(secret.name = name, "the keys of the cluster are in force here"),
        Err(error) => tracing::error!(secret.name = name, %error, "new keys cannot be read; those before stay"),
    }
}

impl Running for SecurityRunning {
    async fn stop(&mut self, _: Deadline) -> Result<(), StopError> {
        self.following.abort();
        Ok(())
    }

    async fn cleanup(self) {}
}
