//! The protocol in simulation, one invariant a file; the shell over a mesh in memory.

mod bad_input;
mod converges;
mod death_is_known;
mod full_state_matters;
mod no_false_death;
mod partition_heals;
mod refuted_suspicion;
mod restart;
mod seeds;
mod shell;
