//! Asks providers over the network and keeps track of how they do.

mod errors;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gpu;
mod health;
mod http;
mod key;
mod lending;
#[cfg(test)]
mod measure;
mod peer_wire;
mod peers;
mod provider;
mod routing;
mod span;
mod table_file;
#[cfg(test)]
mod tests;
mod wire;

pub(super) use health::watch;
pub(super) use lending::lend;
pub(super) use peers::Peers;
pub(super) use provider::Provider;
pub(super) use routing::Shared;
