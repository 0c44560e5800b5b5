//! Keys from Secrets: made when there are none. Who replaces them, and when, is decided elsewhere; the store holds all that count.

use octopussy_core::key_set::KeySet;
use octopussy_core::message::{KeyId, Keyring, SigningKey};
use octopussy_core::ports::{KeyKind, SecretError, SecretName, SecretsPort};
use sha2::{Digest, Sha256};

/// The keys of this kind, and a fresh one when there are none.
pub(crate) async fn load_keys(secrets: &dyn SecretsPort, kind: KeyKind) -> Result<KeySet, SecretError> {
    let name = SecretName::new(kind.secret())?;
    let value = secrets.get_or_generate(&name).await?;
    KeySet::decode(value.expose())
        .map_err(|error| SecretError::Unusable(format!("the secret '{name}' holds no keys: {error}")))
}

/// The message keyring as Secrets has it.
pub(crate) async fn load_keyring(secrets: &dyn SecretsPort) -> Result<Keyring, SecretError> {
    let keys = load_keys(secrets, KeyKind::Message).await?;
    let others = keys.others().iter().map(|key| signing_key(key)).collect();
    Ok(Keyring::new(signing_key(keys.active())).verifying(others))
}

/// The key's name follows from the key, so that a message signed before a restart still finds its key after it.
fn signing_key(bytes: &[u8; 32]) -> SigningKey {
    let digest: [u8; 32] = Sha256::new().chain_update(b"octopussy key id\0").chain_update(bytes).finalize().into();
    SigningKey::new(KeyId(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])), *bytes)
}
