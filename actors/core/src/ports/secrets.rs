//! Secrets by name.

use super::KeyKind;
use crate::contract::{Port, PortId};
use async_trait::async_trait;
use futures::stream::BoxStream;
use std::fmt;
use zeroize::Zeroizing;

/// A secret's name: 1 to 128 of `a-z 0-9 . _ - /`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct SecretName(String);

impl SecretName {
    /// The longest name.
    pub const MAX_LEN: usize = 128;

    /// A name, when it is one.
    ///
    /// # Errors
    /// [`SecretError::BadName`].
    pub fn new(name: &str) -> Result<Self, SecretError> {
        let fits = !name.is_empty()
            && name.len() <= Self::MAX_LEN
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b));
        if fits { Ok(Self(name.to_owned())) } else { Err(SecretError::BadName(name.to_owned())) }
    }

    /// Whether nodes make and replace this secret by themselves: nobody sets, reads or removes it.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        let below = |name: &str| self.0.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        KeyKind::ALL.into_iter().any(|kind| below(kind.secret()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret's bytes: never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Wraps the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one place that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, where they are.
    #[must_use]
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// A secret could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The name has characters or a length that names do not have.
    #[error("'{0}' is not a secret name: use 1 to 128 of a-z, 0-9, '.', '_', '-', '/'")]
    BadName(String),
    /// No such secret.
    #[error("there is no secret '{0}'")]
    Unknown(SecretName),
    /// Too large.
    #[error("the secret has {0} bytes, the limit is 65536")]
    TooLarge(usize),
    /// The store does not decrypt with this key file.
    #[error("the secret store does not open with this key: {0}")]
    WrongKey(String),
    /// The store is damaged, or its files are readable by others.
    #[error("{0}")]
    Unusable(String),
    /// The file system failed; the store is as before.
    #[error("the secret store cannot be written or read")]
    Io(#[source] std::io::Error),
}

/// Keeps secrets.
#[async_trait]
pub trait SecretsPort: Send + Sync {
    /// The present value.
    async fn get(&self, name: &SecretName) -> Result<SecretValue, SecretError>;

    /// Sets a value; when it replaces one, the rotation is announced.
    async fn set(&self, name: &SecretName, value: SecretValue) -> Result<(), SecretError>;

    /// The present value, and 32 random bytes when there is none, which are kept.
    async fn get_or_generate(&self, name: &SecretName) -> Result<SecretValue, SecretError>;

    /// Forgets a secret.
    async fn delete(&self, name: &SecretName) -> Result<(), SecretError>;

    /// All names, sorted.
    async fn list(&self) -> Result<Vec<SecretName>, SecretError>;

    /// A key for one purpose of this node's own, which follows from the key of the store: it is the same after every start, and tells nothing of
    /// that key or of those for other purposes.
    fn derived_key(&self, purpose: &str) -> Zeroizing<[u8; 32]>;

    /// The names of secrets as they change. A listener that falls behind loses the oldest news, never the newest.
    fn rotations(&self) -> BoxStream<'static, SecretName>;
}

impl Port for dyn SecretsPort {
    const ID: PortId = PortId::Secrets;
}
