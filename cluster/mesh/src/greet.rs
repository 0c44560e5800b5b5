//! The greeting on a new connection, from both ends.

use crate::hello::{HELLO_TAG, Hello};
use crate::inner::Inner;
use crate::limits::HELLO_BYTES;
use crate::link::{Link, Rank, canonical};
use crate::refusal::Refusal;
use crate::tls::node_id;
use crate::wire::{FrameReader, OutBuffer};
use bytes::Bytes;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::Incarnation;
use quinn::{Connection, SendStream};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;

/// What the one who dialed says last: it has found nothing wrong.
const WELCOME: &[u8] = b"welcome";

/// Why no connection came of it.
pub(crate) enum Failure {
    /// This node refuses the other.
    Refused(Refusal, String),
    /// The connection ended before; the other may have refused this node.
    Ended,
}

impl From<(Refusal, String)> for Failure {
    fn from((refusal, text): (Refusal, String)) -> Self {
        Self::Refused(refusal, text)
    }
}

/// The node at the other end, by its certificate.
pub(crate) fn identity(connection: &Connection) -> Option<NodeId> {
    let shown = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    node_id(shown.first()?).ok()
}

/// Greets as the one who dialed.
pub(crate) async fn dialed(inner: &Arc<Inner>, connection: &Connection, expected: NodeId) -> Result<(), Failure> {
    let peer = identity(connection).ok_or_else(|| wrong("it showed no certificate"))?;
    if peer != expected {
        return Err(wrong(&format!("node {expected} was expected at this address")));
    }
    let attempt = inner.attempt();
    let (mut send, receive) = connection.open_bi().await.map_err(|_| Failure::Ended)?;
    send.write_all(&[HELLO_TAG]).await.map_err(|_| Failure::Ended)?;
    say(&mut send, &inner.hello(attempt)).await?;
    let hello = hear(inner, &mut FrameReader::new(receive, HELLO_BYTES)).await?;
    inner.admission(peer).await?;
    meet(inner, peer, &hello).await?;
    frame(&mut send, Bytes::from_static(WELCOME)).await?;
    send.finish().map_err(|_| Failure::Ended)?;
    finish(inner, connection, peer, &hello, attempt, inner.me.node < peer)
}

/// Greets as the one who was dialed. The connection counts once the other end has found nothing wrong with this node, either:
/// who is refused by those who know better must not have taken part meanwhile.
pub(crate) async fn accepted(inner: &Arc<Inner>, connection: &Connection, peer: NodeId) -> Result<(), Failure> {
    let (mut send, hello, mut reader) = heard(inner, connection).await?;
    inner.known.lock().admits(peer, hello.lineage.life().epoch)?;
    // Before anything about it is remembered.
    inner.admission(peer).await?;
    meet(inner, peer, &hello).await?;
    say(&mut send, &inner.hello(hello.attempt)).await?;
    send.finish().map_err(|_| Failure::Ended)?;
    match reader.next().await {
        Ok(Some(welcome)) if *welcome == *WELCOME => {}
        Ok(_) | Err(_) => return Err(Failure::Ended),
    }
    finish(inner, connection, peer, &hello, hello.attempt, peer < inner.me.node)
}

/// Hears who dials under the name of this node: itself, which is no harm, or another start of it, which is refused, since this
/// one runs.
pub(crate) async fn met_itself(inner: &Arc<Inner>, connection: &Connection) -> Failure {
    match heard(inner, connection).await {
        Err(failure) => failure,
        Ok((_, hello, _)) => {
            let (ours, theirs) = (inner.lineage.read().life(), hello.lineage.life());
            if (ours.epoch, ours.id) == (theirs.epoch, theirs.id) {
                return Failure::Ended;
            }
            let text = format!(
                "its identity is in use: start {} of it runs at this address, and start {} has dialed it (the home was copied?)",
                ours.epoch, theirs.epoch
            );
            Failure::Refused(Refusal::IdentityInUse, text)
        }
    }
}

/// What the one who dialed says first.
async fn heard(inner: &Inner, connection: &Connection) -> Result<(SendStream, Hello, FrameReader), Failure> {
    let (send, mut receive) = connection.accept_bi().await.map_err(|_| Failure::Ended)?;
    let mut tag = [0];
    receive.read_exact(&mut tag).await.map_err(|_| Failure::Ended)?;
    if tag != [HELLO_TAG] {
        return Err(Failure::Refused(Refusal::Protocol, "it did not greet".to_owned()));
    }
    let mut reader = FrameReader::new(receive, HELLO_BYTES);
    let hello = hear(inner, &mut reader).await?;
    Ok((send, hello, reader))
}

/// Judges the life of the other, and remembers it.
async fn meet(inner: &Inner, peer: NodeId, hello: &Hello) -> Result<(), Failure> {
    let Some(memory) = inner.config.memory.clone() else { return Ok(()) };
    let lineage = hello.lineage.clone();
    match tokio::task::spawn_blocking(move || memory.meet(peer, &lineage)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(conflict)) => Err(Failure::Refused(Refusal::from(&conflict), conflict.to_string())),
        Err(_) => Err(Failure::Ended),
    }
}

/// Takes in why the other end closed a connection on which there was no greeting; says whether it refused this node.
pub(crate) async fn farewell(inner: &Inner, connection: &Connection, peer: NodeId) -> Option<Refusal> {
    // It may arrive a moment after the stream broke.
    let reason = tokio::time::timeout(Duration::from_millis(100), connection.closed()).await;
    let (refusal, text) = reason.ok().as_ref().and_then(Refusal::of)?;
    let peer = identity(connection).unwrap_or(peer);
    inner.refused_by(Some(peer), canonical(connection.remote_address()), refusal, &text);
    Some(refusal)
}

fn wrong(text: &str) -> Failure {
    Failure::Refused(Refusal::WrongIdentity, text.to_owned())
}

async fn say(send: &mut SendStream, hello: &Hello) -> Result<(), Failure> {
    frame(send, Bytes::from(hello.encode())).await
}

async fn frame(send: &mut SendStream, frame: Bytes) -> Result<(), Failure> {
    let mut out = OutBuffer::default();
    out.push(&[], frame);
    send.write_all_chunks(&mut out.take()).await.map_err(|_| Failure::Ended)
}

async fn hear(inner: &Inner, reader: &mut FrameReader) -> Result<Hello, Failure> {
    let malformed = || Failure::Refused(Refusal::Protocol, "its greeting cannot be read".to_owned());
    let frame = reader.next().await.map_err(|failure| match failure {
        crate::wire::ReadFailure::Reset(_) | crate::wire::ReadFailure::Connection => Failure::Ended,
        crate::wire::ReadFailure::TooLong(_) | crate::wire::ReadFailure::Truncated => malformed(),
    })?;
    let hello = Hello::decode(&frame.ok_or_else(malformed)?)?;
    hello.check(&inner.config.cluster, &inner.config.versions)?;
    Ok(hello)
}

fn finish(
    inner: &Arc<Inner>,
    connection: &Connection,
    peer: NodeId,
    hello: &Hello,
    attempt: u64,
    dialed_by_lower: bool,
) -> Result<(), Failure> {
    let peer = Incarnation { node: peer, boot: hello.lineage.life().epoch };
    let rank = Rank { boot: peer.boot, dialed_by_lower, attempt };
    let link = Link::new(peer, connection.clone(), rank, inner.metrics.clone());
    Ok(inner.install(link, &hello.addresses)?)
}
