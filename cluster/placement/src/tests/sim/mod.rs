//! A simulated cluster: replicated groups with leaders, elections and joint configurations, nodes whose copies of the
//! control state lag behind, actions that take time and get lost, crashes, partitions, joins, drains and farewells.
//!
//! Everything follows from a seed. `OCTOPUSSY_SIM_SEEDS` says how many seeds are tried, `OCTOPUSSY_SIM_SEED` names one, and
//! `OCTOPUSSY_SIM_TRACE` has its actions printed.

mod driver;
mod group;
mod invariants;
mod network;
mod proof;
mod rng;
mod runs;
mod world;
