//! The Raft groups of a node: their network, their lines of proposals, their leaderships, their places.

mod authority;
mod backoff;
mod batcher;
mod boundary;
mod closing;
mod context;
mod core;
mod elections;
mod ending;
mod failover;
mod followers;
mod founding;
mod group;
mod host;
mod housekeeping;
mod leadership;
mod lease;
mod line;
mod losses;
mod machine;
pub(crate) mod network;
mod parting;
mod places;
mod promise;
mod proposal;
mod pulse;
mod reconciler;
mod recovery;
mod registry;
mod relief;
mod revival;
mod soundness;
mod speaking;
mod suspension;
mod time;
mod trim;
mod urgency;
mod watchdog;
mod word;

pub(crate) use core::Core;
#[cfg(test)]
pub(crate) use group::Group;
pub use host::ShardHost;
pub(crate) use host::open_stores;
pub use losses::OwnLosses;
pub(crate) use proposal::{Fault, Item, Outcome};
pub use recovery::Recovered;
pub use time::{ClockReport, MAX_SKEW};
pub(crate) use urgency::Urgency;
pub(crate) use word::LeaderWord;

/// How many commands may be in line before a group: at 30 000 a second a quarter of a second's worth. New work is turned
/// away beyond it; what moves accepted work on (steps, ends) may use as much again, so that overload never stops work in
/// progress.
pub const QUEUE_CAPACITY: usize = 8_192;
