//! The store: a document in memory whose every change is on disk before it counts.

use super::files::{private_directory, read_private, replace_private};
use super::seal::{DerivedKeys, Sealer};
use crate::secrets::essence::{CHECK_TEXT, FORMAT_VERSION, StoreDocument, check_size};
use octopussy_core::ports::{SecretError, SecretName, SecretValue};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// The name the check value is sealed under; no secret can have it, because names have no spaces.
const CHECK_NAME: &str = "the check value";

/// An open store. Its methods block on the disk.
pub(crate) struct FileStore {
    path: PathBuf,
    sealer: Sealer,
    /// From which the keys for other purposes are derived.
    root: DerivedKeys,
    document: StoreDocument,
    /// Held for as long as the store is open, so that no second process writes it.
    lock: Option<std::fs::File>,
}

impl FileStore {
    /// Opens the store in `directory`, creating it with a fresh key when neither is there.
    ///
    /// # Errors
    /// [`SecretError::WrongKey`], [`SecretError::Unusable`] or [`SecretError::Io`]; nothing was changed.
    pub(crate) fn open(directory: &Path) -> Result<Self, SecretError> {
        private_directory(directory)?;
        let lock = lock(&directory.join("lock"))?;
        let (path, key_path) = (directory.join("store.enc"), directory.join("key"));
        let stored = read_private(&path)?;
        let key = match read_private(&key_path)? {
            Some(bytes) => Zeroizing::new(bytes),
            None if stored.is_some() => {
                return Err(SecretError::WrongKey(format!(
                    "{} is missing; put the key file back, or move {} away to begin with an empty store",
                    key_path.display(),
                    path.display()
                )));
            }
            None => create_key(&key_path)?,
        };
        let mut key: [u8; 32] = parse_key(&key).ok_or_else(|| {
            SecretError::WrongKey(format!("{} does not hold 64 hexadecimal digits", key_path.display()))
        })?;
        let (sealer, root) = (Sealer::new(&key), DerivedKeys::of(&key));
        key.zeroize();
        let sealer = sealer?;
        let document = match stored {
            Some(bytes) => read_document(&path, &bytes, &sealer)?,
            None => {
                let check = sealer.seal(CHECK_NAME, 0, CHECK_TEXT)?;
                let document = StoreDocument { format: FORMAT_VERSION, check, secrets: BTreeMap::new() };
                replace_private(&path, &encode(&document)?)?;
                document
            }
        };
        Ok(Self { path, sealer, root, document, lock: Some(lock) })
    }

    /// The key for a purpose of this node's own.
    pub(crate) fn derived_key(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        self.root.key_for(purpose)
    }

    pub(crate) fn get(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        let sealed = self.document.secrets.get(name.as_str()).ok_or_else(|| SecretError::Unknown(name.clone()))?;
        let opened = self.sealer.open(name.as_str(), sealed).ok_or_else(|| {
            SecretError::Unusable(format!(
                "the secret '{name}' is damaged or was moved here from another name: set it anew"
            ))
        })?;
        Ok(SecretValue::new(opened.to_vec()))
    }

    /// Sets a value; answers whether it replaced another one.
    pub(crate) fn set(&mut self, name: &SecretName, value: &SecretValue) -> Result<bool, SecretError> {
        check_size(value.expose().len())?;
        let mut next = self.document.clone();
        let replaced = self.put(&mut next, name, value.expose())?;
        self.commit(next)?;
        Ok(replaced)
    }

    /// The value, and 32 random bytes when there is none, which are kept.
    pub(crate) fn get_or_generate(&mut self, name: &SecretName) -> Result<SecretValue, SecretError> {
        match self.get(name) {
            Err(SecretError::Unknown(_)) => {
                let fresh = SecretValue::new(self.sealer.generate()?.to_vec());
                self.set(name, &fresh)?;
                Ok(fresh)
            }
            present => present,
        }
    }

    pub(crate) fn delete(&mut self, name: &SecretName) -> Result<(), SecretError> {
        let mut next = self.document.clone();
        next.secrets.remove(name.as_str()).ok_or_else(|| SecretError::Unknown(name.clone()))?;
        self.commit(next)
    }

    pub(crate) fn list(&self) -> Vec<SecretName> {
        self.document.secrets.keys().filter_map(|name| SecretName::new(name).ok()).collect()
    }

    fn put(&self, document: &mut StoreDocument, name: &SecretName, value: &[u8]) -> Result<bool, SecretError> {
        let before = document.secrets.get(name.as_str()).map(|sealed| sealed.version);
        let sealed = self.sealer.seal(name.as_str(), before.unwrap_or(0) + 1, value)?;
        document.secrets.insert(name.as_str().to_owned(), sealed);
        Ok(before.is_some())
    }

    /// Lets another process write the store; this one can only read from now on.
    pub(crate) fn close(&mut self) {
        self.lock = None;
    }

    fn commit(&mut self, next: StoreDocument) -> Result<(), SecretError> {
        if self.lock.is_none() {
            return Err(SecretError::Unusable("the secret store is closed: the node is stopping".to_owned()));
        }
        replace_private(&self.path, &encode(&next)?)?;
        self.document = next;
        Ok(())
    }
}

/// A key for a purpose of the node's own, derived from the key of the store in `directory`, which a running node may have open; `None` when there is
/// no store.
///
/// # Errors
/// [`SecretError`] when the key cannot be read.
pub fn derived_key(directory: &Path, purpose: &str) -> Result<Option<Zeroizing<[u8; 32]>>, SecretError> {
    let path = directory.join("key");
    let Some(text) = read_private(&path)?.map(Zeroizing::new) else { return Ok(None) };
    let key = parse_key(&text)
        .map(Zeroizing::new)
        .ok_or_else(|| SecretError::WrongKey(format!("{} does not hold 64 hexadecimal digits", path.display())))?;
    Ok(Some(DerivedKeys::of(&key).key_for(purpose)))
}

fn lock(path: &Path) -> Result<std::fs::File, SecretError> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.map_err(SecretError::Io)?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        SecretError::Unusable(format!(
            "{} is held by another process: a node is running in this home directory",
            path.display()
        ))
    })?;
    Ok(file)
}

fn create_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    use ring::rand::SecureRandom;
    let mut key = Zeroizing::new([0; 32]);
    ring::rand::SystemRandom::new()
        .fill(&mut *key)
        .map_err(|_| SecretError::Unusable("the system has no randomness to give".to_owned()))?;
    let text = Zeroizing::new(hex::encode(*key).into_bytes());
    replace_private(path, &text)?;
    Ok(text)
}

fn parse_key(text: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    hex::decode_to_slice(text.trim_ascii(), &mut key).ok()?;
    Some(key)
}

fn encode(document: &StoreDocument) -> Result<Vec<u8>, SecretError> {
    serde_json::to_vec_pretty(document).map_err(|error| SecretError::Io(error.into()))
}

fn read_document(path: &Path, bytes: &[u8], sealer: &Sealer) -> Result<StoreDocument, SecretError> {
    let damaged = |what: String| SecretError::Unusable(format!("{} {what}: restore it from a backup", path.display()));
    let any: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| damaged(format!("is damaged ({error})")))?;
    let format = any.get("format").and_then(serde_json::Value::as_u64);
    if format.is_some_and(|format| format > u64::from(FORMAT_VERSION)) {
        return Err(SecretError::Unusable(format!(
            "{} was written by a newer version: upgrade this node",
            path.display()
        )));
    }
    let document: StoreDocument =
        serde_json::from_value(any).map_err(|error| damaged(format!("is damaged ({error})")))?;
    match sealer.open(CHECK_NAME, &document.check) {
        Some(text) if *text == CHECK_TEXT => Ok(document),
        Some(_) | None => Err(SecretError::WrongKey(format!(
            "{} was encrypted with another key than the one in {}",
            path.display(),
            path.with_file_name("key").display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn name(text: &str) -> SecretName {
        SecretName::new(text).unwrap()
    }

    #[test]
    fn values_survive_reopening_and_are_not_in_the_file() {
        let home = tempfile::tempdir().unwrap();
        let value = SecretValue::new(b"open sesame".to_vec());
        {
            let mut store = FileStore::open(home.path()).unwrap();
            assert!(!store.set(&name("a.key"), &value).unwrap());
            assert!(store.set(&name("a.key"), &value).unwrap());
            let made = store.get_or_generate(&name("jwt.signing_key")).unwrap();
            assert_eq!(store.get_or_generate(&name("jwt.signing_key")).unwrap(), made, "it is made once");
            assert_eq!(made.expose().len(), 32);
        }
        let store = FileStore::open(home.path()).unwrap();
        assert_eq!(store.get(&name("a.key")).unwrap(), value);
        let file = std::fs::read(home.path().join("store.enc")).unwrap();
        assert!(!file.windows(11).any(|window| window == b"open sesame"));
        assert_eq!(store.list().len(), 2);
    }

    #[test]
    fn a_second_opener_is_refused_while_the_first_lives() {
        let home = tempfile::tempdir().unwrap();
        let first = FileStore::open(home.path()).unwrap();
        assert!(
            matches!(FileStore::open(home.path()), Err(SecretError::Unusable(text)) if text.contains("another process"))
        );
        let mut first = first;
        first.close();
        assert!(first.set(&name("late"), &SecretValue::new(vec![1])).is_err());
        FileStore::open(home.path()).unwrap();
    }

    #[test]
    fn a_wrong_or_open_or_missing_key_is_refused_with_the_way_out() {
        let home = tempfile::tempdir().unwrap();
        drop(FileStore::open(home.path()).unwrap());
        let key = home.path().join("key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let Err(SecretError::Unusable(text)) = FileStore::open(home.path()) else { panic!("an open key was taken") };
        assert!(text.contains("chmod 600"), "{text}");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&key, "00".repeat(32)).unwrap();
        assert!(matches!(FileStore::open(home.path()), Err(SecretError::WrongKey(_))));
        std::fs::write(&key, "short").unwrap();
        assert!(matches!(FileStore::open(home.path()), Err(SecretError::WrongKey(_))));
        std::fs::remove_file(&key).unwrap();
        assert!(matches!(FileStore::open(home.path()), Err(SecretError::WrongKey(text)) if text.contains("missing")));
    }

    #[test]
    fn a_value_moved_to_another_name_or_version_does_not_open() {
        let home = tempfile::tempdir().unwrap();
        {
            let mut store = FileStore::open(home.path()).unwrap();
            store.set(&name("mine"), &SecretValue::new(b"1".to_vec())).unwrap();
        }
        let path = home.path().join("store.enc");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"mine\"", "\"yours\"")).unwrap();
        let store = FileStore::open(home.path()).unwrap();
        assert!(matches!(store.get(&name("yours")), Err(SecretError::Unusable(_))));
        drop(store);
        std::fs::write(&path, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
        let store = FileStore::open(home.path()).unwrap();
        assert!(matches!(store.get(&name("mine")), Err(SecretError::Unusable(_))));
        drop(store);
        std::fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert!(matches!(FileStore::open(home.path()), Err(SecretError::Unusable(_))));
    }
}
