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
    let first = load_or_create_at(home.path(), &[], now()).unwrap();
    let files = ["ca.pem", "ca.key", "node.pem", "node.key"];
    let before = files.map(|file| read(home.path(), file));
    let second = load_or_create_at(home.path(), &[], now() + Duration::days(300)).unwrap();
    assert_eq!(first.node_id, second.node_id);
    assert_eq!(first.ca_pem, second.ca_pem);
    assert_eq!(before, files.map(|file| read(home.path(), file)));
}

#[test]
fn keys_are_for_their_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    load_or_create_at(home.path(), &[], now()).unwrap();
    for file in ["ca.key", "node.key"] {
        let mode = std::fs::metadata(home.path().join("tls").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_certificate_is_renewed_in_its_last_thirty_days_with_the_same_key() {
    let home = tempfile::tempdir().unwrap();
    let first = load_or_create_at(home.path(), &[], now()).unwrap();
    let certificate = read(home.path(), "node.pem");
    load_or_create_at(home.path(), &[], now() + Duration::days(366)).unwrap();
    assert_eq!(certificate, read(home.path(), "node.pem"), "31 days are left");
    let renewed = load_or_create_at(home.path(), &[], now() + Duration::days(368)).unwrap();
    assert_ne!(certificate, read(home.path(), "node.pem"), "29 days are left");
    assert_eq!(first.node_id, renewed.node_id);
}

#[test]
fn a_new_name_makes_a_new_certificate_and_a_bad_one_an_error() {
    let home = tempfile::tempdir().unwrap();
    load_or_create_at(home.path(), &[], now()).unwrap();
    let certificate = read(home.path(), "node.pem");
    load_or_create_at(home.path(), &["Board.local".to_owned(), "192.0.2.7".to_owned()], now()).unwrap();
    let second = read(home.path(), "node.pem");
    assert_ne!(certificate, second);
    load_or_create_at(home.path(), &["board.local".to_owned()], now()).unwrap();
    assert_eq!(second, read(home.path(), "node.pem"));
    for bad in ["two words", "", "-a", "a..b"] {
        let error = load_or_create_at(home.path(), &[bad.to_owned()], now()).unwrap_err();
        assert!(matches!(error, IdentityError::Name { .. }), "{bad}: {error}");
    }
}

#[test]
fn damaged_files_are_reported_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    load_or_create_at(home.path(), &[], now()).unwrap();
    for file in ["node.key", "ca.pem"] {
        let path = home.path().join("tls").join(file);
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, "nonsense").unwrap();
        let error = load_or_create_at(home.path(), &[], now()).unwrap_err();
        assert!(matches!(error, IdentityError::Damaged { .. }), "{file}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"nonsense");
        std::fs::write(&path, before).unwrap();
    }
    std::fs::remove_file(home.path().join("tls/ca.key")).unwrap();
    assert!(matches!(load_or_create_at(home.path(), &[], now()), Err(IdentityError::Damaged { .. })));
}

/// A handshake in memory: a client that trusts the authority meets the server under each of its names.
#[test]
fn clients_that_trust_the_authority_accept_the_node() {
    let home = tempfile::tempdir().unwrap();
    let identity = load_or_create(home.path(), &["board.local".to_owned()]).unwrap();
    let other = tempfile::tempdir().unwrap();
    let stranger = load_or_create(other.path(), &[]).unwrap();
    for name in ["localhost", "127.0.0.1", "::1", "board.local"] {
        assert!(handshake(&identity, &identity.ca_pem, name), "{name}");
    }
    assert!(!handshake(&identity, &identity.ca_pem, "elsewhere.example"));
    assert!(!handshake(&identity, &stranger.ca_pem, "localhost"));
}

fn handshake(identity: &Identity, ca_pem: &str, name: &str) -> bool {
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
