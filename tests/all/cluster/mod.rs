//! Clusters of real nodes on loopback: joining, any-node service, crashes, moves.

mod any_node;
mod crash;
mod drain;
mod faults;
mod joining;
mod partition;
mod rolling;
