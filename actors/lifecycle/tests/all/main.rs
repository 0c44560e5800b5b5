//! The lifecycle from outside: what a host sees of start, failure and stop, and what does not compile.

#![cfg(feature = "realization")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod capabilities;
mod misuse;
mod registry;
mod start;
mod stop;
mod supervision;
