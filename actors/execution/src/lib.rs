//! The execution layer: the models that agents think with.
//!
//! Without the feature `realization` only contracts and essences build; they are pure.

pub mod llm_router;
