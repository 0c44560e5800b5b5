//! What the orchestrator decides, without asking anybody: whether a request is acceptable, whether two are the same, and
//! whom an unaddressed one is for.

mod acceptable;
mod choose;
mod fingerprint;
mod key_budget;
mod view;

pub use acceptable::{
    MAX_CONSTRAINTS, MAX_DOCUMENT_BYTES, MAX_DOCUMENTS, MAX_HISTORY, MAX_IDEMPOTENCY_KEY, MAX_INPUT_BYTES, MAX_TTL,
    MIN_TTL,
};
pub(super) use acceptable::{api_token, attempts, check, shortened, token_lifetime, ttl};
pub(super) use choose::choose;
pub(super) use fingerprint::fingerprint;
pub(super) use key_budget::KeyBudget;
pub(super) use view::view;

#[cfg(test)]
mod tests;
