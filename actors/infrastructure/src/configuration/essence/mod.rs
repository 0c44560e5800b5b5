//! Pure rules over configuration trees: looking up, comparing, finding secret references.

mod tree;

pub use tree::{SecretReference, changed_sections, lookup, secret_references};
