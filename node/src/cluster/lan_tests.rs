use super::*;
use crate::identity::{AuthorityKey, load_or_create};

const OURS: [u8; 32] = [7; 32];
const THEIRS: [u8; 32] = [8; 32];

fn announced(fingerprint: [u8; 32], bound: &str) -> ResolvedService {
    service(NodeId([1; 16]), "c", &fingerprint, bound.parse().unwrap()).unwrap().as_resolved_service()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn members_of_the_tokens_cluster_are_taken_and_no_others() {
    assert_eq!(places(&announced(OURS, "192.0.2.7:47210"), &Sought::Authority(OURS)), [address("192.0.2.7:47210")]);
    assert_eq!(places(&announced(THEIRS, "192.0.2.7:47210"), &Sought::Authority(OURS)), []);
    assert_eq!(places(&announced(OURS, "192.0.2.7:0"), &Sought::Authority(OURS)), []);
    assert_eq!(
        places(&announced(OURS, "[fe80::1]:47210"), &Sought::Authority(OURS)),
        [],
        "nobody knows on which interface"
    );
}

/// A member that was away looks for the others under whichever authority they are now.
#[test]
fn members_of_the_own_cluster_are_found_under_another_authority() {
    let (ours, theirs) = (Sought::Cluster("c".to_owned()), Sought::Cluster("d".to_owned()));
    for authority in [OURS, THEIRS] {
        assert_eq!(places(&announced(authority, "192.0.2.7:47210"), &ours), [address("192.0.2.7:47210")]);
        assert_eq!(places(&announced(authority, "192.0.2.7:47210"), &theirs), []);
    }
}

#[test]
fn addresses_are_taken_once_and_only_so_many() {
    let mut found = Vec::new();
    take(&mut found, vec![address("[2001:db8::1]:5"), address("127.0.0.1:5"), address("192.0.2.1:5")]);
    take(&mut found, vec![address("192.0.2.1:5")]);
    assert_eq!(found, [address("192.0.2.1:5"), address("127.0.0.1:5"), address("[2001:db8::1]:5")]);
    take(&mut found, (0..50).map(|n| SocketAddr::from(([192, 0, 2, n], 6))).collect());
    assert_eq!(found.len(), MAX_FOUND);
}

fn resolved(fingerprint: [u8; 32], bound: &str) -> ServiceEvent {
    ServiceEvent::ServiceResolved(Box::new(announced(fingerprint, bound)))
}

/// The first answer does not end the listening, and others' do not prolong it.
#[tokio::test(start_paused = true)]
async fn listening_ends_soon_after_the_first_answer_and_in_any_case() {
    let (sender, events) = flume::bounded(8);
    let begun = tokio::time::Instant::now();
    sender.send(resolved(THEIRS, "192.0.2.9:1")).unwrap();
    assert_eq!(listen(&events, &Sought::Authority(OURS), LOOK_FOR).await, []);
    assert_eq!(begun.elapsed(), LOOK_FOR);
    let begun = tokio::time::Instant::now();
    sender.send(resolved(OURS, "192.0.2.1:1")).unwrap();
    sender.send(resolved(OURS, "192.0.2.2:1")).unwrap();
    assert_eq!(
        listen(&events, &Sought::Authority(OURS), LOOK_FOR).await,
        [address("192.0.2.1:1"), address("192.0.2.2:1")]
    );
    assert_eq!(begun.elapsed(), MORE_WITHIN);
}

/// Over the machine's own networks; where they carry no multicast there is nothing to be seen.
#[tokio::test]
#[ignore = "needs a network that carries multicast"]
async fn a_member_that_announces_itself_is_found() {
    let stopping = CancellationToken::new();
    let bound = address("0.0.0.0:4711");
    let home = tempfile::tempdir().unwrap();
    let identity = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let ours = Sought::Authority(identity.fingerprint);
    let identity = PresentIdentity::new(identity);
    let announcement = Announcement { node: NodeId([9; 16]), cluster: "c".to_owned(), identity, bound };
    let running = tokio::spawn(announcement.run(stopping.clone()));
    let found = find(&ours, Duration::from_secs(10)).await.unwrap();
    assert!(found.iter().any(|address| address.port() == 4711), "{found:?}");
    assert_eq!(find(&Sought::Authority(THEIRS), Duration::from_secs(1)).await.unwrap(), []);
    stopping.cancel();
    running.await.unwrap();
}
