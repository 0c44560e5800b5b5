//! The replay window: a message id counts once while its message lives.

use super::Message;
use crate::ids::MessageId;
use crate::time::Timestamp;
use std::collections::{BTreeSet, HashMap};

/// The message was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message {0} was received before")]
pub struct Replayed(pub MessageId);

/// Remembers message ids until their messages expire. Bounded: at the bound the ids that expire soonest are forgotten,
/// and messages that expire before the youngest forgotten one are refused, so that nothing slips through the hole.
#[derive(Debug)]
pub struct ReplayWindow {
    seen: HashMap<MessageId, Timestamp>,
    by_expiry: BTreeSet<(Timestamp, MessageId)>,
    /// Messages that expire at or before this moment are refused unseen.
    horizon: Timestamp,
    capacity: usize,
}

impl ReplayWindow {
    /// A window of at most `capacity` ids (at least one).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { seen: HashMap::new(), by_expiry: BTreeSet::new(), horizon: Timestamp::EPOCH, capacity: capacity.max(1) }
    }

    /// Admits `message` once.
    ///
    /// # Errors
    /// [`Replayed`] when its id is in the window, or may have been and was forgotten.
    pub fn admit(&mut self, message: &Message, now: Timestamp) -> Result<(), Replayed> {
        self.forget_expired(now);
        let (id, expires) = (message.message_id(), message.expires_at());
        if expires <= self.horizon || self.seen.contains_key(&id) {
            return Err(Replayed(id));
        }
        while self.seen.len() >= self.capacity {
            if let Some((expiry, oldest)) = self.by_expiry.pop_first() {
                self.seen.remove(&oldest);
                self.horizon = self.horizon.max(expiry);
            }
        }
        if expires <= self.horizon {
            return Err(Replayed(id));
        }
        self.seen.insert(id, expires);
        self.by_expiry.insert((expires, id));
        Ok(())
    }

    /// How many ids are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    fn forget_expired(&mut self, now: Timestamp) {
        while let Some(&(expiry, id)) = self.by_expiry.first() {
            if expiry >= now {
                break;
            }
            self.by_expiry.pop_first();
            self.seen.remove(&id);
            // Whoever sets the clock back must not bring these to life again.
            self.horizon = self.horizon.max(expiry);
        }
    }
}
