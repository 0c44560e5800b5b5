//! What a capability implements.

use super::{Provides, Requires, StartContext};
use octopussy_core::contract::Contract;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// Until when something has to be done. Follows the runtime's clock, which tests can pause.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline `after` from now.
    #[must_use]
    pub fn after(after: Duration) -> Self {
        Self(Instant::now() + after)
    }

    /// How much time is left; zero when it has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The moment itself.
    #[must_use]
    pub fn instant(self) -> std::time::Instant {
        self.0.into_std()
    }
}

/// A capability's configuration does not fit together. Nothing has been started.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InitializeError(pub String);

/// A capability could not start. What it had begun, it has undone.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    /// What failed, and what to do about it.
    pub message: String,
    /// What lies behind it.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StartError {
    /// An error with only a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// An error with what lies behind it.
    pub fn because(message: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { message: message.into(), source: Some(source.into()) }
    }
}

/// A capability did not stop cleanly; its clean-up still follows.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StopError(pub String);

/// A capability, from its configuration to its running half.
///
/// `initialize` has no port in scope, so none can be used early; `start` is the only source of provisions.
pub trait Capability: Sized + Send + 'static {
    /// The contract, as constant data.
    const CONTRACT: &'static Contract;
    /// The capability's own section of the configuration.
    type Config: Send + 'static;
    /// The ports it takes; made with [`requires!`](crate::requires).
    type Requires: Requires;
    /// The ports it provides; made with [`provides!`](crate::provides).
    type Provides: Provides;
    /// What runs until it is stopped.
    type Running: Running;

    /// Phase two: checks the configuration and sets up internal state. Touches nothing outside.
    ///
    /// # Errors
    /// [`InitializeError`].
    fn initialize(config: Self::Config) -> Result<Self, InitializeError>;

    /// Phase four: opens files and connections, starts tasks.
    ///
    /// # Errors
    /// [`StartError`]; whatever was opened has been closed again.
    fn start(
        wired: Wired<Self>,
        cx: StartContext,
    ) -> impl Future<Output = Result<(Self::Provides, Self::Running), StartError>> + Send;
}

/// A capability with all its ports: phase three. Cannot be made without every one of them.
pub struct Wired<C: Capability> {
    /// What `initialize` made.
    pub inner: C,
    /// The injected ports.
    pub ports: C::Requires,
}

/// The running half of a capability.
pub trait Running: Send + 'static {
    /// Waits until the capability dies on its own and says why; forever when it does not, which is the default. One whose
    /// root task can end unexpectedly waits for that task here.
    ///
    /// Must be cancel safe: the future is dropped when the capability is to stop.
    fn failed(&mut self) -> impl Future<Output = String> + Send {
        std::future::pending()
    }

    /// Stops taking work and finishes or hands back what runs, until the deadline.
    ///
    /// # Errors
    /// [`StopError`]; the clean-up follows all the same.
    fn stop(&mut self, by: Deadline) -> impl Future<Output = Result<(), StopError>> + Send;

    /// Releases what is held. Cannot fail and does not wait for others.
    fn cleanup(self) -> impl Future<Output = ()> + Send;
}
