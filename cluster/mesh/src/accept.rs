//! Taking the connections of others.

use crate::greet::{self, Failure};
use crate::inner::Inner;
use crate::join;
use crate::limits::{HANDSHAKE_LIMIT, HANDSHAKES_KEPT, HANDSHAKES_OF_ONE_SOURCE, MAX_HANDSHAKES, RETRY_HANDSHAKES};
use crate::link::canonical;
use crate::refusal::{CLOSE_BYE, Refusal};
use crate::slots::Slots;
use crate::tls::{ALPN_JOIN, ALPN_MESH};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Incoming};
use std::sync::Arc;

/// Accepts until the endpoint is closed.
pub(crate) async fn accept(inner: Arc<Inner>) {
    let handshakes = Slots::new(MAX_HANDSHAKES, HANDSHAKES_OF_ONE_SOURCE, HANDSHAKES_KEPT);
    let joins = join::Doorkeeper::new();
    while let Some(incoming) = inner.endpoint.accept().await {
        // First, so that beyond a few nobody holds a place under an address that is not its own.
        if handshakes.taken() >= RETRY_HANDSHAKES && !incoming.remote_address_validated() {
            let _impossible_as_it_may_retry = incoming.retry();
            continue;
        }
        let address = canonical(incoming.remote_address()).ip();
        let known = || inner.known.lock().has_address(address);
        let Some(place) = handshakes.take(address, known) else {
            incoming.refuse();
            continue;
        };
        let (inner, joins) = (inner.clone(), joins.clone());
        tokio::spawn(async move {
            let connected = tokio::time::timeout(HANDSHAKE_LIMIT, handshake(&inner, incoming)).await;
            let Some(connection) = connected.ok().flatten() else {
                return inner.metrics.other.handshakes_failed.add(1);
            };
            if protocol(&connection).as_deref() == Some(ALPN_JOIN) {
                drop(place);
                join::serve(&inner, &joins, connection).await;
            } else {
                welcome(&inner, &connection).await;
                drop(place);
            }
        });
    }
}

async fn handshake(inner: &Inner, incoming: Incoming) -> Option<Connection> {
    let address = canonical(incoming.remote_address());
    let connecting = incoming.accept().ok()?;
    connecting.await.inspect_err(|error| inner.distrusted(address, error)).ok()
}

fn protocol(connection: &Connection) -> Option<Vec<u8>> {
    connection.handshake_data()?.downcast::<HandshakeData>().ok()?.protocol
}

/// Greets a member.
async fn welcome(inner: &Arc<Inner>, connection: &Connection) {
    let peer = greet::identity(connection).filter(|_| protocol(connection).as_deref() == Some(ALPN_MESH));
    let Some(peer) = peer else {
        return inner.refuse(connection, None, Refusal::WrongIdentity, "it showed no certificate of the cluster");
    };
    let greeting = async {
        if peer == inner.me.node {
            return Err(greet::met_itself(inner, connection).await);
        }
        greet::accepted(inner, connection, peer).await
    };
    match tokio::time::timeout(HANDSHAKE_LIMIT, greeting).await {
        Ok(Ok(())) => {}
        Ok(Err(Failure::Refused(refusal, text))) => inner.refuse(connection, Some(peer), refusal, &text),
        Ok(Err(Failure::Ended)) => {
            inner.metrics.other.handshakes_failed.add(1);
            greet::farewell(inner, connection, peer).await;
        }
        Err(_) => connection.close(CLOSE_BYE, b"the greeting took too long"),
    }
}
