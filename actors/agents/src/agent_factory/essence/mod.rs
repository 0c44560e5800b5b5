//! What an agent's directory must look like, and what it means.

mod agent_yaml;
pub mod bundle;
mod config;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod rules;
mod shape;
mod validate;
mod walk;
mod yaml;

pub use agent_yaml::{AgentYaml, schema};
pub use config::AgentFactoryConfig;
pub use validate::{Blueprint, dormant_settings, not_run_yet, validate};

#[cfg(test)]
mod tests;
