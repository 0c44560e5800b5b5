//! Broadcast channels as streams.

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// The channel's values; a listener that fell behind goes on with the oldest that is still there.
pub(crate) fn stream_of<T: Clone + Send + 'static>(receiver: Receiver<T>) -> BoxStream<'static, T> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        loop {
            match receiver.recv().await {
                Ok(value) => return Some((value, receiver)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
    .boxed()
}
