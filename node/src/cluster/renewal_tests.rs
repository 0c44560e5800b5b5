use super::*;
use crate::identity::{AuthorityKey, NodeKey, load_or_create, store_credentials};
use octopussy_core::ports::MemberRole;
use octopussy_core::time::Timestamp;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use std::time::SystemTime;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct SetClock(Mutex<Timestamp>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

impl SetClock {
    fn advance(&self, by: Duration) {
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
    (Renewer { home: home.to_owned(), identity, names: Vec::new(), show, clock: clock.clone() }, clock, mesh)
}

#[test]
fn a_full_member_renews_in_the_last_thirty_days_and_keeps_its_key() {
    let home = tempfile::tempdir().unwrap();
    let identity = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let (node, first) = (identity.node_id, identity.certificate.clone());
    let (mut renewer, clock, mesh) = renewer(home.path(), identity);
    assert_eq!(renewer.look(), LOOK_EVERY);
    clock.advance(366 * DAY);
    assert_eq!(renewer.look(), LOOK_EVERY);
    assert!(mesh.shown.lock().is_empty(), "31 days are left");
    clock.advance(2 * DAY);
    assert_eq!(renewer.look(), LOOK_EVERY);
    assert_eq!(*mesh.shown.lock(), [renewer.identity.certificate.clone()]);
    assert_ne!(renewer.identity.certificate, first);
    assert_eq!(renewer.identity.node_id, node);
    assert!(renewer.identity.expires_at().since(clock.now()) > 390 * DAY);
    assert_eq!(renewer.look(), LOOK_EVERY);
    assert_eq!(mesh.shown.lock().len(), 1, "it was renewed again at once");
}

#[test]
fn a_renewal_that_failed_is_tried_again_soon() {
    let home = tempfile::tempdir().unwrap();
    let identity = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let (mut renewer, clock, mesh) = renewer(home.path(), identity);
    clock.advance(500 * DAY);
    *mesh.broken.lock() = true;
    assert_eq!(renewer.look(), AGAIN_AFTER);
    *mesh.broken.lock() = false;
    assert_eq!(renewer.look(), LOOK_EVERY);
    assert_eq!(mesh.shown.lock().len(), 1);
}

#[test]
fn a_guest_keeps_what_it_has() {
    let home = tempfile::tempdir().unwrap();
    let founder = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = NodeKey::load_or_create(folder.path()).unwrap();
    let signed = founder.sign(&key.signing_request().unwrap(), &[], MemberRole::Guest).unwrap();
    store_credentials(folder.path(), &founder.ca_pem, None, &signed.pem).unwrap();
    let guest = load_or_create(folder.path(), AuthorityKey::Elsewhere, &[]).unwrap();
    let first = guest.certificate.clone();
    let (mut renewer, clock, mesh) = renewer(folder.path(), guest);
    clock.advance(800 * DAY);
    assert_eq!(renewer.identity.renewal(clock.now()), Renewal::Elsewhere);
    assert_eq!(renewer.look(), LOOK_EVERY);
    assert_eq!(renewer.identity.certificate, first);
    assert!(mesh.shown.lock().is_empty());
}
