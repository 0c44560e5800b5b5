//! The keys that sign and verify messages. Several verify, one signs, so that a rotation has no gap.

use super::encoding::{signed_bytes, ttl_millis};
use super::{Message, MessageDraft, VerifyError};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Names a signing key. Whoever keeps the keys derives it from the key, so that it means the same after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One key: 32 bytes from a random source, wiped when dropped.
#[derive(Clone)]
pub struct SigningKey {
    id: KeyId,
    bytes: Zeroizing<[u8; 32]>,
}

impl SigningKey {
    /// A key from its bytes.
    #[must_use]
    pub fn new(id: KeyId, bytes: [u8; 32]) -> Self {
        Self { id, bytes: Zeroizing::new(bytes) }
    }

    fn mac(&self) -> Hmac<Sha256> {
        // HMAC takes a key of any length; the error type exists for fixed-length MACs.
        Hmac::new_from_slice(&*self.bytes).expect("HMAC accepts a 32-byte key")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// The current key and others that only verify.
#[derive(Debug, Clone)]
pub struct Keyring {
    current: SigningKey,
    others: Vec<SigningKey>,
}

impl Keyring {
    /// How many keys verify beside the one that signs: as many as a cluster keeps.
    pub const MAX_OTHERS: usize = crate::key_set::KeySet::MAX_OTHERS;

    /// A keyring with one key.
    #[must_use]
    pub const fn new(current: SigningKey) -> Self {
        Self { current, others: Vec::new() }
    }

    /// The keyring in which `next` signs and the keys so far still verify.
    #[must_use]
    pub fn rotated(&self, next: SigningKey) -> Self {
        let mut others = vec![self.current.clone()];
        others.extend(self.others.iter().cloned());
        Self::new(next).verifying(others)
    }

    /// The keyring that signs as this one and verifies with these keys as well: those that signed before, and one that will. Those
    /// beyond [`Self::MAX_OTHERS`] are left out.
    #[must_use]
    pub fn verifying(self, mut others: Vec<SigningKey>) -> Self {
        others.truncate(Self::MAX_OTHERS);
        Self { others, ..self }
    }

    /// The key that signs.
    #[must_use]
    pub const fn current_id(&self) -> KeyId {
        self.current.id
    }

    /// Signs `draft`: the only way to make a [`Message`].
    #[must_use]
    pub fn sign(&self, draft: MessageDraft) -> Message {
        let mut mac = self.current.mac();
        signed_bytes(&draft, self.current.id, |bytes| mac.update(bytes));
        Message {
            ttl_millis: ttl_millis(&draft),
            message_id: draft.message_id,
            sender_id: draft.sender_id,
            recipient_id: draft.recipient_id,
            message_type: draft.message_type,
            payload: draft.payload,
            priority: draft.priority,
            trace_id: draft.trace_id,
            created_at: draft.created_at,
            key_id: self.current.id,
            signature: mac.finalize().into_bytes().into(),
        }
    }

    /// Checks a message's signature in constant time.
    ///
    /// # Errors
    /// [`VerifyError`]; time to live and replay are checked elsewhere.
    pub fn verify(&self, message: &Message) -> Result<(), VerifyError> {
        let key = std::iter::once(&self.current)
            .chain(&self.others)
            .find(|key| key.id == message.key_id)
            .ok_or(VerifyError::UnknownKey(message.key_id))?;
        let mut mac = key.mac();
        signed_bytes(&message.draft(), key.id, |bytes| mac.update(bytes));
        mac.verify_slice(&message.signature).map_err(|_| VerifyError::BadSignature)
    }
}

impl Message {
    /// The fields under the signature.
    pub(crate) fn draft(&self) -> MessageDraft {
        MessageDraft {
            message_id: self.message_id,
            sender_id: self.sender_id,
            recipient_id: self.recipient_id,
            message_type: self.message_type,
            payload: self.payload.clone(),
            priority: self.priority,
            trace_id: self.trace_id,
            created_at: self.created_at,
            ttl: self.ttl(),
        }
    }
}
