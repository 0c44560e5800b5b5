//! Bodies of requests that were refused before they were read. A client of HTTP/2 whose body is dropped hears of a broken
//! stream and not of the refusal; so what it has sent is read and thrown away, beside the answer, within bounds.

use super::body::announced;
use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::Request;
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// The largest body that is read only to be thrown away: what a client of HTTP/2 may send before it hears anything.
const DRAINED: usize = 64 * 1024;
/// How long that may take.
const WITHIN: Duration = Duration::from_secs(1);

/// The body of a request, for a while in the hands of its handler.
pub(super) struct Lent(Arc<Mutex<Option<BodyDataStream>>>);

/// Lends the body to whoever handles the request; `None` when there is none, or one that is too large to be drained.
pub(super) fn lend(request: &mut Request<Body>) -> Option<Lent> {
    if request.body().is_end_stream() || announced(request.headers()) > DRAINED {
        return None;
    }
    let back = Arc::new(Mutex::new(None));
    let body = std::mem::take(request.body_mut()).into_data_stream();
    *request.body_mut() = Body::from_stream(Held { body: Some(body), back: back.clone() });
    Some(Lent(back))
}

impl Lent {
    /// Reads what the handler left, beside the answer; `held` is dropped when that is done.
    pub(super) fn drain(self, held: impl Send + 'static) {
        let Some(mut body) = self.0.lock().take() else { return };
        let all = async move {
            let mut left = DRAINED;
            while let Some(Ok(chunk)) = body.next().await {
                left = left.saturating_sub(chunk.len());
                if left == 0 {
                    break;
                }
            }
        };
        tokio::spawn(async move {
            // Whoever takes longer is cut off, as everybody would be without this.
            let _ = tokio::time::timeout(WITHIN, all).await;
            drop(held);
        });
    }
}

/// The body in the handler's hands; goes back when it is dropped before its end.
struct Held {
    body: Option<BodyDataStream>,
    back: Arc<Mutex<Option<BodyDataStream>>>,
}

impl Stream for Held {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let next = body.poll_next_unpin(cx);
        if matches!(next, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        next
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.back.lock() = self.body.take();
    }
}
