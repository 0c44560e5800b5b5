//! What a signature covers: a version byte, then every field, each behind its length. No two different messages have the
//! same encoding, because no field can borrow bytes from its neighbour.

use super::{KeyId, MessageDraft};

/// The version of the signed encoding; part of what is signed.
const ENCODING_VERSION: u8 = 1;

/// Feeds the signed encoding of `draft` under `key_id` to `sink`, piece by piece.
pub(super) fn signed_bytes(draft: &MessageDraft, key_id: KeyId, mut sink: impl FnMut(&[u8])) {
    let mut field = |bytes: &[u8]| {
        sink(&(bytes.len() as u64).to_be_bytes());
        sink(bytes);
    };
    field(&[ENCODING_VERSION]);
    field(&key_id.0.to_be_bytes());
    field(draft.message_id.as_bytes());
    field(draft.sender_id.as_bytes());
    field(draft.recipient_id.as_bytes());
    field(&[draft.message_type as u8]);
    field(&[draft.priority as u8]);
    field(draft.trace_id.as_bytes());
    field(&draft.created_at.as_millis().to_be_bytes());
    field(&ttl_millis(draft).to_be_bytes());
    field(draft.payload.as_str().as_bytes());
}

/// The time to live as it is signed and stored.
pub(super) fn ttl_millis(draft: &MessageDraft) -> u64 {
    u64::try_from(draft.ttl.as_millis()).unwrap_or(u64::MAX)
}
