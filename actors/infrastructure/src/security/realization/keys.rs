//! Keys from Secrets: made when they are missing, with the one before beside the present one.

use octopussy_core::message::{KeyId, Keyring, SigningKey};
use octopussy_core::ports::{SecretError, SecretName, SecretsPort};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The secret that signs messages.
pub(crate) const MESSAGE_KEY: &str = "message.signing_key";

/// The secret that signs tokens.
pub(crate) const JWT_KEY: &str = "jwt.signing_key";

/// A key and the one before it.
pub(crate) struct SecretKeys {
    pub(crate) current: Zeroizing<[u8; 32]>,
    pub(crate) previous: Option<Zeroizing<[u8; 32]>>,
}

/// Reads a key and the one before it, and makes the key when there is none.
pub(crate) async fn load_key(secrets: &dyn SecretsPort, name: &str) -> Result<SecretKeys, SecretError> {
    let key = SecretName::new(name)?;
    let current = match read(secrets, &key).await {
        Err(SecretError::Unknown(_)) => {
            secrets.rotate(&key).await?;
            read(secrets, &key).await?
        }
        read => read?,
    };
    let previous = match read(secrets, &SecretName::new(&format!("{name}.previous"))?).await {
        Ok(previous) => Some(previous),
        Err(SecretError::Unknown(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(SecretKeys { current, previous })
}

/// The message keyring as Secrets has it.
pub(crate) async fn load_keyring(secrets: &dyn SecretsPort) -> Result<Keyring, SecretError> {
    let keys = load_key(secrets, MESSAGE_KEY).await?;
    let current = signing_key(&keys.current);
    Ok(match keys.previous {
        Some(previous) => Keyring::new(signing_key(&previous)).rotated(current),
        None => Keyring::new(current),
    })
}

/// The key's name follows from the key, so that a message signed before a restart still finds its key after it.
fn signing_key(bytes: &[u8; 32]) -> SigningKey {
    let digest: [u8; 32] = Sha256::new().chain_update(b"octopussy key id\0").chain_update(bytes).finalize().into();
    SigningKey::new(KeyId(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])), *bytes)
}

async fn read(secrets: &dyn SecretsPort, name: &SecretName) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    let value = secrets.get(name).await?;
    // Somebody may have set a key of another length; its digest has the right one and no less entropy.
    let key = <[u8; 32]>::try_from(value.expose()).unwrap_or_else(|_| Sha256::digest(value.expose()).into());
    Ok(Zeroizing::new(key))
}
