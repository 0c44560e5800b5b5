//! Counters by powers of two.

use crate::PercentileStats;
use std::marker::PhantomData;

/// As many as a value has bits.
const BUCKETS: usize = 64;

/// How often values of each power of two were recorded. Says of a percentile the power of two at or below it.
///
/// The parameter stands for what the other crate lets one attach to it; openraft attaches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    /// Empty until something is recorded.
    counts: Vec<u64>,
    attached: PhantomData<T>,
}

impl<T> Histogram<T> {
    /// Nothing is recorded.
    #[must_use]
    pub const fn new() -> Self {
        Self { counts: Vec::new(), attached: PhantomData }
    }

    /// Records a value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Records a value several times.
    pub fn record_n(&mut self, value: u64, times: u64) {
        if self.counts.is_empty() {
            self.counts.resize(BUCKETS, 0);
        }
        let bucket = usize::try_from(value.max(1).ilog2()).unwrap_or_default();
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(times);
        }
    }

    /// How many values were recorded.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// The power of two at or below which so many of a thousand values lie; 0 when there are none.
    #[must_use]
    pub fn permille(&self, of_a_thousand: u64) -> u64 {
        let total = u128::from(self.total());
        let wanted = (total * u128::from(of_a_thousand)).div_ceil(1_000).max(1);
        let mut seen = 0_u128;
        for (power, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= wanted {
                return 1 << power;
            }
        }
        0
    }

    /// The percentiles that are usually asked for.
    #[must_use]
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total(),
            p0_1: self.permille(1),
            p1: self.permille(10),
            p5: self.permille(50),
            p10: self.permille(100),
            p50: self.permille(500),
            p90: self.permille(900),
            p99: self.permille(990),
            p99_9: self.permille(999),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_power_of_two_below() {
        let mut histogram: Histogram = Histogram::new();
        assert_eq!(histogram.percentile_stats(), PercentileStats::default());
        histogram.record(0);
        histogram.record_n(5, 98);
        histogram.record(u64::MAX);
        let stats = histogram.percentile_stats();
        assert_eq!((stats.samples, stats.p0_1, stats.p50, stats.p99, stats.p99_9), (100, 1, 4, 4, 1 << 63));
    }
}
