//! Taking the connections of others.

use crate::greet::{self, Failure};
use crate::inner::Inner;
use crate::join;
use crate::limits::{HANDSHAKE_LIMIT, MAX_HANDSHAKES, RETRY_HANDSHAKES};
use crate::link::canonical;
use crate::refusal::{CLOSE_BYE, Refusal};
use crate::tls::{ALPN_JOIN, ALPN_MESH};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Incoming};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Accepts until the endpoint is closed.
pub(crate) async fn accept(inner: Arc<Inner>) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    let joins = join::Doorkeeper::new();
    while let Some(incoming) = inner.endpoint.accept().await {
        let Ok(permit) = handshakes.clone().try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let crowded = MAX_HANDSHAKES - handshakes.available_permits() > RETRY_HANDSHAKES;
        if crowded && !incoming.remote_address_validated() {
            let _impossible_as_it_may_retry = incoming.retry();
            continue;
        }
        let (inner, joins) = (inner.clone(), joins.clone());
        tokio::spawn(async move {
            let connected = tokio::time::timeout(HANDSHAKE_LIMIT, handshake(&inner, incoming)).await;
            let Some(connection) = connected.ok().flatten() else {
                return inner.metrics.other.handshakes_failed.add(1);
            };
            if protocol(&connection).as_deref() == Some(ALPN_JOIN) {
                drop(permit);
                join::serve(&inner, &joins, connection).await;
            } else {
                welcome(&inner, &connection).await;
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
