//! Authorities change while nodes are away.

use super::support::*;
use crate::{MeshCertificates, Refusal, fingerprint};
use octopussy_core::ports::MeshPort;
use std::sync::Arc;

/// One of both was away while the authority changed: neither has ever seen the other's.
#[tokio::test]
async fn nodes_that_know_each_other_connect_under_different_authorities() {
    let (a, b) = (Authority::new().node().bind(1), Authority::new().node().bind(1));
    b.learn(id(&a), &[]);
    connect(&a, &b).await;
}

/// What the authority before has signed is worth nothing once it is not trusted any more, and who is known stays known.
#[tokio::test]
async fn an_authority_that_is_no_longer_trusted_vouches_for_nobody() {
    let (old, new) = (Authority::new(), Authority::new());
    let (member, minted) = (old.node(), old.node().bind(1));
    let mesh = member.bind(1);
    minted.learn(member.id, &[mesh.local_addr().unwrap()]);
    both_connected(&mesh, &minted).await;
    // Both are trusted for a while, and then one.
    let renewed = new.renew(&member);
    let both = MeshCertificates { authorities: vec![new.der.clone(), old.der.clone()], ..renewed.certificates.clone() };
    mesh.renew(&both).unwrap();
    let late = old.node().bind(1);
    late.learn(member.id, &[mesh.local_addr().unwrap()]);
    both_connected(&mesh, &late).await;
    mesh.renew(&renewed.certificates).unwrap();
    let later = old.node().bind(1);
    later.learn(member.id, &[mesh.local_addr().unwrap()]);
    until("it is refused", || later.metrics().other.dials_failed > 0).await;
    assert!(!mesh.is_connected(id(&later)) && !later.is_connected(member.id));
}

/// Whoever was removed meanwhile is told so, although nothing vouches for it.
#[tokio::test]
async fn a_removed_node_is_told_so_under_an_authority_that_is_not_trusted_any_more() {
    let (a, b) = (Authority::new().node().bind(1), Authority::new().node().bind(1));
    a.forget(id(&b));
    b.learn(id(&a), &[a.local_addr().unwrap()]);
    until("it is refused", || b.metrics().refused_by_peers(Refusal::Forgotten) > 0).await;
}

/// A join token names the authority of its day; with the new authority's certificate signed by that one, it is still good.
#[tokio::test]
async fn a_joiner_that_knows_the_authority_before_reaches_a_member_of_the_new_one() {
    let (old, new) = (Authority::new(), Authority::new());
    let member = new.node();
    let mesh = member.bind(1);
    mesh.serve_join(Arc::new(super::joining::Welcome));
    let address = [mesh.local_addr().unwrap()];
    let ask = || crate::join(&address, fingerprint(&old.der), body("token"), LONG);
    assert!(ask().await.is_err(), "a foreign authority was taken");
    let certificates = MeshCertificates {
        authorities: vec![new.der.clone(), old.der.clone()],
        crosses: vec![old.cross(&new)],
        ..member.certificates.clone()
    };
    mesh.renew(&certificates).unwrap();
    ask().await.unwrap();
}
