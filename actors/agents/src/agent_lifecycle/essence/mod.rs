//! What is known of active agents, without runtime.

mod config;
mod registry;

pub use config::AgentLifecycleConfig;
pub use registry::Registry;

#[cfg(test)]
mod tests;
