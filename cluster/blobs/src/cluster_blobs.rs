//! The blobs of a cluster as a port.

use crate::copies::{copies, in_order};
use crate::keeper::Found;
use crate::limits::{ASKED_AT_ONCE, QUESTION_LIMIT, TRANSFER_LIMIT};
use crate::serve::{Missing, Serve, Streams};
use crate::transfer::{next, receive, send};
use crate::wire::{Answer, Opening, Question, Reply, decode, encode, encode_request};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use octopussy_core::ids::{BlobId, NodeId};
use octopussy_core::ports::{BlobError, BlobPort, Lane, MeshPort, StreamKind};
use std::io;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

/// The nodes that hold copies for others, this one among them if it does, whether or not they are connected: guests come and go and
/// hold nothing.
pub type Holders = Arc<dyn Fn() -> Vec<NodeId> + Send + Sync>;

/// The blobs of a cluster. Implements [`BlobPort`] over this node's own store and those of the connected nodes.
pub struct ClusterBlobs {
    pub(crate) local: Arc<dyn BlobPort>,
    mesh: Arc<dyn MeshPort>,
    holders: Holders,
    /// What this node tells others that it lacks.
    pub(crate) missing: Missing,
    /// One permit for each content that is fetched or copied.
    asking: Arc<Semaphore>,
}

impl ClusterBlobs {
    /// Blobs over this node's own store. From now on other nodes are served from it, too.
    #[must_use]
    pub fn new(local: Arc<dyn BlobPort>, mesh: Arc<dyn MeshPort>, holders: Holders) -> Arc<Self> {
        let missing = Missing::default();
        let serve = Arc::new(Serve::new(local.clone(), missing.clone()));
        mesh.serve(Lane::Blob, serve.clone());
        for kind in [StreamKind::BlobPut, StreamKind::BlobGet] {
            mesh.serve_streams(kind, Arc::new(Streams(Serve::clone(&serve), kind)));
        }
        Arc::new(Self { local, mesh, holders, missing, asking: Arc::new(Semaphore::new(ASKED_AT_ONCE)) })
    }

    /// The connected nodes in the order in which the blob prefers them.
    fn peers(&self, id: BlobId) -> Vec<NodeId> {
        in_order(id, self.mesh.peers().into_iter().map(|peer| peer.incarnation.node).collect())
    }

    /// The other nodes that hold copies for others.
    fn others(&self) -> Vec<NodeId> {
        let me = self.mesh.incarnation().node;
        (self.holders)().into_iter().filter(|node| *node != me).collect()
    }

    /// Whether `node` has the blob; `None` when it does not say.
    async fn has(&self, node: NodeId, id: BlobId) -> Option<bool> {
        match self.ask(node, &Question::Has(id)).await? {
            Answer::Has(has) => Some(has),
            Answer::Missing(_) => None,
        }
    }

    /// Which of the blobs `node` lacks although a shard there names them; `None` when it does not say.
    pub(crate) async fn missing_at(&self, node: NodeId, ids: Vec<BlobId>) -> Option<Vec<BlobId>> {
        match self.ask(node, &Question::Missing(ids)).await? {
            Answer::Missing(missing) => Some(missing),
            Answer::Has(_) => None,
        }
    }

    async fn ask(&self, node: NodeId, question: &Question) -> Option<Answer> {
        let answer = self.mesh.call(node, Lane::Blob, encode_request(question).ok()?, QUESTION_LIMIT).await.ok()?;
        decode(&answer).ok()
    }

    /// Makes sure that `node` has the blob.
    async fn copy(&self, node: NodeId, id: BlobId, content: Bytes) -> io::Result<()> {
        // What is there counts as stored again, or it could go before it is named.
        if self.ask(node, &Question::Renew(id)).await == Some(Answer::Has(true)) {
            return Ok(());
        }
        let copied = async {
            let _turn = self.asking.acquire().await.map_err(io::Error::other)?;
            let mut stream = self.mesh.open(node, StreamKind::BlobPut).await.map_err(io::Error::other)?;
            let opening = Opening::Put { id, bytes: content.len() as u64 };
            stream.sink.send(encode(&opening)?).await.map_err(io::Error::other)?;
            send(&mut *stream.sink, content).await?;
            match decode(&next(&mut *stream.source).await?)? {
                Reply::Stored => Ok(()),
                Reply::Failed(why) => Err(io::Error::other(why)),
                Reply::Content(_) | Reply::Missing => Err(io::Error::other("the answer belongs to another question")),
            }
        };
        tokio::time::timeout(TRANSFER_LIMIT, copied).await.unwrap_or_else(|late| Err(late.into()))
    }

    /// The content from `node`, where it has it.
    async fn fetch_from(&self, node: NodeId, id: BlobId) -> io::Result<Option<Bytes>> {
        let fetched = async {
            let _turn = self.asking.acquire().await.map_err(io::Error::other)?;
            let mut stream = self.mesh.open(node, StreamKind::BlobGet).await.map_err(io::Error::other)?;
            stream.sink.send(encode(&Opening::Get(id))?).await.map_err(io::Error::other)?;
            match decode(&next(&mut *stream.source).await?)? {
                Reply::Content(bytes) => receive(&mut *stream.source, id, bytes).await.map(Some),
                Reply::Missing => Ok(None),
                Reply::Failed(why) => Err(io::Error::other(why)),
                Reply::Stored => Err(io::Error::other("the answer belongs to another question")),
            }
        };
        tokio::time::timeout(TRANSFER_LIMIT, fetched).await.unwrap_or_else(|late| Err(late.into()))
    }

    /// Makes sure that this node has the blob.
    pub(crate) async fn find(&self, id: BlobId) -> Result<Found, BlobError> {
        match self.local.get(id).await {
            Ok(Some(_)) => return Ok(Found::Here),
            Ok(None) | Err(BlobError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
        let Some(content) = self.fetch(id).await? else { return Ok(Found::Nowhere) };
        self.local.put(content).await?;
        Ok(Found::Fetched)
    }

    /// The content from whichever node has it. `Ok(None)`: every node that may have it says that it has not. One that is not
    /// connected may.
    async fn fetch(&self, id: BlobId) -> Result<Option<Bytes>, BlobError> {
        let away = self.others().into_iter().find(|node| !self.mesh.is_connected(*node));
        let peers = self.peers(id);
        let ask = |node| async move { (node, self.has(node, id).await) };
        let mut answers: FuturesUnordered<_> = peers.into_iter().map(ask).collect();
        let mut failure = None;
        while let Some((node, has)) = answers.next().await {
            match has {
                Some(true) => match self.fetch_from(node, id).await {
                    Ok(Some(content)) => return Ok(Some(content)),
                    Ok(None) => {}
                    Err(error) => {
                        debug!(%node, blob = %id, %error, "the blob could not be fetched");
                        failure = Some(error);
                    }
                },
                Some(false) => {}
                None => failure = failure.or_else(|| Some(io::Error::other(format!("node {node} does not answer")))),
            }
        }
        let away = away.map(|node| io::Error::other(format!("node {node}, which may have it, is not connected")));
        failure.or(away).map_or(Ok(None), |error| Err(BlobError::Io(error)))
    }
}

#[async_trait]
impl BlobPort for ClusterBlobs {
    async fn put(&self, content: Bytes) -> Result<BlobId, BlobError> {
        let id = self.local.put(content.clone()).await?;
        let others = self.others();
        // Of those that are to have copies, not of those that happen to be there: a node that is cut off acknowledges nothing.
        let wanted = copies(others.len() + 1);
        let mut there = 1;
        let peers = self.peers(id).into_iter().filter(|node| others.contains(node)).collect::<Vec<_>>();
        let connected = peers.len();
        let mut peers = peers.into_iter();
        let mut copying = FuturesUnordered::new();
        let copy = |node, content| async move { (node, self.copy(node, id, content).await) };
        // As many as are wanted at once; where one fails, the next node takes its place.
        copying.extend(peers.by_ref().take(wanted - there).map(|node| copy(node, content.clone())));
        let mut failure = None;
        while there < wanted {
            match copying.next().await {
                Some((_, Ok(()))) => there += 1,
                Some((node, Err(error))) => {
                    warn!(%node, blob = %id, %error, "a copy of a blob could not be written");
                    failure = Some(error);
                    copying.extend(peers.next().map(|node| copy(node, content.clone())));
                }
                None => {
                    let away =
                        || format!("{connected} of the {} other members that hold copies are connected", others.len());
                    let why = failure.map_or_else(away, |error| error.to_string());
                    let error = format!("{there} of {wanted} copies could be written: {why}");
                    return Err(BlobError::Io(io::Error::other(error)));
                }
            }
        }
        Ok(id)
    }

    async fn get(&self, id: BlobId) -> Result<Option<Bytes>, BlobError> {
        let damaged = match self.local.get(id).await {
            Ok(Some(content)) => return Ok(Some(content)),
            Ok(None) => None,
            Err(error @ BlobError::Damaged(_)) => Some(error),
            Err(error) => return Err(error),
        };
        match self.fetch(id).await {
            Ok(Some(content)) => {
                // What cannot be kept is of use all the same.
                if let Err(error) = self.local.put(content.clone()).await {
                    warn!(blob = %id, %error, "a fetched blob could not be kept");
                }
                Ok(Some(content))
            }
            Ok(None) => damaged.map_or(Ok(None), Err),
            Err(error) => Err(damaged.unwrap_or(error)),
        }
    }
}
