//! Waiting on a condition with a deadline, instead of sleeping and hoping.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a condition that must come true is waited for. Generous: a debug binary on a busy two-core machine is slow, and
/// a test that fails for want of time says nothing.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(10);

/// Waits until `condition` yields something, for [`PATIENCE`].
///
/// # Panics
/// When it does not, naming `what` was waited for.
pub async fn eventually<T, F, Fut>(what: &str, condition: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    eventually_within(PATIENCE, what, condition).await
}

/// Waits until `condition` yields something, for `limit`.
///
/// # Panics
/// When it does not, naming `what` was waited for.
pub async fn eventually_within<T, F, Fut>(limit: Duration, what: &str, condition: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let found = eventually_or_none(limit, condition).await;
    found.unwrap_or_else(|| panic!("waited {limit:?} in vain: {what}"))
}

/// Waits until `condition` yields something, for `limit`; `None` when it does not.
pub(crate) async fn eventually_or_none<T, F, Fut>(limit: Duration, mut condition: F) -> Option<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition().await {
            return Some(value);
        }
        if Instant::now() > deadline {
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
}
