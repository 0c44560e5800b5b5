//! Asking to join.

use super::{ADMITTED, REFUSED};
use crate::limits::{DIAL_LIMIT, JOIN_ANSWER_BYTES, JOIN_REQUEST_BYTES};
use crate::refusal::{CLOSE_BYE, Refusal, is_distrust};
use crate::tls::{self, SERVER_NAME};
use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The node did not join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The cluster answered, and refused. The request was carried to it.
    #[error("the cluster refused: {0}")]
    Refused(Arc<str>),
    /// Whoever listens at the address does not show the authority that was expected. Nothing was sent.
    #[error("the node at {0} does not belong to the cluster that was to be joined")]
    WrongCluster(SocketAddr),
    /// No address could be reached. Nothing was sent.
    #[error("no node of the cluster can be reached: {0}")]
    Unreachable(String),
    /// The connection was lost after the request was sent. The cluster may have carried it out.
    #[error("the connection was lost before the cluster answered")]
    Lost,
    /// The time is over. If the request was sent, the cluster may have carried it out.
    #[error("the cluster did not answer in time")]
    Timeout,
    /// The request is longer than [`crate::JOIN_REQUEST_BYTES`].
    #[error("the request has {0} bytes, which is too long")]
    TooLarge(usize),
}

/// Asks a cluster to let this node in: tries the addresses in turn, and sends the request to the first node that shows a
/// certificate signed by the authority with that fingerprint (see [`crate::fingerprint`]). No certificate is needed here.
///
/// # Errors
/// [`JoinError`]; when the request may have been carried out, it says so.
pub async fn join(
    addresses: &[SocketAddr],
    ca_fingerprint: [u8; 32],
    request: Bytes,
    timeout: Duration,
) -> Result<Bytes, JoinError> {
    if request.len() > JOIN_REQUEST_BYTES {
        return Err(JoinError::TooLarge(request.len()));
    }
    let deadline = Instant::now() + timeout;
    let mut failures = Vec::new();
    let mut wrong = None;
    for address in addresses {
        let attempt = attempt(*address, ca_fingerprint, request.clone());
        match tokio::time::timeout_at(deadline, attempt).await {
            Err(_) => return Err(JoinError::Timeout),
            Ok(Err(JoinError::WrongCluster(address))) => wrong = Some(JoinError::WrongCluster(address)),
            Ok(Err(JoinError::Unreachable(reason))) => failures.push(format!("{address}: {reason}")),
            Ok(outcome) => return outcome,
        }
    }
    Err(wrong.unwrap_or_else(|| JoinError::Unreachable(failures.join("; "))))
}

async fn attempt(address: SocketAddr, fingerprint: [u8; 32], request: Bytes) -> Result<Bytes, JoinError> {
    let unreachable = |error: String| JoinError::Unreachable(error);
    let unspecified: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let endpoint = Endpoint::client(SocketAddr::new(unspecified, 0)).map_err(|error| unreachable(error.to_string()))?;
    let client: QuicClientConfig = tls::joiner(fingerprint).map_err(unreachable)?;
    let client = ClientConfig::new(Arc::new(client));
    let connecting =
        endpoint.connect_with(client, address, SERVER_NAME).map_err(|error| unreachable(error.to_string()))?;
    let connection = tokio::time::timeout(DIAL_LIMIT, connecting)
        .await
        .map_err(|_| unreachable("no answer".to_owned()))?
        .map_err(|error| failed(address, &error))?;
    let outcome = exchange(&connection, request).await;
    connection.close(CLOSE_BYE, b"");
    // The close has to leave before the endpoint is dropped.
    let _left = tokio::time::timeout(Duration::from_millis(500), endpoint.wait_idle()).await;
    outcome
}

/// A handshake that failed for the certificate says that this is another cluster.
fn failed(address: SocketAddr, error: &ConnectionError) -> JoinError {
    if is_distrust(error) {
        return JoinError::WrongCluster(address);
    }
    JoinError::Unreachable(error.to_string())
}

async fn exchange(connection: &Connection, request: Bytes) -> Result<Bytes, JoinError> {
    let lost = || match connection.close_reason().as_ref().and_then(Refusal::of) {
        Some((_, text)) => JoinError::Refused(Arc::from(text)),
        None => JoinError::Lost,
    };
    let (mut send, mut receive) = connection.open_bi().await.map_err(|_| lost())?;
    send.write_chunk(request).await.map_err(|_| lost())?;
    send.finish().map_err(|_| lost())?;
    let mut answer = Bytes::from(receive.read_to_end(JOIN_ANSWER_BYTES + 1).await.map_err(|_| lost())?);
    if answer.is_empty() {
        return Err(JoinError::Lost);
    }
    let status = answer.split_to(1);
    match status[0] {
        ADMITTED => Ok(answer),
        REFUSED => Err(JoinError::Refused(Arc::from(String::from_utf8_lossy(&answer)))),
        2..=u8::MAX => Err(JoinError::Lost),
    }
}
