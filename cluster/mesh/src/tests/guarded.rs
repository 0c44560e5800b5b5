//! What a guard lets through.

use super::support::*;
use crate::{Mesh, MeshConfig, Refusal};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Admission, Lane, MeshError, MeshGuard, MeshPort, RequestKind, StreamKind};
use std::sync::Arc;

/// Knows some nodes, and lets them ask some things.
struct Lists(Vec<NodeId>, Vec<RequestKind>);

impl MeshGuard for Lists {
    fn admission(&self, node: NodeId) -> BoxFuture<'static, Admission> {
        let known = self.0.contains(&node);
        futures::future::ready(if known { Admission::Known } else { Admission::Stranger }).boxed()
    }

    fn allows(&self, from: NodeId, kind: RequestKind) -> bool {
        self.0.contains(&from) && self.1.contains(&kind)
    }
}

fn guarded(node: &Node) -> Arc<Mesh> {
    Mesh::bind(MeshConfig { guarded: true, ..node.config(1) }).unwrap()
}

fn frame(kind: RequestKind) -> Bytes {
    Bytes::copy_from_slice(&[kind.code(), 7])
}

fn is_refused<T: std::fmt::Debug>(answer: &Result<T, MeshError>) -> bool {
    matches!(answer, Err(MeshError::Refused { .. }))
}

/// The authority signed both; one of them is in no list.
#[tokio::test]
async fn a_certificate_of_the_cluster_alone_connects_nobody() {
    let (a, b) = Authority::new().pair();
    for (guard, stranger) in [(&a, &b), (&b, &a)] {
        let (mesh, outside) = (guarded(guard), stranger.bind(1));
        mesh.guard(Arc::new(Lists(Vec::new(), RequestKind::ALL.to_vec())));
        outside.learn(guard.id, &[mesh.local_addr().unwrap()]);
        until("it is refused where it dials", || outside.metrics().refused_by_peers(Refusal::Stranger) > 0).await;
        mesh.learn(stranger.id, &[outside.local_addr().unwrap()]);
        until("it is refused where it is dialled", || mesh.metrics().refused(Refusal::Stranger) > 1).await;
        assert!(!mesh.is_connected(stranger.id));
    }
}

#[tokio::test]
async fn only_what_the_guard_allows_is_heard() {
    let (a, b) = Authority::new().pair();
    let (mesh_a, mesh_b) = (guarded(&a), b.bind(1));
    mesh_a.guard(Arc::new(Lists(vec![b.id], vec![RequestKind::Vote, RequestKind::BlobGet])));
    let heard = Arc::new(Recorder::default());
    for lane in [Lane::RaftVote, Lane::Forward] {
        mesh_a.serve(lane, Gate::default().handler());
    }
    for kind in [StreamKind::BlobGet, StreamKind::Snapshot] {
        mesh_a.serve_streams(kind, Arc::new(Mirror));
    }
    mesh_a.on_datagram(heard.clone());
    mesh_a.on_gossip(heard.clone());
    connect(&mesh_a, &mesh_b).await;
    let ask = |lane, request: Bytes| mesh_b.call(a.id, lane, request, LONG);
    assert_eq!(ask(Lane::RaftVote, frame(RequestKind::Vote)).await, Ok(frame(RequestKind::Vote)));
    for (lane, request) in [
        (Lane::RaftVote, frame(RequestKind::PreVote)),
        (Lane::RaftVote, Bytes::new()),
        (Lane::RaftVote, Bytes::from_static(&[0xff, 1])),
        (Lane::Forward, frame(RequestKind::Vote)),
        (Lane::Forward, frame(RequestKind::TaskCommand)),
    ] {
        let answer = ask(lane, request.clone()).await;
        assert!(is_refused(&answer), "{lane:?} {request:?}: {answer:?}");
    }
    let mut allowed = mesh_b.open(a.id, StreamKind::BlobGet).await.unwrap();
    allowed.sink.send(body("x")).await.unwrap();
    assert_eq!(allowed.source.next().await, Ok(Some(body("x"))));
    let mut forbidden = mesh_b.open(a.id, StreamKind::Snapshot).await.unwrap();
    let answer = forbidden.source.next().await;
    assert!(is_refused(&answer), "{answer:?}");
    mesh_b.datagram(a.id, body("d")).unwrap();
    mesh_b.gossip(a.id, body("g")).unwrap();
    until("both are dropped", || {
        let counted = mesh_a.metrics().other;
        counted.datagrams_dropped > 0 && counted.gossip_dropped > 0
    })
    .await;
    assert!(heard.frames.lock().is_empty());
}

#[tokio::test]
async fn a_guarded_mesh_serves_nobody_before_there_is_a_guard_and_no_stranger_then() {
    let (a, b) = Authority::new().pair();
    let (mesh_a, mesh_b) = (guarded(&a), b.bind(1));
    mesh_a.serve(Lane::RaftVote, Gate::default().handler());
    connect(&mesh_a, &mesh_b).await;
    let ask = || mesh_b.call(a.id, Lane::RaftVote, frame(RequestKind::Vote), LONG);
    let answer = ask().await;
    assert!(is_refused(&answer), "{answer:?}");
    mesh_a.guard(Arc::new(Lists(vec![b.id], vec![RequestKind::Vote])));
    assert_eq!(ask().await, Ok(frame(RequestKind::Vote)));
    mesh_a.guard(Arc::new(Lists(Vec::new(), Vec::new())));
    until("whoever is no member is let go of", || mesh_b.metrics().refused_by_peers(Refusal::Stranger) > 0).await;
    assert!(!mesh_a.is_connected(b.id));
}
