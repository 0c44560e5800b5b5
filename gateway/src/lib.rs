//! The interface layer: the orchestrator behind every interface, the REST API, the WebSocket and the OpenAI-compatible API.
//!
//! The gateway never touches a store: what it knows it asks through ports, and the interfaces ask nobody but the
//! orchestrator.

mod config;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod http;
mod openai;
pub mod orchestrator;
mod rest;
mod serve;
mod ws;

pub use config::{ConfigError, GatewayConfig, Limits, TlsMode};
pub use orchestrator::{NodeFacts, OrchestratorCapability, OrchestratorConfig};
pub use rest::openapi_json;
pub use serve::{Addresses, BindError, Gateway, GatewayParts};

#[cfg(test)]
mod tests;
