//! The decision whether an agent may spend. Pure: usage, limits and time come in as arguments.

mod calendar;
#[cfg(test)]
mod tests;
mod verdict;

pub use calendar::period_end;
pub use verdict::{check, report};
