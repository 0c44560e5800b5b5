//! How many idempotency keys a sender may use: each is kept for a day, whatever becomes of its task.

use octopussy_core::ids::PartyId;
use octopussy_core::problem::{Code, Problem};
use octopussy_core::time::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// How many requests with a key one sender may make through this node in [`PERIOD`]: 100 a second, all the time.
pub(in crate::orchestrator) const KEYS: u32 = 360_000;

/// Over which time they are counted.
const PERIOD: Duration = Duration::from_secs(60 * 60);

/// How many senders are counted at once. There are as many as credentials; beyond it the oldest counts are forgotten.
const SENDERS: usize = 4_096;

/// What each sender has used.
#[derive(Debug, Default)]
pub(in crate::orchestrator) struct KeyBudget {
    used: HashMap<PartyId, (Timestamp, u32)>,
}

impl KeyBudget {
    /// Counts a request with a key.
    ///
    /// # Errors
    /// When the sender has used up what it may, with the time after which it may go on.
    pub(in crate::orchestrator) fn take(&mut self, sender: PartyId, now: Timestamp) -> Result<(), Problem> {
        let is_over = |since: Timestamp| now.since(since) >= PERIOD || since.since(now) >= PERIOD;
        if self.used.len() >= SENDERS && !self.used.contains_key(&sender) {
            self.used.retain(|_, (since, _)| !is_over(*since));
            if self.used.len() >= SENDERS
                && let Some(oldest) = self.used.iter().min_by_key(|(_, (since, _))| *since).map(|(sender, _)| *sender)
            {
                self.used.remove(&oldest);
            }
        }
        let (since, used) = self.used.entry(sender).or_insert((now, 0));
        if is_over(*since) {
            (*since, *used) = (now, 0);
        }
        if *used >= KEYS {
            let problem = Problem::new(
                Code::Overloaded,
                format!(
                    "{KEYS} requests with an 'Idempotency-Key' came from here within an hour, which is the limit at a node"
                ),
            );
            let wait = PERIOD.saturating_sub(now.since(*since)).max(Duration::from_secs(1));
            return Err(problem
                .hint("each key is kept for a day; send requests that need none without it")
                .retry_after(wait));
        }
        *used += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn party(number: u128) -> PartyId {
        PartyId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn a_sender_that_uses_up_its_keys_is_told_when_to_go_on_and_nobody_else_is() {
        let mut budget = KeyBudget::default();
        let now = Timestamp::from_millis(1_000_000_000);
        for _ in 0..KEYS {
            budget.take(party(1), now).unwrap();
        }
        let later = now.plus(Duration::from_secs(600));
        let refused = budget.take(party(1), later).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::Overloaded, Some(Duration::from_secs(3_000))));
        budget.take(party(2), later).unwrap();
        budget.take(party(1), now.plus(PERIOD)).unwrap();
    }

    #[test]
    fn the_counts_are_bounded() {
        let mut budget = KeyBudget::default();
        for number in 0..10_000 {
            budget.take(party(number), Timestamp::from_millis(u64::try_from(number).unwrap())).unwrap();
        }
        assert_eq!(budget.used.len(), SENDERS);
    }
}
