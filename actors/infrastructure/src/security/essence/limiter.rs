//! How often something is worth a record, so that a flood of failures does not become a flood of records.

use octopussy_core::time::Timestamp;

/// Lets through so many a second and counts the rest.
#[derive(Debug)]
pub struct Limiter {
    per_second: u32,
    second: u64,
    used: u32,
    suppressed: u64,
}

impl Limiter {
    /// Lets `per_second` through.
    #[must_use]
    pub const fn new(per_second: u32) -> Self {
        Self { per_second, second: 0, used: 0, suppressed: 0 }
    }

    /// Whether this one passes; when it does, how many were held back before it.
    pub fn admit(&mut self, now: Timestamp) -> Option<u64> {
        let second = now.as_millis() / 1000;
        if second != self.second {
            (self.second, self.used) = (second, 0);
        }
        if self.used >= self.per_second {
            self.suppressed += 1;
            return None;
        }
        self.used += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_told_with_the_next_that_passes() {
        let mut limiter = Limiter::new(2);
        let at = Timestamp::from_millis;
        assert_eq!(
            [limiter.admit(at(0)), limiter.admit(at(1)), limiter.admit(at(2)), limiter.admit(at(999))],
            [Some(0), Some(0), None, None]
        );
        assert_eq!([limiter.admit(at(1000)), limiter.admit(at(1001))], [Some(2), Some(0)]);
    }
}
