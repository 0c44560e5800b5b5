//! The knowledge layer: what agents may spend, and what models are told.
//!
//! Without the feature `realization` only contracts and essences build; they are pure.

pub mod prompt_engine;
pub mod token_budget;
