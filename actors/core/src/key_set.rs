//! The keys of one kind, as a secret store holds them under one name: the one that signs, and those that verify as well, because
//! they signed before it or will after it.

use crate::codec::{self, CodecError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// One key: 32 bytes from a random source, wiped when dropped.
pub type KeyBytes = Zeroizing<[u8; 32]>;

/// The form of [`Stored`].
const SCHEMA: u16 = 1;

/// What is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u16,
    active: [u8; 32],
    others: Vec<[u8; 32]>,
}

/// The keys of one kind.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySet {
    active: KeyBytes,
    others: Vec<KeyBytes>,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySet({} keys)", 1 + self.others.len())
    }
}

/// The bytes hold no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// They are not in a form that keys have.
    #[error("they do not decode: {0}")]
    Codec(#[from] CodecError),
    /// A later build wrote them.
    #[error("they have form {0}, this program knows form {SCHEMA}")]
    Schema(u16),
}

impl KeySet {
    /// How many keys there are at most beside the one that signs: one that is offered, and those of fourteen rotations within a week.
    pub const MAX_OTHERS: usize = 15;

    /// One key alone.
    #[must_use]
    pub fn alone(active: [u8; 32]) -> Self {
        Self::new(active, Vec::new())
    }

    /// A key that signs, and others that verify; those beyond [`Self::MAX_OTHERS`] are left out.
    #[must_use]
    pub fn new(active: [u8; 32], mut others: Vec<[u8; 32]>) -> Self {
        others.truncate(Self::MAX_OTHERS);
        Self { active: Zeroizing::new(active), others: others.into_iter().map(Zeroizing::new).collect() }
    }

    /// The key that signs.
    #[must_use]
    pub const fn active(&self) -> &KeyBytes {
        &self.active
    }

    /// The keys that only verify.
    #[must_use]
    pub fn others(&self) -> &[KeyBytes] {
        &self.others
    }

    /// The keys in these bytes. Thirty-two of them are a key that was just made and has never been shared.
    ///
    /// # Errors
    /// [`KeySetError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, KeySetError> {
        if let Ok(alone) = <[u8; 32]>::try_from(bytes) {
            return Ok(Self::alone(alone));
        }
        let stored: Stored = codec::decode(bytes)?;
        if stored.schema != SCHEMA {
            return Err(KeySetError::Schema(stored.schema));
        }
        Ok(Self::new(stored.active, stored.others))
    }

    /// The bytes from which [`KeySet::decode`] reads the same keys.
    ///
    /// # Errors
    /// [`KeySetError::Codec`].
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, KeySetError> {
        let stored =
            Stored { schema: SCHEMA, active: *self.active, others: self.others.iter().map(|key| **key).collect() };
        Ok(Zeroizing::new(codec::encode(&stored)?))
    }
}

/// The name of a key that the cluster keeps: it follows from the key and tells nothing of it.
#[must_use]
pub fn key_tag(key: &[u8; 32]) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::new().chain_update(b"octopussy shared key\0").chain_update(key).finalize().into();
    let mut tag = [0; 16];
    tag.copy_from_slice(&digest[..16]);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again() {
        for set in [KeySet::alone([1; 32]), KeySet::new([2; 32], vec![[1; 32], [3; 32]])] {
            assert_eq!(KeySet::decode(&set.encode().unwrap()).unwrap(), set);
        }
        assert_eq!(KeySet::decode(&[7; 32]).unwrap(), KeySet::alone([7; 32]), "a key that was just made");
        assert!(KeySet::decode(b"a").is_err() && KeySet::decode(&[]).is_err() && KeySet::decode(&[255; 80]).is_err());
        assert_eq!(KeySet::new([0; 32], vec![[1; 32]; 99]).others().len(), KeySet::MAX_OTHERS);
    }

    #[test]
    fn keys_do_not_show_in_debug() {
        assert_eq!(format!("{:?}", KeySet::alone([65; 32])), "KeySet(1 keys)");
    }
}
