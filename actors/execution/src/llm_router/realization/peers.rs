//! Models at other nodes: which there are, and how they are asked.

use super::peer_wire::{CallContext, Lent, Offers, PeerAnswer, PeerCall, decode, encode_call};
use super::span;
use crate::llm_router::essence::{Neighbour, bounded, permitted};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{
    ChatRequest, Completion, Lane, LlmError, MeshError, MeshPort, StreamKind, TokenSink, encode_request,
};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a neighbour may take to say what it lends.
const OFFERS_WITHIN: Duration = Duration::from_secs(2);
/// How many models of one neighbour are taken note of: far more than a machine serves.
const MAX_LENT: usize = 64;
/// How much longer than the model's own deadline is waited for the node that asks it, so that its words get through.
const GRACE: Duration = Duration::from_secs(2);

/// A model at another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PeerModel {
    node: NodeId,
    lent: Lent,
}

impl PeerModel {
    /// How it is called in errors and in journals.
    fn name(&self) -> String {
        format!("{}@{}", self.lent.provider, self.node)
    }

    /// The span of a call.
    pub(super) fn span(&self) -> tracing::Span {
        span::chat(&self.name(), &self.lent.model)
    }
}

/// The nodes of the cluster as they now are.
pub(in crate::llm_router) type Neighbours = Box<dyn Fn() -> Vec<Neighbour> + Send + Sync>;

/// Whose models may be used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Borrowing<'a> {
    /// Whom the operator named.
    pub(super) from: &'a [String],
    /// Whether only full members count: machines of our own.
    pub(super) full_only: bool,
}

/// What the neighbours lend.
pub(in crate::llm_router) struct Peers {
    mesh: Arc<dyn MeshPort>,
    neighbours: Neighbours,
    lent: RwLock<BTreeMap<NodeId, Vec<Lent>>>,
}

impl Peers {
    /// Nothing is known yet.
    pub(in crate::llm_router) fn new(mesh: Arc<dyn MeshPort>, neighbours: Neighbours) -> Self {
        Self { mesh, neighbours, lent: RwLock::default() }
    }

    /// Whether a node may use a provider of this one, as the operator says.
    pub(super) fn may_use(&self, node: NodeId, provider: &str, lend_to: &[String]) -> bool {
        let node = node.to_string();
        (self.neighbours)().iter().any(|known| known.id == node && permitted(lend_to, provider, known))
    }

    /// Asks every connected neighbour what it lends. One that does not answer lends nothing for now.
    pub(super) async fn refresh(&self) {
        let ask = |node: NodeId| async move {
            let question = encode_request(&Offers).ok()?.into();
            let answer = self.mesh.call(node, Lane::Model, question, OFFERS_WITHIN).await.ok()?;
            let mut lent: Vec<Lent> = decode(&answer).ok()?;
            lent.truncate(MAX_LENT);
            Some((node, lent))
        };
        let peers = self.mesh.peers();
        let asked = futures::future::join_all(peers.into_iter().map(|peer| ask(peer.incarnation.node))).await;
        *self.lent.write() = asked.into_iter().flatten().collect();
    }

    /// The models at connected neighbours that may be used, the nearest first: of that provider's name, and that model, where they
    /// are given.
    pub(super) fn find(&self, borrowing: Borrowing<'_>, provider: Option<&str>, model: Option<&str>) -> Vec<PeerModel> {
        let lent = self.lent.read();
        if lent.is_empty() || borrowing.from.is_empty() {
            return Vec::new();
        }
        let neighbours = (self.neighbours)();
        let may_be_used = |node: NodeId, lent: &Lent| {
            let id = node.to_string();
            neighbours.iter().any(|known| {
                known.id == id
                    && (known.full || !borrowing.full_only)
                    && permitted(borrowing.from, &lent.provider, known)
            })
        };
        let mut peers = self.mesh.peers();
        peers.sort_by_key(|peer| (peer.rtt, peer.incarnation.node));
        let of = |node: NodeId| lent.get(&node).into_iter().flatten().map(move |lent| (node, lent));
        peers
            .iter()
            .flat_map(|peer| of(peer.incarnation.node))
            .filter(|(_, lent)| provider.is_none_or(|name| name == lent.provider))
            .filter(|(_, lent)| model.is_none_or(|model| model == lent.model))
            .filter(|(node, lent)| may_be_used(*node, lent))
            .map(|(node, lent)| PeerModel { node, lent: lent.clone() })
            .collect()
    }

    /// Asks a model at another node, within the request's timeout. `streamed` says whether a piece has been handed out.
    pub(super) async fn ask(
        &self,
        peer: &PeerModel,
        request: &ChatRequest,
        tokens: TokenSink<'_>,
        streamed: &AtomicBool,
    ) -> Result<Completion, LlmError> {
        let limit = request.timeout;
        let one = self.exchange(peer, request, tokens, streamed);
        tokio::time::timeout(limit.saturating_add(GRACE), one)
            .await
            .unwrap_or_else(|_| Err(LlmError::Timeout { provider: peer.name(), limit }))
    }

    async fn exchange(
        &self,
        peer: &PeerModel,
        request: &ChatRequest,
        tokens: TokenSink<'_>,
        streamed: &AtomicBool,
    ) -> Result<Completion, LlmError> {
        let unavailable = |detail: String| LlmError::Unavailable { provider: peer.name(), detail };
        let lost = |error: MeshError| unavailable(error.to_string());
        let call = PeerCall { lent: peer.lent.clone(), request: request.clone() };
        let frame = encode_call(&call, &CallContext { trace: request.trace })
            .map_err(|error| unavailable(error.to_string()))?;
        let mut stream = self.mesh.open(peer.node, StreamKind::Tokens).await.map_err(lost)?;
        stream.sink.send(frame).await.map_err(lost)?;
        loop {
            let frame = stream.source.next().await.map_err(lost)?;
            let Some(frame) = frame else { return Err(unavailable("the node broke off".to_owned())) };
            match decode(&frame).map_err(|error| unavailable(error.to_string()))? {
                PeerAnswer::Piece(text) => {
                    streamed.store(true, Ordering::Relaxed);
                    tokens(&text);
                }
                PeerAnswer::Done(completion) => {
                    let usage = bounded(completion.usage, request, &completion.text);
                    return Ok(Completion { by: format!("{}/{}", peer.name(), peer.lent.model), usage, ..completion });
                }
                PeerAnswer::Failed(error) => return Err(error),
            }
        }
    }
}
