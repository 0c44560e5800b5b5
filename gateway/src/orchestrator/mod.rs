//! The one door behind every interface: who may, what it means, and to whom it goes.

mod adaptation;
mod agents;
mod capability;
mod contract;
mod essence;
mod problems;
mod records;
mod secrets;
mod tokens;

/// Whether a request is within its bounds, for what is tested without an orchestrator.
#[cfg(any(test, fuzzing))]
pub(crate) fn acceptable(task: &octopussy_core::ports::SubmitTask) -> Result<(), octopussy_core::problem::Problem> {
    essence::check(task)
}

pub use adaptation::Orchestrator;
pub use capability::{NodeFacts, OrchestratorCapability, OrchestratorConfig, OrchestratorRunning};
pub use contract::{CONTRACT, OrchestratorProvides, OrchestratorRequires};
pub use essence::{
    MAX_CONSTRAINTS, MAX_DOCUMENT_BYTES, MAX_DOCUMENTS, MAX_HISTORY, MAX_IDEMPOTENCY_KEY, MAX_INPUT_BYTES, MAX_TTL,
    MIN_TTL,
};
