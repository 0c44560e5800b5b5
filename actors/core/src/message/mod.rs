//! The message: immutable, made only by signing, verified in constant time.

mod encoding;
mod keyring;
mod payload;
mod replay;

pub use keyring::{KeyId, Keyring, SigningKey};
pub use payload::{MAX_PAYLOAD_BYTES, Payload, PayloadError};
pub use replay::{ReplayWindow, Replayed};

use crate::ids::{MessageId, PartyId, TraceId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a message lives unless its sender says otherwise.
pub const DEFAULT_TTL: Duration = Duration::from_secs(300);

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum MessageType {
    /// Work for an agent.
    Task = 0,
    /// What came of the work.
    Result = 1,
    /// A command to the agent itself: pause, resume, stop, cancel.
    Control = 2,
    /// News that nobody has to answer.
    Event = 3,
}

/// Urgency; strictly higher first, first-in-first-out within one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum Priority {
    /// Before everything else.
    Critical = 0,
    /// Before the normal.
    High = 1,
    /// The usual.
    #[default]
    Normal = 2,
    /// When nothing else is waiting.
    Low = 3,
}

impl Priority {
    /// The four lanes, most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Normal, Self::Low];

    /// The lane's index, 0 for the most urgent.
    #[must_use]
    pub const fn lane(self) -> usize {
        self as usize
    }
}

/// What a sender writes; [`Keyring::sign`] makes a [`Message`] of it.
#[derive(Debug, Clone)]
pub struct MessageDraft {
    /// Unique within the time to live.
    pub message_id: MessageId,
    /// Who sends.
    pub sender_id: PartyId,
    /// Who is to receive.
    pub recipient_id: PartyId,
    /// What it is for.
    pub message_type: MessageType,
    /// A JSON object.
    pub payload: Payload,
    /// How urgent it is.
    pub priority: Priority,
    /// What it belongs to.
    pub trace_id: TraceId,
    /// When it was written.
    pub created_at: Timestamp,
    /// For how long it counts.
    pub ttl: Duration,
}

/// A signed message. Its fields cannot be changed, and every one of them is under the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    message_id: MessageId,
    sender_id: PartyId,
    recipient_id: PartyId,
    message_type: MessageType,
    payload: Payload,
    priority: Priority,
    trace_id: TraceId,
    created_at: Timestamp,
    ttl_millis: u64,
    key_id: KeyId,
    signature: [u8; 32],
}

/// Why a message does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The key it names is not in the keyring (rotated out, or never ours).
    #[error("the message is signed with the unknown key {0}")]
    UnknownKey(KeyId),
    /// The signature does not fit the fields.
    #[error("the message's signature does not match its content")]
    BadSignature,
}

impl Message {
    /// Unique within the time to live.
    #[must_use]
    pub const fn message_id(&self) -> MessageId {
        self.message_id
    }
    /// Who sent it.
    #[must_use]
    pub const fn sender_id(&self) -> PartyId {
        self.sender_id
    }
    /// Who is to receive it.
    #[must_use]
    pub const fn recipient_id(&self) -> PartyId {
        self.recipient_id
    }
    /// What it is for.
    #[must_use]
    pub const fn message_type(&self) -> MessageType {
        self.message_type
    }
    /// The content.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }
    /// How urgent it is.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        self.priority
    }
    /// What it belongs to.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }
    /// When it was written.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }
    /// For how long it counts.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_millis)
    }
    /// The moment after which it no longer counts.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.plus(self.ttl())
    }
    /// Whether it no longer counts at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now > self.expires_at()
    }
    /// The key that signed it.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }
    /// HMAC-SHA256 over every other field.
    #[must_use]
    pub const fn signature(&self) -> &[u8; 32] {
        &self.signature
    }
}

#[cfg(test)]
mod tests;
