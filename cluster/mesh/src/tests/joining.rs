//! Joining without a certificate.

use super::support::*;
use crate::limits::JOIN_OF_ONE_SOURCE;
use crate::{JOIN_REQUEST_BYTES, JoinError, JoinHandler, Refusal, fingerprint, join, tls};
use bytes::Bytes;
use futures::future::BoxFuture;
use octopussy_core::ports::{Lane, MeshPort};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Welcome;

impl JoinHandler for Welcome {
    fn join(&self, _: SocketAddr, request: Bytes) -> BoxFuture<'static, Result<Bytes, Arc<str>>> {
        Box::pin(async move {
            match &request[..] {
                b"token" => Ok(Bytes::from(vec![7; 100_000])),
                b"never" => std::future::pending().await,
                _ => Err(Arc::from("the token is not valid")),
            }
        })
    }
}

#[tokio::test]
async fn who_knows_the_fingerprint_may_ask_to_join() {
    let authority = Authority::new();
    let mesh = authority.node().bind(1);
    let address = mesh.local_addr().unwrap();
    let expected = fingerprint(&authority.der);
    let ask = |text: &'static str| async move {
        join(&[address], expected, body(text), LONG).await.map(|answer| answer.len())
    };
    let refused = |reason: &str| Err(JoinError::Refused(Arc::from(reason)));
    assert!(matches!(ask("token").await, Err(JoinError::Refused(_))), "nobody serves it yet");
    mesh.serve_join(Arc::new(Welcome));
    assert_eq!(ask("token").await, Ok(100_000));
    assert_eq!(ask("guess").await, refused("the token is not valid"));
    let other = fingerprint(&Authority::new().der);
    assert_eq!(join(&[address], other, body("token"), LONG).await, Err(JoinError::WrongCluster(address)));
    let long = Bytes::from(vec![0; JOIN_REQUEST_BYTES + 1]);
    assert!(matches!(join(&[address], expected, long, LONG).await, Err(JoinError::TooLarge(_))));
    let dead: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let brief = Duration::from_millis(300);
    assert_eq!(join(&[dead], expected, body("token"), brief).await, Err(JoinError::Timeout));
    assert_eq!(join(&[address], expected, body("never"), brief).await, Err(JoinError::Timeout));
    for _ in 0..5 {
        let _served_or_refused = ask("guess").await;
    }
    assert!(matches!(ask("token").await, Err(JoinError::Refused(reason)) if reason.contains("try again")));
    assert!(mesh.metrics().other.joins_refused > 0);
}

/// Who was answered and does not go is sent away, and its place was free before.
#[tokio::test]
async fn an_attempt_that_was_answered_takes_no_place_any_more() {
    let authority = Authority::new();
    let mesh = authority.node().bind(1);
    mesh.serve_join(Arc::new(Welcome));
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut lingering = Vec::new();
    for _ in 0..JOIN_OF_ONE_SOURCE {
        let client = tls::without_certificate(fingerprint(&authority.der), false);
        let client = quinn::ClientConfig::new(Arc::new(client));
        let connection = endpoint.connect_with(client, mesh.local_addr().unwrap(), "x").unwrap().await.unwrap();
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(b"guess").await.unwrap();
        send.finish().unwrap();
        assert!(receive.read_to_end(1_000).await.unwrap().ends_with(b"not valid"));
        lingering.push(connection);
    }
    let expected = fingerprint(&authority.der);
    let next = join(&[mesh.local_addr().unwrap()], expected, body("token"), LONG).await;
    assert_eq!(next.map(|answer| answer.len()), Ok(100_000), "those that linger stand in nobody's way");
    for connection in lingering {
        tokio::time::timeout(LONG, connection.closed()).await.expect("it is sent away");
    }
}

/// A connection without a certificate is of use for nothing else, whichever protocol it names.
#[tokio::test]
async fn without_a_certificate_there_is_nothing_but_joining() {
    let authority = Authority::new();
    let mesh = authority.node().bind(1);
    mesh.serve_join(Arc::new(Welcome));
    let gate = Gate::default();
    mesh.serve(Lane::Forward, gate.handler());
    let datagrams = Arc::new(Recorder::default());
    mesh.on_datagram(datagrams.clone());
    for member in [true, false] {
        let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = tls::without_certificate(fingerprint(&authority.der), member);
        let client = quinn::ClientConfig::new(Arc::new(client));
        let connecting = endpoint.connect_with(client, mesh.local_addr().unwrap(), "x").unwrap();
        let connection = connecting.await.unwrap();
        let _dropped = connection.send_datagram(body("x"));
        let mut answer = Vec::new();
        if let Ok((mut send, mut receive)) = connection.open_bi().await {
            // A request on a lane, as a member would send it.
            let _refused = send.write_all(&[Lane::Forward.tag(), 13, 0, 0, 0]).await;
            let _refused = send.write_all(&[0; 13]).await;
            let _refused = send.finish();
            answer = receive.read_to_end(1_000).await.unwrap_or_default();
        }
        if member {
            let reason = tokio::time::timeout(LONG, connection.closed()).await.unwrap();
            assert_eq!(Refusal::of(&reason).map(|(refusal, _)| refusal), Some(Refusal::WrongIdentity));
        } else {
            // The bytes are taken for a request to join, which the handler refuses.
            assert!(answer.ends_with(b"the token is not valid"), "{answer:?}");
        }
    }
    assert_eq!(gate.begun(), 0);
    assert!(datagrams.frames.lock().is_empty() && mesh.peers().is_empty());
}
