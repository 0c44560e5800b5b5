//! The infrastructure layer: secrets, configuration, observability, security and messaging. Everything above stands on it.
//!
//! Without the feature `realization` only the contracts and the pure rules are built.

pub mod configuration;
pub mod messaging;
pub mod observability;
pub mod secrets;
pub mod security;

#[cfg(feature = "realization")]
mod streams;
#[cfg(test)]
#[cfg(feature = "realization")]
mod wired_tests;
