//! Simulated nodes: the real groups, logs, state machines, leases and forwarding of three or five nodes, in one process and in
//! virtual time, under partitions, crashes, freezes, delays and clocks that differ.
//!
//! Each node has a runtime of its own with a paused clock, which the simulation runs a millisecond at a time: a node that is not
//! run is frozen, one whose runtime is dropped has crashed, and one that is run a little more or less than its due has a clock
//! that drifts. The writers of the disks are tasks of that runtime instead of threads, the disks are in memory, the network is
//! the mesh in memory.
//!
//! What happens follows from a seed, but for one thing: a tokio runtime draws by itself in which order it wakes several who wait
//! for one `watch` channel, and can only be given a seed for that when it is built with `tokio_unstable`. Runs of one seed are
//! therefore alike and not equal.
//!
//! `OCTOPUSSY_SIM_SEEDS` says how many seeds are tried, `OCTOPUSSY_SIM_SEED` names one, and
//! `OCTOPUSSY_SIM_TRACE` has its events printed.

mod bay;
mod clients;
mod disk;
mod driver;
mod event;
mod founding;
mod history;
mod hosting;
mod invariants;
mod node;
mod planted;
mod proof;
mod reach;
mod replicas;
mod rng;
mod run;
mod runs;
mod runtime;
mod trouble;
mod world;

pub(crate) use bay::{adopt, is_credulous, is_running, slept};
pub(crate) use runtime::SeededRuntime;
