//! The percentiles that are usually asked for.

use std::fmt;

/// Percentiles of what was recorded, and of how much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PercentileStats {
    /// How many values were recorded.
    pub samples: u64,
    /// Of a thousand, one is at or below.
    pub p0_1: u64,
    /// Of a hundred, one is at or below.
    pub p1: u64,
    /// Of a hundred, five are at or below.
    pub p5: u64,
    /// Of a hundred, ten are at or below.
    pub p10: u64,
    /// The median.
    pub p50: u64,
    /// Of a hundred, ninety are at or below.
    pub p90: u64,
    /// Of a hundred, all but one are at or below.
    pub p99: u64,
    /// Of a thousand, all but one are at or below.
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n={} p50={} p90={} p99={} p99.9={}", self.samples, self.p50, self.p90, self.p99, self.p99_9)
    }
}
