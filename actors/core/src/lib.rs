//! The vocabulary every other crate speaks: ids, messages, contracts, ports, the capability graph, the agent
//! specification and the agent state machine.
//!
//! Nothing in here performs I/O, reads a clock or draws a random number; time and ids come in as arguments. That is what
//! lets every decision of the system be tested without a runtime and replayed from a log.

pub mod agent;
pub mod capability;
pub mod codec;
pub mod contract;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod ids;
pub mod lineage;
pub mod message;
pub mod ports;
pub mod problem;
pub mod task;
pub mod text;
pub mod time;
mod trace;
