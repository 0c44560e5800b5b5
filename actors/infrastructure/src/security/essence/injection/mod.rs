//! The injection scan: rules over normalised text for what attackers cannot do without, and a small linear model for what
//! rules cannot list. `training/README.md` says how the model is made.

mod features;
mod model;
mod normalise;
mod rules;
mod scanner;
mod vocabulary;

pub use scanner::{Scanner, Verdict};
