//! Keeps a capability's panic or hang from becoming everybody's.

use futures::FutureExt as _;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Why a guarded future yielded nothing.
pub(super) enum Broken {
    /// It panicked, with this message.
    Panicked(String),
    /// It had this long and was dropped unfinished.
    TimedOut(Duration),
}

/// Runs `future` for at most `limit`; a panic in it ends here.
///
/// A future that blocks its thread cannot be interrupted by this: whoever has to go on in spite of that runs it in a task of
/// its own.
pub(super) async fn guard<T>(limit: Duration, future: impl Future<Output = T> + Send) -> Result<T, Broken> {
    // Unwind safety: on a panic the capability's half is dropped or only told to release what it holds.
    match tokio::time::timeout(limit, AssertUnwindSafe(future).catch_unwind()).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => Err(Broken::Panicked(panic_message(&*panic))),
        Err(_) => Err(Broken::TimedOut(limit)),
    }
}

/// Calls `run`; a panic in it ends here and comes back as its message.
pub(super) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(run)).map_err(|panic| panic_message(&*panic))
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}
