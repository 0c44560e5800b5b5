//! Stores and hands out contents for other nodes.

use crate::limits::{SERVED_AT_ONCE, TRANSFER_LIMIT};
use crate::transfer::{next, receive, send};
use crate::wire::{Answer, Opening, Question, Reply, decode, decode_request, encode};
use bytes::Bytes;
use futures::future::BoxFuture;
use octopussy_core::ids::{BlobId, NodeId};
use octopussy_core::ports::{BlobPort, LaneHandler, MeshStream, StreamHandler, StreamKind};
use parking_lot::RwLock;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tracing::debug;

/// What the shards of this node name and is not here, as far as it was last looked; none before the first look.
pub(crate) type Missing = Arc<RwLock<Option<BTreeSet<BlobId>>>>;

/// Answers from this node's own store, never from other nodes: two nodes must not ask each other in a circle.
#[derive(Clone)]
pub(crate) struct Serve {
    local: Arc<dyn BlobPort>,
    missing: Missing,
    places: Arc<Semaphore>,
}

impl Serve {
    pub(crate) fn new(local: Arc<dyn BlobPort>, missing: Missing) -> Self {
        Self { local, missing, places: Arc::new(Semaphore::new(SERVED_AT_ONCE)) }
    }

    async fn has(&self, id: BlobId) -> bool {
        matches!(self.local.get(id).await, Ok(Some(_)))
    }

    /// Those of the blobs that the shards here name and that are not here; all of them before that is known.
    fn missing_of(&self, ids: Vec<BlobId>) -> Vec<BlobId> {
        match &*self.missing.read() {
            Some(missing) => ids.into_iter().filter(|id| missing.contains(id)).collect(),
            None => ids,
        }
    }

    async fn serve(&self, kind: StreamKind, stream: &mut MeshStream) -> io::Result<()> {
        let opening: Opening = decode(&next(&mut *stream.source).await?)?;
        if opening.stream() != kind {
            return Err(io::Error::other("the stream was opened for something else"));
        }
        let _place = self.places.acquire().await.map_err(io::Error::other)?;
        match opening {
            Opening::Put { id, bytes } => {
                let reply = match receive(&mut *stream.source, id, bytes).await {
                    Ok(content) => match self.local.put(content).await {
                        Ok(_) => Reply::Stored,
                        Err(error) => Reply::Failed(error.to_string()),
                    },
                    Err(error) => Reply::Failed(error.to_string()),
                };
                stream.sink.send(encode(&reply)?).await.map_err(io::Error::other)?;
            }
            Opening::Get(id) => {
                let (reply, content) = match self.local.get(id).await {
                    Ok(Some(content)) => (Reply::Content(content.len() as u64), content),
                    Ok(None) => (Reply::Missing, Bytes::new()),
                    Err(error) => (Reply::Failed(error.to_string()), Bytes::new()),
                };
                stream.sink.send(encode(&reply)?).await.map_err(io::Error::other)?;
                send(&mut *stream.sink, content).await?;
            }
        }
        stream.sink.finish().await.map_err(io::Error::other)
    }
}

impl LaneHandler for Serve {
    fn handle(&self, _: NodeId, request: Bytes, _: Duration) -> BoxFuture<'static, Result<Bytes, Arc<str>>> {
        let this = self.clone();
        Box::pin(async move {
            let refused = |error: io::Error| Arc::from(error.to_string());
            let answer = match decode_request(&request).map_err(refused)? {
                Question::Has(id) => Answer::Has(this.has(id).await),
                Question::Renew(id) => Answer::Has(this.local.renew(id).await.unwrap_or(false)),
                Question::Missing(ids) => Answer::Missing(this.missing_of(ids)),
            };
            encode(&answer).map_err(refused)
        })
    }
}

/// Serves the streams of one kind.
pub(crate) struct Streams(pub(crate) Serve, pub(crate) StreamKind);

impl StreamHandler for Streams {
    fn handle(&self, from: NodeId, mut stream: MeshStream) -> BoxFuture<'static, ()> {
        let (this, kind) = (self.0.clone(), self.1);
        Box::pin(async move {
            match tokio::time::timeout(TRANSFER_LIMIT, this.serve(kind, &mut stream)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(node = %from, %error, "a blob's content did not get through"),
                Err(_) => debug!(node = %from, "a blob's content took too long"),
            }
        })
    }
}
