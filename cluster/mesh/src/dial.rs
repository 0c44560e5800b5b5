//! Keeping up the connection with a peer.

use crate::greet::{self, Failure};
use crate::inner::Inner;
use crate::known::Peer;
use crate::limits::{DIAL_GRACE, DIAL_LIMIT, DIAL_PAUSE_MAX, DIAL_PAUSE_MIN, DIAL_STABLE, DIAL_STAGGER};
use crate::refusal::{CLOSE_BYE, Refusal};
use crate::tls::SERVER_NAME;
use futures::stream::{FuturesUnordered, StreamExt};
use octopussy_core::ids::NodeId;
use quinn::Connection;
use rand::RngExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What came of dialing.
enum Dialed {
    /// There is a connection now.
    Connected,
    /// There is none.
    Failed,
    /// The node there does not want one, or is not wanted: dialing again soon is of no use.
    Refused,
}

/// Dials the peer whenever it is not connected, until it is forgotten.
pub(crate) async fn keep(inner: Arc<Inner>, peer: Arc<Peer>) {
    if peer.node == inner.me.node {
        return;
    }
    let gone = peer.gone.clone();
    tokio::select! {
        () = gone.cancelled() => {}
        () = inner.stopping.cancelled() => {}
        () = rounds(&inner, &peer) => {}
    }
}

async fn rounds(inner: &Arc<Inner>, peer: &Peer) {
    let mut pause = DIAL_PAUSE_MIN;
    let mut again = false;
    loop {
        if inner.is_connected(peer.node) {
            again = true;
            let since = Instant::now();
            disconnected(inner, peer).await;
            if since.elapsed() >= DIAL_STABLE {
                pause = DIAL_PAUSE_MIN;
            } else {
                // A connection that breaks at once, again and again, must not be made again and again at full speed.
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(DIAL_PAUSE_MAX);
            }
            continue;
        }
        if inner.me.node > peer.node && pause == DIAL_PAUSE_MIN {
            // The other has the lower id and dials by rule; it may not know where this node is.
            let _connected = tokio::time::timeout(DIAL_GRACE, connected(inner, peer)).await;
        }
        if std::mem::replace(&mut again, true) {
            inner.metrics.other.redials.add(1);
        }
        let addresses = inner.known.lock().addresses(peer.node);
        let refused = matches!(dial_any(inner, peer.node, &addresses).await, Dialed::Refused);
        if !inner.is_connected(peer.node) {
            pause = if refused { DIAL_PAUSE_MAX } else { pause };
            let jittered = pause.mul_f64(rand::rng().random_range(0.75..1.25));
            // New addresses, or a connection from the other side, end the pause.
            pause = match tokio::time::timeout(jittered, peer.changed.notified()).await {
                Ok(()) => DIAL_PAUSE_MIN,
                Err(_) => (pause * 2).min(DIAL_PAUSE_MAX),
            };
        }
    }
}

async fn disconnected(inner: &Inner, peer: &Peer) {
    while inner.is_connected(peer.node) {
        peer.changed.notified().await;
    }
}

async fn connected(inner: &Inner, peer: &Peer) {
    while !inner.is_connected(peer.node) {
        peer.changed.notified().await;
    }
}

/// Dials the addresses in turn, each a little after the one before, until there is a connection.
async fn dial_any(inner: &Arc<Inner>, peer: NodeId, addresses: &[SocketAddr]) -> Dialed {
    let attempts = addresses.iter().zip(0_u32..);
    let mut connecting: FuturesUnordered<_> =
        attempts.map(|(address, place)| connect(inner, peer, *address, DIAL_STAGGER * place)).collect();
    let mut outcome = Dialed::Failed;
    while let Some(connection) = connecting.next().await {
        // Only one at a time is greeted, so that dialing never makes two connections of which one has to go.
        if inner.is_connected(peer) {
            return Dialed::Connected;
        }
        let Some(connection) = connection else { continue };
        match greet(inner, peer, &connection).await {
            Dialed::Connected => return Dialed::Connected,
            Dialed::Refused => outcome = Dialed::Refused,
            Dialed::Failed => {}
        }
    }
    outcome
}

async fn connect(inner: &Inner, peer: NodeId, address: SocketAddr, after: Duration) -> Option<Connection> {
    tokio::time::sleep(after).await;
    inner.metrics.other.dials.add(1);
    let client = inner.client.read().clone();
    let outcome = match inner.endpoint.connect_with(client, address, SERVER_NAME) {
        Err(error) => Err(error.to_string()),
        Ok(connecting) => match tokio::time::timeout(DIAL_LIMIT, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => {
                inner.distrusted(address, &error);
                Err(error.to_string())
            }
            Err(_) => Err("no answer".to_owned()),
        },
    };
    let outcome = outcome.inspect_err(|error| {
        inner.metrics.other.dials_failed.add(1);
        tracing::debug!(%peer, %address, error, "cannot connect");
    });
    outcome.ok()
}

async fn greet(inner: &Arc<Inner>, peer: NodeId, connection: &Connection) -> Dialed {
    match tokio::time::timeout(DIAL_LIMIT, greet::dialed(inner, connection, peer)).await {
        Ok(Ok(())) => return Dialed::Connected,
        Ok(Err(Failure::Refused(refusal, text))) => {
            inner.refuse(connection, greet::identity(connection), refusal, &text);
            inner.metrics.other.dials_failed.add(1);
            return dialed_in_vain(refusal);
        }
        Ok(Err(Failure::Ended)) => {}
        Err(_) => connection.close(CLOSE_BYE, b"the greeting took too long"),
    }
    inner.metrics.other.dials_failed.add(1);
    greet::farewell(inner, connection, peer).await.map_or(Dialed::Failed, dialed_in_vain)
}

/// Dials this node itself, at all addresses at once.
pub(crate) async fn itself(inner: &Arc<Inner>, addresses: &[SocketAddr]) {
    let node = inner.me.node;
    let dialing = addresses.iter().map(|address| async move {
        if let Some(connection) = connect(inner, node, *address, Duration::ZERO).await {
            let _refused = greet(inner, node, &connection).await;
            connection.close(CLOSE_BYE, b"it has looked for itself");
        }
    });
    futures::future::join_all(dialing).await;
}

/// What a refusal says of the next attempt.
const fn dialed_in_vain(refusal: Refusal) -> Dialed {
    match refusal {
        // Another address may be right; and who is unknown there now may be known in a moment.
        Refusal::WrongIdentity | Refusal::Stranger => Dialed::Failed,
        Refusal::ForeignCluster
        | Refusal::IncompatibleVersion
        | Refusal::StaleIncarnation
        | Refusal::Forgotten
        | Refusal::IdentityInUse
        | Refusal::Protocol
        | Refusal::Busy => Dialed::Refused,
    }
}

/// Dials once, for tests of what happens when both sides do.
#[cfg(test)]
pub(crate) async fn once(inner: &Arc<Inner>, peer: NodeId, address: SocketAddr) {
    let _outcome = dial_any(inner, peer, &[address]).await;
}
