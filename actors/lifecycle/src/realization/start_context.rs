//! What a capability is handed beside its ports when it starts.

use octopussy_core::time::Clock;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a capability is handed beside its ports when it starts.
#[derive(Clone)]
pub struct StartContext {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The node's data directory; each capability keeps to names of its own in it.
    pub home: PathBuf,
    /// Cancelled when this capability is to stop, just before its `stop` is called, and when its start is given up:
    /// background tasks end themselves on it.
    pub stopping: CancellationToken,
}
