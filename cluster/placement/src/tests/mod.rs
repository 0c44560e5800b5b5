//! Where shards belong, what is decided in given situations, and a simulated cluster under failures.

mod placing;
mod sim;
mod steps;
mod support;
