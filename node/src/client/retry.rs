//! Trying again, when that is safe.

use super::ClientError;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// The pauses between tries: doubled from try to try, bounded, and never past a deadline.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    next: Duration,
    most: Duration,
    until: Instant,
}

impl Backoff {
    /// Pauses from 100 ms to 2 s, for at most `total`.
    pub(crate) fn lasting(total: Duration) -> Self {
        Self { next: Duration::from_millis(100), most: Duration::from_secs(2), until: Instant::now() + total }
    }

    /// Pauses; `false` when the time is up.
    pub(crate) async fn pause(&mut self) -> bool {
        let wake = Instant::now() + self.next;
        if wake > self.until {
            return false;
        }
        tokio::time::sleep_until(wake).await;
        self.next = (self.next * 2).min(self.most);
        true
    }
}

/// Repeats `attempt` while the node does not answer, for at most `total`. Only for what is safe to repeat.
pub(crate) async fn with_retries<T, F, R>(total: Duration, mut attempt: F) -> Result<T, ClientError>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, ClientError>>,
{
    let mut backoff = Backoff::lasting(total);
    loop {
        match attempt().await {
            Err(error) if error.is_transient() => {
                if !backoff.pause().await {
                    return Err(error);
                }
            }
            result => return result,
        }
    }
}
