//! AES-256-GCM by ring.

use crate::secrets::essence::{SealedSecret, sealed_context};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use octopussy_core::ports::SecretError;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, Zeroizing};

/// Seals and opens with one key.
pub(super) struct Sealer {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Sealer {
    pub(super) fn new(key: &[u8; 32]) -> Result<Self, SecretError> {
        let key = UnboundKey::new(&AES_256_GCM, key)
            .map_err(|_| SecretError::Unusable("the key of the secret store is not 32 bytes".to_owned()))?;
        Ok(Self { key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    /// Seals `value` for this name and version under a fresh random nonce.
    pub(super) fn seal(&self, name: &str, version: u64, value: &[u8]) -> Result<SealedSecret, SecretError> {
        let nonce: [u8; NONCE_LEN] = random_bytes(&self.random)?;
        let mut sealed = value.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(sealed_context(name, version)),
                &mut sealed,
            )
            .map_err(|_| SecretError::Unusable("the value could not be encrypted".to_owned()))?;
        Ok(SealedSecret { version, nonce: hex::encode(nonce), sealed: BASE64.encode(sealed) })
    }

    /// Opens what [`Sealer::seal`] made for this name; `None` when the key, the name or the version is another.
    pub(super) fn open(&self, name: &str, secret: &SealedSecret) -> Option<Zeroizing<Vec<u8>>> {
        let nonce: [u8; NONCE_LEN] = hex::decode(&secret.nonce).ok()?.try_into().ok()?;
        let mut bytes = Zeroizing::new(BASE64.decode(&secret.sealed).ok()?);
        let context = Aad::from(sealed_context(name, secret.version));
        let length = self.key.open_in_place(Nonce::assume_unique_for_key(nonce), context, &mut bytes).ok()?.len();
        bytes[length..].zeroize();
        bytes.truncate(length);
        Some(bytes)
    }

    /// Thirty-two bytes for a generated secret.
    pub(super) fn generate(&self) -> Result<[u8; 32], SecretError> {
        random_bytes(&self.random)
    }
}

/// What the keys for other purposes follow from: a key that follows from the store's, which is not kept for it.
pub(super) struct DerivedKeys(hmac::Key);

impl DerivedKeys {
    pub(super) fn of(key: &[u8; 32]) -> Self {
        let root = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"octopussy derived keys");
        Self(hmac::Key::new(hmac::HMAC_SHA256, root.as_ref()))
    }

    pub(super) fn key_for(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(hmac::sign(&self.0, purpose.as_bytes()).as_ref());
        key
    }
}

fn random_bytes<const N: usize>(random: &SystemRandom) -> Result<[u8; N], SecretError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes).map_err(|_| SecretError::Unusable("the system has no randomness to give".to_owned()))?;
    Ok(bytes)
}
