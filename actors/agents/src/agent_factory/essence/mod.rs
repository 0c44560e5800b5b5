//! What an agent's directory must look like, and what it means.

mod agent_yaml;
pub mod bundle;
mod changes;
mod config;
mod findings;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod rules;
mod shape;
mod validate;
mod walk;
mod yaml;

pub use agent_yaml::{AgentYaml, schema};
pub use bundle::without_marks;
pub use changes::changes;
pub use config::AgentFactoryConfig;
pub use findings::MAX_FINDINGS;
pub use validate::{Blueprint, dormant_settings, not_run_yet, validate};

#[cfg(test)]
mod tests;
