//! How the members' clocks differ.

use octopussy_core::ports::Measure;
use octopussy_core::ports::MeasureKind::Gauge;
use octopussy_shard::ClockReport;

/// What this node has measured of the members' clocks.
pub(super) fn measures(clocks: &ClockReport) -> Vec<Measure> {
    let of_majority = clocks.own_ahead.map_or(0, i64::unsigned_abs);
    vec![
        Measure::single(
            Gauge,
            "clock_skew_ms",
            "Milliseconds by which the clocks of this node and of another member differ at most",
            clocks.greatest(),
        ),
        Measure::single(
            Gauge,
            "clock_skew_of_majority_ms",
            "Milliseconds by which this node's clock differs from that of a majority of the members",
            of_majority,
        ),
    ]
}
