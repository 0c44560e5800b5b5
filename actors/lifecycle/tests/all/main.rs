//! The lifecycle from outside: what a host sees of start, failure and stop, and what does not compile.

#![cfg(feature = "realization")]

mod capabilities;
mod misuse;
mod registry;
mod start;
mod stop;
mod supervision;
