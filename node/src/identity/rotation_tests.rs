//! One authority takes the place of another, at one node.

use super::tests::handshake;
use super::*;

fn now() -> Timestamp {
    Timestamp::EPOCH.plus(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap())
}

fn founded_with(identity: &Identity) -> CommittedAuthority {
    let key = identity.authority_key().map(|key| zeroize::Zeroizing::new(key.to_owned()));
    CommittedAuthority { certificate: identity.authority().clone(), key }
}

/// Clients outside have one file or the other; the node is the same for both until the old one is given up.
#[test]
fn clients_that_trust_either_authority_reach_the_node_until_the_old_one_is_given_up() {
    let home = tempfile::tempdir().unwrap();
    let before = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let (old, new) = (founded_with(&before), new_authority(now()).unwrap());
    let (trusts_old, trusts_new) = (before.ca_pem.clone(), to_pem(std::slice::from_ref(&new.certificate)));
    let offered = [old.clone(), CommittedAuthority { key: None, ..new.clone() }];
    let identity = before.following(&offered, home.path(), &[], now()).unwrap();
    assert!(handshake(&identity, &trusts_old, "localhost") && !handshake(&identity, &trusts_new, "localhost"));
    let identity = identity.following(&[new.clone(), old], home.path(), &[], now()).unwrap();
    assert!(handshake(&identity, &trusts_old, "localhost"), "clients are locked out at once");
    assert!(handshake(&identity, &trusts_new, "localhost"));
    let again = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    assert!(handshake(&again, &trusts_old, "localhost"), "clients are locked out by a restart");
    assert_eq!((again.node_id, again.certificate.clone()), (before.node_id, identity.certificate.clone()));
    let identity = identity.following(&[new], home.path(), &[], now()).unwrap();
    assert!(!handshake(&identity, &trusts_old, "localhost"), "what was given up still counts");
    assert!(handshake(&identity, &trusts_new, "localhost"));
    assert!(
        !is_under(home.path(), &before.fingerprint).unwrap() && is_under(home.path(), &identity.fingerprint).unwrap()
    );
}

/// Whatever was written last before a crash, a start finds an authority with its key.
#[test]
fn a_crash_while_the_authority_is_exchanged_costs_nothing() {
    let home = tempfile::tempdir().unwrap();
    let before = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let (old, new) = (founded_with(&before), new_authority(now()).unwrap());
    let tls = |file: &str| home.path().join("tls").join(file);
    let write = |file: &str, text: &str| std::fs::write(tls(file), text).unwrap();
    // Both are named, and the key is still the old one's.
    write("ca.pem", &to_pem(&[old.certificate.clone(), new.certificate.clone()]));
    let loaded = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    assert_eq!((loaded.authority(), &loaded.certificate), (&old.certificate, &before.certificate));
    // The key is the new one's, and the certificate of the node is not.
    write("ca.key", new.key.as_ref().unwrap());
    let loaded = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    assert_eq!((loaded.authority(), loaded.node_id), (&new.certificate, before.node_id));
    let committed = [new.clone(), old.clone()];
    let followed = loaded.following(&committed, home.path(), &[], now()).unwrap();
    assert_eq!(followed.trusted(), [new.certificate, old.certificate]);
}
