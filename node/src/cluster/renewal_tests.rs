use super::*;
use crate::cluster::admit::Admission;
use crate::cluster::control_group::AloneInMemory;
use crate::cluster::seal::DataKey;
use crate::identity::{AuthorityKey, NodeKey, load_or_create, store_credentials};
use async_trait::async_trait;
use bytes::Bytes;
use octopussy_control::{ControlState, MemberRecord, VersionRange};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{MemberDesired, MemberRole};
use octopussy_core::time::Timestamp;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::time::SystemTime;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct SetClock(pub(super) Mutex<Timestamp>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

impl SetClock {
    pub(super) fn advance(&self, by: Duration) {
        let mut now = self.0.lock();
        *now = now.plus(by);
    }
}

/// What the other nodes were shown, and whether showing fails.
#[derive(Default)]
struct Mesh {
    shown: Mutex<Vec<CertificateDer<'static>>>,
    broken: Mutex<bool>,
}

/// The way to a member that answers, or to nobody.
pub(super) struct Way(pub(super) Option<Admission>);

#[async_trait]
impl Door for Way {
    async fn ask(&self, from: SocketAddr, _: [u8; 32], request: Bytes, _: Duration) -> Result<Bytes, String> {
        match &self.0 {
            Some(admission) => admission.answer(from, &request).await.map_err(|error| error.to_string()),
            None => Err("no answer".to_owned()),
        }
    }
}

pub(super) fn member(id: NodeId, role: MemberRole) -> MemberRecord {
    MemberRecord {
        id,
        name: format!("n{}", id.0[0]),
        addresses: vec!["192.0.2.1:47210".parse().unwrap()],
        role,
        desired: MemberDesired::Active,
        capacity: 1,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: Timestamp::EPOCH,
    }
}

fn group(members: &[(NodeId, MemberRole)]) -> Arc<AloneInMemory> {
    let members = members.iter().map(|(id, role)| (*id, member(*id, *role))).collect();
    AloneInMemory::new(ControlState { members, ..ControlState::default() })
}

fn renewer(home: &std::path::Path, identity: Identity) -> (Renewer, Arc<SetClock>, Arc<Mesh>) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let clock = Arc::new(SetClock(Mutex::new(Timestamp::EPOCH.plus(now))));
    let mesh = Arc::new(Mesh::default());
    let seen = mesh.clone();
    let show: Show = Box::new(move |certificates| {
        if *seen.broken.lock() {
            return Err(BindError::Config("broken"));
        }
        seen.shown.lock().push(certificates.certificate.clone());
        Ok(())
    });
    let renewer = Renewer {
        home: home.to_owned(),
        identity: PresentIdentity::new(identity),
        names: Vec::new(),
        show,
        group: group(&[]),
        door: Box::new(Way(None)),
        clock: clock.clone(),
    };
    (renewer, clock, mesh)
}

#[tokio::test]
async fn a_full_member_renews_in_the_last_thirty_days_and_keeps_its_key() {
    let home = tempfile::tempdir().unwrap();
    let identity = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let (node, first) = (identity.node_id, identity.certificate.clone());
    let (renewer, clock, mesh) = renewer(home.path(), identity);
    assert_eq!(renewer.look().await, LOOK_EVERY);
    clock.advance(366 * DAY);
    assert_eq!(renewer.look().await, LOOK_EVERY);
    assert!(mesh.shown.lock().is_empty(), "31 days are left");
    clock.advance(2 * DAY);
    assert_eq!(renewer.look().await, LOOK_EVERY);
    assert_eq!(*mesh.shown.lock(), [renewer.identity.get().certificate.clone()]);
    assert_ne!(renewer.identity.get().certificate, first);
    assert_eq!(renewer.identity.get().node_id, node);
    assert!(renewer.identity.get().expires_at().since(clock.now()) > 390 * DAY);
    assert_eq!(renewer.look().await, LOOK_EVERY);
    assert_eq!(mesh.shown.lock().len(), 1, "it was renewed again at once");
}

#[tokio::test]
async fn a_renewal_that_failed_is_tried_again_soon() {
    let home = tempfile::tempdir().unwrap();
    let identity = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let (renewer, clock, mesh) = renewer(home.path(), identity);
    clock.advance(500 * DAY);
    *mesh.broken.lock() = true;
    assert_eq!(renewer.look().await, AGAIN_AFTER);
    *mesh.broken.lock() = false;
    assert_eq!(renewer.look().await, LOOK_EVERY);
    assert_eq!(mesh.shown.lock().len(), 1);
}

/// A guest in its last days, and the full member that let it in.
fn guest() -> (tempfile::TempDir, Renewer, Arc<SetClock>, Arc<Mesh>, Identity) {
    let home = tempfile::tempdir().unwrap();
    let founder = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = NodeKey::load_or_create(folder.path()).unwrap();
    let signed = founder.sign(&key.signing_request().unwrap(), &[], MemberRole::Guest).unwrap();
    store_credentials(folder.path(), &founder.ca_pem, None, &signed).unwrap();
    let guest = load_or_create(folder.path(), AuthorityKey::Elsewhere, &[]).unwrap();
    let (renewer, clock, mesh) = renewer(folder.path(), guest);
    clock.advance(800 * DAY);
    (folder, renewer, clock, mesh, founder)
}

fn admission(founder: &Identity, members: &[(NodeId, MemberRole)], clock: &Arc<SetClock>) -> Way {
    Way(Some(Admission::new(
        PresentIdentity::new(founder.clone()),
        group(members),
        Some(DataKey::generate().unwrap()),
        clock.clone(),
    )))
}

#[tokio::test]
async fn a_guest_asks_a_full_member() {
    let (home, mut renewer, clock, mesh, founder) = guest();
    let members = [(founder.node_id, MemberRole::Full), (renewer.identity.get().node_id, MemberRole::Guest)];
    renewer.group = group(&members);
    assert_eq!(renewer.identity.get().renewal(clock.now()), Renewal::Elsewhere);
    assert_eq!(renewer.look().await, AGAIN_AFTER, "nobody answers");
    renewer.door = Box::new(admission(&founder, &members, &clock));
    assert_eq!(renewer.look().await, LOOK_EVERY);
    assert_eq!(*mesh.shown.lock(), [renewer.identity.get().certificate.clone()]);
    assert!(renewer.identity.get().expires_at().since(clock.now()) > 800 * DAY);
    let kept = load_or_create(home.path(), AuthorityKey::Elsewhere, &[]).unwrap();
    assert_eq!(kept.certificate, renewer.identity.get().certificate);
}

/// Without a token nothing is signed but what a guest of the cluster has already.
#[tokio::test]
async fn nothing_is_signed_for_strangers_the_removed_or_full_members() {
    let (_home, mut renewer, clock, mesh, founder) = guest();
    let (full, first) = ((founder.node_id, MemberRole::Full), renewer.identity.get().certificate.clone());
    let me = renewer.identity.get().node_id;
    renewer.group = group(&[full]);
    for known in [vec![full], vec![full, (me, MemberRole::Full)]] {
        renewer.door = Box::new(admission(&founder, &known, &clock));
        assert_eq!(renewer.look().await, AGAIN_AFTER, "signed for {known:?}");
    }
    let departed = ControlState { departed: [(me, Timestamp::EPOCH)].into(), ..ControlState::default() };
    let key = DataKey::generate().unwrap();
    let admission =
        Admission::new(PresentIdentity::new(founder), AloneInMemory::new(departed), Some(key), clock.clone());
    renewer.door = Box::new(Way(Some(admission)));
    assert_eq!(renewer.look().await, AGAIN_AFTER, "signed for one that was removed");
    assert_eq!(renewer.identity.get().certificate, first);
    assert!(mesh.shown.lock().is_empty());
}
