//! The router's decisions: which model, when to try again, when to leave a provider alone; and the embedded model. Pure.

mod backoff;
mod breaker;
mod choose;
pub mod extractive;
mod retry_after;
mod table;
#[cfg(test)]
mod tests;

pub use backoff::{MAX_RETRIES, backoff};
pub use breaker::{Breaker, OPEN_FOR, TRIP_AFTER};
pub use choose::{Choice, Offer, choose};
pub use retry_after::retry_after;
pub use table::{ModelEntry, RoutingTable, cost_micros};
