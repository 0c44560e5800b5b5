//! Lends this node's model servers to the other nodes.

use super::Shared;
use super::peer_wire::{self, CallContext, Lent, PeerAnswer, PeerCall, decode_call, encode};
use super::span;
use bytes::Bytes;
use futures::future::BoxFuture;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{
    Lane, LaneHandler, LlmError, MeshPort, MeshStream, StreamHandler, StreamKind, decode_request,
};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tracing::Instrument;

/// How many calls of other nodes are under way at once; the next one is told to come back. A model server of a small machine
/// works on a handful.
const MAX_CALLS: usize = 32;
/// How many pieces may wait for a slow connection. Beyond it pieces are left out of the stream; the whole answer follows.
const PIECES: usize = 256;

/// Serves the lane and the streams on which other nodes ask.
pub(in crate::llm_router) fn lend(mesh: &dyn MeshPort, shared: &Arc<Shared>) {
    let calls = Arc::new(Semaphore::new(MAX_CALLS));
    mesh.serve(Lane::Model, Arc::new(Offers(Arc::downgrade(shared))));
    mesh.serve_streams(StreamKind::Tokens, Arc::new(Calls { shared: Arc::downgrade(shared), calls }));
}

/// Says what is lent.
struct Offers(Weak<Shared>);

impl LaneHandler for Offers {
    fn handle(&self, from: NodeId, request: Bytes, _: Duration) -> BoxFuture<'static, Result<Bytes, Arc<str>>> {
        let lent = decode_request::<peer_wire::Offers>(&request)
            .map(|_| self.0.upgrade().map(|shared| shared.lent(from)).unwrap_or_default());
        Box::pin(async move {
            let lent: Vec<Lent> = lent.map_err(|error| Arc::from(error.to_string()))?;
            encode(&lent).map_err(|error| error.to_string().into())
        })
    }
}

impl Shared {
    /// The models of this machine that a node may use.
    fn lent(&self, to: NodeId) -> Vec<Lent> {
        let state = self.state();
        let lent = state
            .providers
            .values()
            .filter(|provider| provider.is_lent() && self.peers.may_use(to, &provider.name, &state.config.lend_to));
        lent.map(|provider| Lent { provider: provider.name.clone(), model: provider.config.model.clone() }).collect()
    }
}

/// Answers calls.
struct Calls {
    shared: Weak<Shared>,
    calls: Arc<Semaphore>,
}

impl StreamHandler for Calls {
    fn handle(&self, from: NodeId, stream: MeshStream) -> BoxFuture<'static, ()> {
        let (shared, permit) = (self.shared.clone(), self.calls.clone().try_acquire_owned());
        Box::pin(async move {
            let MeshStream { mut sink, mut source } = stream;
            let Ok(Some(frame)) = source.next().await else { return };
            let busy = LlmError::RateLimited { provider: "the other node".to_owned(), retry_after: None };
            let (Some(shared), Ok(_permit)) = (shared.upgrade(), permit) else {
                if let Ok(frame) = encode(&PeerAnswer::Failed(busy)) {
                    let _ = sink.send(frame).await;
                }
                return;
            };
            let Ok((mut call, CallContext { trace })) = decode_call(&frame) else {
                tracing::warn!(%from, "a call of a model that cannot be read");
                return;
            };
            call.request.trace = trace;
            let span = span::lent(from, trace);
            serve(&shared, from, &call, MeshStream { sink, source }).instrument(span).await;
        })
    }
}

/// Carries out one call and answers it.
async fn serve(shared: &Shared, from: NodeId, call: &PeerCall, stream: MeshStream) {
    let MeshStream { mut sink, mut source } = stream;
    let Lent { provider, model } = &call.lent;
    tracing::debug!(provider, model, "another node asks a model of this one");
    let (pieces, mut spoken) = mpsc::channel(PIECES);
    let answer = answer(shared, from, call, pieces);
    let carry = async {
        while let Some(piece) = spoken.recv().await {
            let frame = encode(&PeerAnswer::Piece(piece)).ok()?;
            sink.send(frame).await.ok()?;
        }
        Some(())
    };
    // Whoever asked and went away ends the call: its stream ends, or takes no more.
    let (last, carried) = tokio::select! {
        both = async { tokio::join!(answer, carry) } => both,
        _ = source.next() => {
            tracing::debug!("the node that asked has gone away");
            return;
        }
    };
    if let PeerAnswer::Failed(error) = &last {
        tracing::warn!(provider, model, %error, "a model did not answer another node");
    }
    if carried.is_some()
        && let Ok(frame) = encode(&last)
        && sink.send(frame).await.is_ok()
    {
        let _ = sink.finish().await;
    }
}

async fn answer(shared: &Shared, from: NodeId, call: &PeerCall, pieces: mpsc::Sender<String>) -> PeerAnswer {
    // It must not block.
    let sink = |piece: &str| drop(pieces.try_send(piece.to_owned()));
    match shared.lend(from, &call.lent, &call.request, &sink).await {
        Ok(completion) => PeerAnswer::Done(completion),
        Err(error) => PeerAnswer::Failed(error),
    }
}
