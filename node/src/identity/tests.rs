use super::*;
use std::os::unix::fs::PermissionsExt;
use time::Duration;

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

fn read(home: &Path, file: &str) -> String {
    std::fs::read_to_string(home.join("tls").join(file)).unwrap()
}

#[test]
fn the_identity_is_made_once_and_then_stays() {
    let home = tempfile::tempdir().unwrap();
    let first = load_or_create_at(home.path(), AuthorityKey::Held, &[], now()).unwrap();
    let files = ["ca.pem", "ca.key", "node.pem", "node.key"];
    let before = files.map(|file| read(home.path(), file));
    let second = load_or_create_at(home.path(), AuthorityKey::Held, &[], now() + Duration::days(300)).unwrap();
    assert_eq!(first.node_id, second.node_id);
    assert_eq!(first.ca_pem, second.ca_pem);
    assert_eq!(before, files.map(|file| read(home.path(), file)));
}

#[test]
fn a_cluster_that_was_founded_with_a_wrong_clock_has_good_certificates_once_it_is_right() {
    for wrong in [now() + Duration::days(3), now() + Duration::days(3_000), OffsetDateTime::UNIX_EPOCH] {
        let home = tempfile::tempdir().unwrap();
        let first = load_or_create_at(home.path(), AuthorityKey::Held, &[], wrong).unwrap();
        let identity = load_or_create_at(home.path(), AuthorityKey::Held, &[], now()).unwrap();
        assert_eq!(first.ca_pem, identity.ca_pem, "the authority need not be made anew");
        for pem in [&identity.ca_pem, &read(home.path(), "node.pem")] {
            let der = files::parse_certificate(home.path(), pem).unwrap();
            let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
            let validity = parsed.validity();
            let good = validity.not_before.timestamp()..validity.not_after.timestamp();
            assert!(good.contains(&now().unix_timestamp()), "founded at {wrong}: {validity:?}");
        }
    }
}

#[test]
fn keys_are_for_their_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    load_or_create_at(home.path(), AuthorityKey::Held, &[], now()).unwrap();
    for file in ["ca.key", "node.key"] {
        let mode = std::fs::metadata(home.path().join("tls").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_certificate_is_renewed_in_its_last_thirty_days_with_the_same_key() {
    let home = tempfile::tempdir().unwrap();
    let first = load_or_create_at(home.path(), AuthorityKey::Held, &[], now()).unwrap();
    let certificate = read(home.path(), "node.pem");
    load_or_create_at(home.path(), AuthorityKey::Held, &[], now() + Duration::days(366)).unwrap();
    assert_eq!(certificate, read(home.path(), "node.pem"), "31 days are left");
    let renewed = load_or_create_at(home.path(), AuthorityKey::Held, &[], now() + Duration::days(368)).unwrap();
    assert_ne!(certificate, read(home.path(), "node.pem"), "29 days are left");
    assert_eq!(first.node_id, renewed.node_id);
}

#[test]
fn a_new_name_makes_a_new_certificate_and_a_bad_one_an_error() {
    let home = tempfile::tempdir().unwrap();
    load_or_create_at(home.path(), AuthorityKey::Held, &[], now()).unwrap();
    let certificate = read(home.path(), "node.pem");
    load_or_create_at(home.path(), AuthorityKey::Held, &["Board.local".to_owned(), "192.0.2.7".to_owned()], now())
        .unwrap();
    let second = read(home.path(), "node.pem");
    assert_ne!(certificate, second);
    load_or_create_at(home.path(), AuthorityKey::Held, &["board.local".to_owned()], now()).unwrap();
    assert_eq!(second, read(home.path(), "node.pem"));
    for bad in ["two words", "", "-a", "a..b"] {
        let error = load_or_create_at(home.path(), AuthorityKey::Held, &[bad.to_owned()], now()).unwrap_err();
        assert!(matches!(error, IdentityError::Name { .. }), "{bad}: {error}");
    }
}

#[test]
fn damaged_files_are_reported_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    load_or_create_at(home.path(), AuthorityKey::Held, &[], now()).unwrap();
    for file in ["node.key", "ca.pem"] {
        let path = home.path().join("tls").join(file);
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, "nonsense").unwrap();
        let error = load_or_create_at(home.path(), AuthorityKey::Held, &[], now()).unwrap_err();
        assert!(matches!(error, IdentityError::Damaged { .. }), "{file}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"nonsense");
        std::fs::write(&path, before).unwrap();
    }
    std::fs::remove_file(home.path().join("tls/ca.key")).unwrap();
    assert!(matches!(
        load_or_create_at(home.path(), AuthorityKey::Held, &[], now()),
        Err(IdentityError::Damaged { .. })
    ));
}

/// A handshake in memory: a client that trusts the authority meets the server under each of its names.
#[test]
fn clients_that_trust_the_authority_accept_the_node() {
    let home = tempfile::tempdir().unwrap();
    let identity = load_or_create(home.path(), AuthorityKey::Held, &["board.local".to_owned()]).unwrap();
    let other = tempfile::tempdir().unwrap();
    let stranger = load_or_create(other.path(), AuthorityKey::Held, &[]).unwrap();
    for name in ["localhost", "127.0.0.1", "::1", "board.local"] {
        assert!(handshake(&identity, &identity.ca_pem, name), "{name}");
    }
    assert!(!handshake(&identity, &identity.ca_pem, "elsewhere.example"));
    assert!(!handshake(&identity, &stranger.ca_pem, "localhost"));
}

pub(super) fn handshake(identity: &Identity, ca_pem: &str, name: &str) -> bool {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = rustls::ServerConnection::new(identity.server_config.clone()).unwrap();
    for _ in 0..8 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        if server.process_new_packets().is_err() {
            return false;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        if client.process_new_packets().is_err() {
            return false;
        }
        if !client.is_handshaking() && !server.is_handshaking() {
            return true;
        }
    }
    false
}

/// What a machine gets from a cluster is good for the mesh and for clients, and nothing of its own request is believed.
#[test]
fn a_certificate_is_signed_for_exactly_the_key_that_was_proved() {
    let home = tempfile::tempdir().unwrap();
    let founder = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let joining = tempfile::tempdir().unwrap();
    let key = NodeKey::load_or_create(joining.path()).unwrap();
    let request = key.signing_request().unwrap();
    let wanted = ["board.local", "192.0.2.9", "*.example", "not a name"].map(str::to_owned);
    let signed = founder.sign(&request, &wanted, MemberRole::Full).unwrap();
    assert_eq!(requested_node(&request).unwrap(), key.node_id);
    let authority_key = founder.authority_key().map(str::to_owned);
    let check = |fingerprint, authority: &str, certificate: &str| {
        check_credentials(&key, fingerprint, authority, authority_key.as_deref(), certificate)
    };
    check(founder.fingerprint, &founder.ca_pem, &signed).unwrap();
    assert!(check([0; 32], &founder.ca_pem, &signed).is_err(), "a foreign authority was taken");
    assert!(check(founder.fingerprint, &founder.ca_pem, &founder.ca_pem).is_err(), "a foreign certificate was taken");
    store_credentials(joining.path(), &founder.ca_pem, authority_key.as_deref(), &signed).unwrap();
    let member = load_or_create(joining.path(), AuthorityKey::Held, &[]).unwrap();
    assert_eq!((member.node_id, &member.cluster_id), (key.node_id, &founder.cluster_id));
    assert!(handshake(&member, &founder.ca_pem, "localhost"));
    let mut damaged = request;
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    assert!(founder.sign(&damaged, &[], MemberRole::Full).is_err(), "a request with a wrong signature was taken");
}

#[test]
fn a_guest_lives_without_the_authoritys_key_and_cannot_sign() {
    let home = tempfile::tempdir().unwrap();
    let founder = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let joining = tempfile::tempdir().unwrap();
    // A home that `install` has prepared has an authority of its own, which gives way.
    load_or_create(joining.path(), AuthorityKey::Held, &[]).unwrap();
    let key = NodeKey::load_or_create(joining.path()).unwrap();
    let signed = founder.sign(&key.signing_request().unwrap(), &[], MemberRole::Guest).unwrap();
    store_credentials(joining.path(), &founder.ca_pem, None, &signed).unwrap();
    assert!(!joining.path().join("tls/ca.key").exists());
    let guest = load_or_create(joining.path(), AuthorityKey::Elsewhere, &["new.name".to_owned()]).unwrap();
    assert_eq!(guest.fingerprint, founder.fingerprint);
    assert_eq!(guest.authority_key(), None);
    // Its own clients know it by its usual names, and whoever trusts the cluster's authority knows it by none.
    for name in ["localhost", "127.0.0.1", "new.name"] {
        assert!(handshake(&guest, &guest.client_ca_pem, name), "{name}");
        assert!(!handshake(&guest, &founder.ca_pem, name), "a guest stands for {name}");
    }
    let again = load_or_create(joining.path(), AuthorityKey::Elsewhere, &[]).unwrap();
    assert_eq!(again.client_ca_pem, guest.client_ca_pem);
    assert!(guest.sign(&key.signing_request().unwrap(), &[], MemberRole::Full).is_err());
    assert!(matches!(load_or_create(joining.path(), AuthorityKey::Held, &[]), Err(IdentityError::Damaged { .. })));
}

#[test]
fn what_is_due_follows_from_the_days_left_and_the_authoritys_key() {
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    let end = Timestamp::EPOCH.plus(day * 400);
    let decided = |days: u32, signs| leaf::renewal(end, signs, Timestamp::EPOCH.plus(day * days));
    assert_eq!([decided(369, true), decided(369, false)], [Renewal::NotDue; 2], "31 days are left");
    for days in [370, 399, 400, 5_000] {
        assert_eq!([decided(days, true), decided(days, false)], [Renewal::Due, Renewal::Elsewhere], "day {days}");
    }
}

/// Clients see the new certificate without a restart: the old handle of the TLS configuration serves it.
#[test]
fn a_renewed_certificate_is_served_at_once() {
    let home = tempfile::tempdir().unwrap();
    let long_ago = OffsetDateTime::now_utc() - Duration::days(800);
    let identity = load_or_create_at(home.path(), AuthorityKey::Held, &[], long_ago).unwrap();
    assert!(!handshake(&identity, &identity.ca_pem, "localhost"), "an expired certificate was taken");
    let now = Timestamp::EPOCH.plus(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap());
    assert_eq!(identity.renewal(now), Renewal::Due);
    let renewed = identity.renewed(home.path(), &[], now).unwrap();
    assert!(handshake(&identity, &identity.ca_pem, "localhost"), "the old certificate is still served");
    assert_eq!(renewed.renewal(now), Renewal::NotDue);
    let again = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    assert_eq!(again.certificate, renewed.certificate, "it is not what a later start finds");
}

#[test]
fn a_private_key_that_others_can_read_is_not_used() {
    let home = tempfile::tempdir().unwrap();
    load_or_create_at(home.path(), AuthorityKey::Held, &[], now()).unwrap();
    for file in ["ca.key", "node.key"] {
        let path = home.path().join("tls").join(file);
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o640);
        let refused = load_or_create_at(home.path(), AuthorityKey::Held, &[], now()).unwrap_err().to_string();
        assert!(refused.contains(file) && refused.contains("mode 640"), "{refused}");
        mode(0o600);
    }
    load_or_create_at(home.path(), AuthorityKey::Held, &[], now()).unwrap();
}
