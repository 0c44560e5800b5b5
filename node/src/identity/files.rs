//! Keys and certificates on disk: private ones readable by their owner alone, all of them written whole or not at all.

use super::IdentityError;
use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// For its owner alone.
pub(super) const PRIVATE: u32 = 0o600;
/// For everybody to read.
pub(super) const PUBLIC: u32 = 0o644;

/// Creates the folder, for its owner alone.
pub(super) fn create_folder(folder: &Path) -> Result<(), IdentityError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| IdentityError::File {
        doing: "create",
        path: folder.to_owned(),
        error,
    })
}

/// The file's text; `None` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, IdentityError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(IdentityError::File { doing: "read", path: path.to_owned(), error }),
    }
}

/// The text of a private key; `None` when there is no such file.
///
/// # Errors
/// [`IdentityError::Exposed`] when others can read it, too.
pub(super) fn read_key(path: &Path) -> Result<Option<String>, IdentityError> {
    let mode = std::fs::metadata(path).map_or(0, |met| met.permissions().mode());
    if mode & 0o077 != 0 {
        return Err(IdentityError::Exposed { path: path.to_owned(), mode: mode & 0o777 });
    }
    read(path)
}

/// Writes the file whole or not at all, so that a crash never leaves half a key.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), IdentityError> {
    let failed = |error| IdentityError::File { doing: "write", path: path.to_owned(), error };
    let draft = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft).map_err(failed)?;
    // An older draft keeps the mode it was made with.
    file.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&draft, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// The key in the file; `None` when there is no such file.
pub(super) fn load_key(path: &Path) -> Result<Option<KeyPair>, IdentityError> {
    let damaged = |error: rcgen::Error| IdentityError::Damaged { path: path.to_owned(), reason: error.to_string() };
    read_key(path)?.map(|text| KeyPair::from_pem(&text).map_err(damaged)).transpose()
}

/// The key in the file, or a fresh one (ECDSA on P-256, which every client knows), written for its owner alone.
pub(super) fn load_or_create_key(path: &Path) -> Result<KeyPair, IdentityError> {
    if let Some(key) = load_key(path)? {
        return Ok(key);
    }
    let key = KeyPair::generate().map_err(|error| IdentityError::Certificate(error.to_string()))?;
    write(path, &key.serialize_pem(), PRIVATE)?;
    Ok(key)
}

/// The certificates in the file, in its order; none when there is no such file.
///
/// # Errors
/// [`IdentityError::Damaged`] also when there is a file without any certificate, unless it is empty.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    read(path)?.map_or(Ok(Vec::new()), |pem| parse_certificates(path, &pem))
}

/// The certificates in a PEM text; none in an empty one.
pub(super) fn parse_certificates(path: &Path, pem: &str) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    use rustls::pki_types::pem::PemObject;
    let damaged = |reason: String| IdentityError::Damaged { path: path.to_owned(), reason };
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let parsed = parsed.map_err(|error| damaged(error.to_string()))?;
    if parsed.is_empty() && !pem.trim().is_empty() {
        return Err(damaged("there is no certificate in it".to_owned()));
    }
    Ok(parsed)
}

/// Certificates as a PEM text.
pub(super) fn to_pem(certificates: &[CertificateDer<'_>]) -> String {
    use base64::Engine as _;
    let lines = |der: &CertificateDer<'_>| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    certificates.iter().map(lines).collect()
}

/// The certificate in a PEM text.
pub(super) fn parse_certificate(
    path: &Path,
    pem: &str,
) -> Result<rustls::pki_types::CertificateDer<'static>, IdentityError> {
    use rustls::pki_types::pem::PemObject;
    rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| IdentityError::Damaged { path: path.to_owned(), reason: error.to_string() })
}

/// Removes the file, when there is one.
pub(super) fn remove(path: &Path) -> Result<(), IdentityError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(IdentityError::File { doing: "remove", path: path.to_owned(), error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
