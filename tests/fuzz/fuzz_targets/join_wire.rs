//! The binary has no library: its files are compiled here.
#![no_main]
#![allow(dead_code, reason = "the binary uses the rest of these files")]

#[path = "../../../node/src/cluster/fuzz.rs"]
mod fuzz;
#[path = "../../../node/src/cluster/join_wire.rs"]
mod join_wire;
#[path = "../../../node/src/cluster/token.rs"]
mod token;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::join_wire(bytes));
