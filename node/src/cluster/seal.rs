//! Sealing shared secrets with the cluster's data key: AES-256-GCM, bound to the secret's name and time.

use octopussy_control::SealedSecret;
use octopussy_core::time::Timestamp;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// The key that every member has and nobody else. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DataKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// The system has no randomness to give. Nothing was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no randomness to give")]
pub(crate) struct NoRandomness;

/// Fresh random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

impl DataKey {
    /// The key with these bytes.
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A fresh key.
    pub(crate) fn generate() -> Result<Self, NoRandomness> {
        random().map(Self::new)
    }

    /// The bytes, for the one who is let in and for the file that keeps them.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `value` under a fresh nonce.
    pub(crate) fn seal(&self, name: &str, value: &[u8], set_at: Timestamp) -> Result<SealedSecret, NoRandomness> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut body = value.to_vec();
        let key = self.key().ok_or(NoRandomness)?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context(name, set_at)), &mut body)
            .map_err(|_| NoRandomness)?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut body);
        Ok(SealedSecret { sealed, set_at })
    }

    /// Opens what [`DataKey::seal`] made for this name and time; `None` when anything is another.
    pub(crate) fn open(&self, name: &str, secret: &SealedSecret) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = secret.sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut body = Zeroizing::new(body.to_vec());
        let context = Aad::from(context(name, secret.set_at));
        let length = self.key()?.open_in_place(Nonce::assume_unique_for_key(*nonce), context, &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }

    /// A digest that tells two values apart and, without the key, nothing else.
    pub(crate) fn digest(&self, name: &str, value: &[u8]) -> [u8; 32] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &*self.0);
        let mut mac = ring::hmac::Context::with_key(&key);
        mac.update(b"octopussy shared secret digest\0");
        mac.update(&(name.len() as u64).to_be_bytes());
        mac.update(name.as_bytes());
        mac.update(value);
        let mut digest = [0; 32];
        digest.copy_from_slice(mac.sign().as_ref());
        digest
    }

    fn key(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &*self.0).ok().map(LessSafeKey::new)
    }
}

/// What a seal is bound to, so that no value can be moved to another name or time.
fn context(name: &str, set_at: Timestamp) -> Vec<u8> {
    let mut context = b"octopussy shared secret v1".to_vec();
    context.extend((name.len() as u64).to_be_bytes());
    context.extend(name.as_bytes());
    context.extend(set_at.as_millis().to_be_bytes());
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_name_and_time_open_a_seal() {
        let (key, other) = (DataKey::generate().unwrap(), DataKey::generate().unwrap());
        let at = Timestamp::from_millis(9);
        let sealed = key.seal("openai.api_key", b"sk-1", at).unwrap();
        assert_eq!(key.open("openai.api_key", &sealed).unwrap().as_slice(), b"sk-1");
        assert!(!sealed.sealed.windows(4).any(|window| window == b"sk-1"));
        assert!(key.open("another", &sealed).is_none());
        assert!(other.open("openai.api_key", &sealed).is_none());
        assert!(key.open("openai.api_key", &SealedSecret { set_at: Timestamp::EPOCH, ..sealed.clone() }).is_none());
        for cut in 0..sealed.sealed.len() {
            let cut = SealedSecret { sealed: sealed.sealed[..cut].to_vec(), set_at: at };
            assert!(key.open("openai.api_key", &cut).is_none());
        }
        assert_ne!(key.seal("a", b"x", at).unwrap(), key.seal("a", b"x", at).unwrap(), "a nonce was used twice");
    }

    #[test]
    fn digests_tell_values_apart_and_need_the_key() {
        let (key, other) = (DataKey::new([1; 32]), DataKey::new([2; 32]));
        assert_eq!(key.digest("a", b"x"), key.digest("a", b"x"));
        assert_ne!(key.digest("a", b"x"), key.digest("a", b"y"));
        assert_ne!(key.digest("a", b"x"), key.digest("b", b"x"));
        assert_ne!(key.digest("a", b"x"), other.digest("a", b"x"));
        assert!(!format!("{key:?}").contains('1'));
    }
}
