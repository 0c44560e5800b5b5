//! Templates, the request that is made of them, and the choice of passages. Pure.

mod compose;
mod library;
mod template;
#[cfg(test)]
mod tests;

pub use compose::compose;
pub use library::{Library, TEMPLATES};
pub use template::{Template, Values, Variable};
