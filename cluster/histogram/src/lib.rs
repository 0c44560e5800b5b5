//! Histograms of powers of two, for the statistics that openraft keeps of itself and that nobody here reads.
//!
//! openraft takes them from a crate that computes tables for sixteen resolutions when it makes its first histogram: 26 MiB that
//! stay resident, more than all else an idle node holds (docs/adr/0008). This crate has the part of that interface that openraft
//! uses, and 64 counters a histogram.

mod chart;
mod histogram;
mod percentiles;

pub use chart::AsciiChart;
pub use histogram::Histogram;
pub use percentiles::PercentileStats;
